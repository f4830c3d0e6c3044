"""What a message can carry: how it is posted, and how it comes back."""

from __future__ import annotations

from typing import Any

from airflow_provider_hubchan.emulator.readers import among, each, number, record, tagged, text, whole

_PLACE = among("HOME", "WORK")
_NAME = record(dict.fromkeys(("firstName", "lastName", "middleName", "prefix", "suffix"), text))
_ADDRESS = record(dict.fromkeys(("city", "country", "countryCode", "state", "street", "zip"), text) | {"type": _PLACE})
_PROFILE = record(
    {"name": _NAME, "org": record(dict.fromkeys(("company", "department", "title"), text))},
    addresses=each(_ADDRESS),
    emails=each(record({"type": _PLACE}, email=text)),
    phones=each(record({"type": among("CELL", "HOME", "MAIN", "WORK")}, phone=text)),
    urls=each(record({"type": _PLACE}, url=text)),
)
_MEDIA = ("ARTICLE", "AUDIO", "CAROUSEL", "DOCUMENT", "GIF", "LINK", "NONE", "PHOTO", "POLL", "STORY", "VIDEO")
_SOCIAL = ("description", "id", "mediaTitle", "mediaUrl", "mediaUrlString", "thumbnailUrl")

#: One attachment of a message that is posted (specified).
ATTACHMENT = tagged(
    FILE=record({"fileUsageType": among("AUDIO", "IMAGE", "OTHER", "STICKER", "VOICE_RECORDING")}, fileId=text),
    LOCATION=record({"address": text, "name": text, "url": text}, latitude=number, longitude=number),
    CONTACT=record(contactProfile=_PROFILE),
    UNSUPPORTED_CONTENT=record(),
    MESSAGE_HEADER=record({"fileId": whole(64), "text": text}),
    QUICK_REPLIES=record(quickReplies=each(record({"label": text}, value=text, valueType=among("TEXT", "URL")))),
    SOCIAL_MEDIA_METADATA=record(
        socialMetadata=record(dict.fromkeys(_SOCIAL, text), mediaType=among(*_MEDIA)),
    ),
)
#: What the files require of an attachment that comes back, beside what was posted; the values are assumed.
_ADDED: dict[str, dict[str, Any]] = {
    "FILE": {"fileUsageType": "OTHER"},
    "QUICK_REPLIES": {"allowMultiSelect": False, "allowUserInput": False},
}


def shown(attachment: dict[str, Any]) -> dict[str, Any]:
    """An attachment as it comes back (specified)."""
    return _ADDED.get(attachment["type"], {}) | attachment
