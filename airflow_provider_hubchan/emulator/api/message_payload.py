"""A message that is posted: the schema of its body, and the form in which its content is read back."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Discriminator
from typing_extensions import NotRequired, TypedDict

from airflow_provider_hubchan.emulator.api.schema import Int64, Number, Schema, Text, Time

DeliveryType: TypeAlias = Literal["CHANNEL_SPECIFIC_OPAQUE_ID", "HS_EMAIL_ADDRESS", "HS_PHONE_NUMBER", "HS_SHORT_CODE"]
Place: TypeAlias = Literal["HOME", "WORK"]


class DeliveryIdentifier(TypedDict):
    """``DeliveryIdentifier`` (specified)."""

    type: DeliveryType
    value: Text


class Participant(TypedDict):
    """``ChannelIntegrationParticipant`` (specified)."""

    deliveryIdentifier: DeliveryIdentifier
    name: NotRequired[Text]
    senderActorId: NotRequired[Text]


class File(TypedDict):
    type: Literal["FILE"]
    fileId: Text
    fileUsageType: NotRequired[Literal["AUDIO", "IMAGE", "OTHER", "STICKER", "VOICE_RECORDING"]]


class Location(TypedDict):
    type: Literal["LOCATION"]
    latitude: Number
    longitude: Number
    address: NotRequired[Text]
    name: NotRequired[Text]
    url: NotRequired[Text]


class PostalAddress(TypedDict, total=False):
    city: Text
    country: Text
    countryCode: Text
    state: Text
    street: Text
    zip: Text
    type: Place


class EmailAddress(TypedDict):
    email: Text
    type: NotRequired[Place]


class PhoneNumber(TypedDict):
    phone: Text
    type: NotRequired[Literal["CELL", "HOME", "MAIN", "WORK"]]


class WebAddress(TypedDict):
    url: Text
    type: NotRequired[Place]


class PersonName(TypedDict, total=False):
    firstName: Text
    lastName: Text
    middleName: Text
    prefix: Text
    suffix: Text


class Organization(TypedDict, total=False):
    company: Text
    department: Text
    title: Text


class ContactProfile(TypedDict):
    addresses: list[PostalAddress]
    emails: list[EmailAddress]
    phones: list[PhoneNumber]
    urls: list[WebAddress]
    name: NotRequired[PersonName]
    org: NotRequired[Organization]


class Contact(TypedDict):
    type: Literal["CONTACT"]
    contactProfile: ContactProfile


class UnsupportedContent(TypedDict):
    type: Literal["UNSUPPORTED_CONTENT"]


class MessageHeader(TypedDict):
    type: Literal["MESSAGE_HEADER"]
    fileId: NotRequired[Int64]
    text: NotRequired[Text]


class QuickReply(TypedDict):
    value: Text
    valueType: Literal["TEXT", "URL"]
    label: NotRequired[Text]


class QuickReplies(TypedDict):
    type: Literal["QUICK_REPLIES"]
    quickReplies: list[QuickReply]


class SocialMetadata(TypedDict):
    mediaType: Literal["ARTICLE", "AUDIO", "CAROUSEL", "DOCUMENT", "GIF", "LINK", "NONE", "PHOTO", "POLL", "STORY", "VIDEO"]
    description: NotRequired[Text]
    id: NotRequired[Text]
    mediaTitle: NotRequired[Text]
    mediaUrl: NotRequired[Text]
    mediaUrlString: NotRequired[Text]
    thumbnailUrl: NotRequired[Text]


class SocialMediaMetadata(TypedDict):
    type: Literal["SOCIAL_MEDIA_METADATA"]
    socialMetadata: SocialMetadata


#: One attachment of a message that is posted (specified).
Attachment: TypeAlias = Annotated[
    File | Location | Contact | UnsupportedContent | MessageHeader | QuickReplies | SocialMediaMetadata,
    Discriminator("type"),
]


class ResolvedContact(TypedDict):
    """``PreResolvedContact`` (specified)."""

    contactPropertiesLeadingToMatch: list[Text]
    contactVid: Int64


class ResolvedContacts(TypedDict):
    contacts: list[ResolvedContact]


class MessagePayload(TypedDict):
    """``ChannelIntegrationMessageEgg``, the same in every version (specified)."""

    attachments: list[Attachment]
    channelAccountId: Text
    messageDirection: Literal["INCOMING", "OUTGOING"]
    recipients: list[Participant]
    senders: list[Participant]
    text: Text
    timestamp: Time
    associateWithContactId: NotRequired[Int64]
    inReplyToId: NotRequired[Text]
    integrationIdempotencyId: NotRequired[Text]
    integrationThreadId: NotRequired[Text]
    preResolvedContacts: NotRequired[ResolvedContacts]
    richText: NotRequired[Text]


MESSAGE_PAYLOAD = Schema(MessagePayload)

#: What the files require of an attachment that is read back, beside what was posted; the values are assumed.
_ATTACHMENT_DEFAULTS: dict[str, dict[str, Any]] = {
    "FILE": {"fileUsageType": "OTHER"},
    "QUICK_REPLIES": {"allowMultiSelect": False, "allowUserInput": False},
}


def content_of(payload: MessagePayload, app_id: int) -> dict[str, Any]:
    """The content of a posted message in the form in which it is read back (specified)."""
    actors = [sender["senderActorId"] for sender in payload["senders"] if "senderActorId" in sender]
    content: dict[str, Any] = {
        "direction": payload["messageDirection"],
        "createdBy": actors[0] if actors else f"I-{app_id}",  # assumed: the app itself, as an actor of the inbox API
        "client": {"clientType": "INTEGRATION", "integrationAppId": app_id},
        "senders": [_person(sender) for sender in payload["senders"]],
        "recipients": [_person(recipient) for recipient in payload["recipients"]],
        "text": payload["text"],
        "attachments": [_ATTACHMENT_DEFAULTS.get(each["type"], {}) | dict(each) for each in payload["attachments"]],
    }
    if "inReplyToId" in payload:
        content["inReplyToId"] = payload["inReplyToId"]
    if "richText" in payload:
        content["richText"] = payload["richText"]
    return content


def _person(participant: Participant) -> dict[str, Any]:
    names = {"deliveryIdentifier": "deliveryIdentifier", "name": "name", "senderActorId": "actorId"}
    return {names[name]: value for name, value in participant.items()}
