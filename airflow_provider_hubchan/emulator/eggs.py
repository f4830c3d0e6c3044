"""A message that is posted, which HubSpot's files call an egg, and what becomes of it."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

from airflow_provider_hubchan.emulator.attachments import ATTACHMENT, shown
from airflow_provider_hubchan.emulator.readers import Reader, among, each, moment, record, text, whole

#: Ways to reach somebody (specified).
DELIVERY_TYPES = ("CHANNEL_SPECIFIC_OPAQUE_ID", "HS_EMAIL_ADDRESS", "HS_PHONE_NUMBER", "HS_SHORT_CODE")
DELIVERY_IDENTIFIER = record(type=among(*DELIVERY_TYPES), value=text)


def _egg(participant: Reader, contact_bits: int) -> Reader:
    contact = record(contactPropertiesLeadingToMatch=each(text), contactVid=whole(contact_bits))
    return record(
        {
            "associateWithContactId": whole(64),
            "inReplyToId": text,
            "integrationIdempotencyId": text,
            "integrationThreadId": text,
            "preResolvedContacts": record(contacts=each(contact)),
            "richText": text,
        },
        attachments=each(ATTACHMENT),
        channelAccountId=text,
        messageDirection=among("INCOMING", "OUTGOING"),
        recipients=each(participant),
        senders=each(participant),
        text=text,
        timestamp=moment,
    )


_WITH_ACTOR = _egg(record({"name": text, "senderActorId": text}, deliveryIdentifier=DELIVERY_IDENTIFIER), 64)
_WITHOUT_ACTOR = _egg(record({"name": text}, deliveryIdentifier=DELIVERY_IDENTIFIER), 32)

#: ``ChannelIntegrationMessageEgg`` of each version (specified).
EGGS = {"v3": _WITH_ACTOR, "2025-09": _WITHOUT_ACTOR, "2026-03": _WITH_ACTOR, "2026-09": _WITHOUT_ACTOR}


def content(egg: dict[str, Any], app_id: int) -> dict[str, Any]:
    """What a message says of itself, in the form in which it comes back (specified)."""
    actors = [sender["senderActorId"] for sender in egg["senders"] if "senderActorId" in sender]
    said = {
        "direction": egg["messageDirection"],
        "createdBy": actors[0] if actors else f"I-{app_id}",  # assumed: the app itself, as an actor of the inbox API
        "client": {"clientType": "INTEGRATION", "integrationAppId": app_id},
        "senders": [_person(sender) for sender in egg["senders"]],
        "recipients": [_person(recipient) for recipient in egg["recipients"]],
        "text": egg["text"],
        "attachments": [shown(attachment) for attachment in egg["attachments"]],
    }
    return said | {name: egg[name] for name in ("inReplyToId", "richText") if name in egg}


def _person(participant: dict[str, Any]) -> dict[str, Any]:
    names = {"deliveryIdentifier": "deliveryIdentifier", "name": "name", "senderActorId": "actorId"}
    return {names[name]: value for name, value in participant.items()}


def thread_of(account_id: str, integration_thread_id: str) -> int:
    """The thread of all messages that come to an account with this id: the same one, whenever it is asked for."""
    digest = blake2b(f"{account_id}/{integration_thread_id}".encode("utf-8", "surrogatepass"), digest_size=6).digest()
    return 7_800_000_000 + int.from_bytes(digest, "big")
