"""The words of messaging gateways for the state of a message, and the status of HubSpot's that each stands for.

Data for the argument ``statuses``: each mapping has a gateway's words as keys, and as values ``"SENT"``, ``"FAILED"``,
``"READ"``, or None for a word that changes nothing in HubSpot: not final yet, final without anybody knowing how it ended, or
of an inbound message. Rows with such a word are skipped. Words are compared without regard to case and surrounding space.

A mapping is a plain dict, so ``|`` changes it: ``TWILIO | {"sent": "SENT"}`` for carriers that give no receipt,
``TWILIO | {"delivered": None}`` to send only what an agent does not know yet. A row with a word that is not in it cannot be
sent.

The page "Gateways" of the documentation says which fields hold the message's id and the reason of a failure.
"""

from __future__ import annotations

#: Twilio, the field ``MessageStatus`` of status callbacks, ``status`` of the Message resource. Source: PyPI package ``twilio``
#: 9.13, class ``MessageInstance.Status``, which has the words of inbound messages, too.
TWILIO: dict[str, str | None] = {
    "delivered": "SENT",
    "undelivered": "FAILED",
    "failed": "FAILED",
    "canceled": "FAILED",
    "read": "READ",
    "accepted": None,
    "scheduled": None,
    "queued": None,
    "sending": None,
    "sent": None,
    "partially_delivered": None,
    "receiving": None,
    "received": None,
}

#: Vonage Messages API, the field ``status`` of status callbacks. Source: Vonage's page on message status callbacks; the PyPI
#: package ``vonage-messages`` has no list.
VONAGE: dict[str, str | None] = {
    "delivered": "SENT",
    "rejected": "FAILED",
    "undeliverable": "FAILED",
    "read": "READ",
    "submitted": None,
}

#: Infobip, the field ``status.groupName`` of delivery reports. Source: PyPI package ``infobip-api-python-client`` 6.0, class
#: ``MessageGeneralStatus``. The group DELIVERED includes the name ``DELIVERED_TO_OPERATOR``, which is not final.
INFOBIP: dict[str, str | None] = {
    "DELIVERED": "SENT",
    "UNDELIVERABLE": "FAILED",
    "EXPIRED": "FAILED",
    "REJECTED": "FAILED",
    "ACCEPTED": None,
    "PENDING": None,
}

#: Sinch SMS, the field ``status`` of delivery reports for each recipient. Source: PyPI package ``sinch`` 2.3, type
#: ``DeliveryStatusType`` of ``sinch.domains.sms``. The REST API writes "Delivered" for the package's "DELIVERED".
SINCH_SMS: dict[str, str | None] = {
    "DELIVERED": "SENT",
    "ABORTED": "FAILED",
    "CANCELLED": "FAILED",
    "REJECTED": "FAILED",
    "DELETED": "FAILED",
    "FAILED": "FAILED",
    "EXPIRED": "FAILED",
    "QUEUED": None,
    "DISPATCHED": None,
    "UNKNOWN": None,
}

#: Sinch Conversation API, the field ``message_delivery_report.status`` of its events. Source: PyPI package ``sinch`` 2.3, type
#: ``DeliveryStatusType`` of ``sinch.domains.conversation``.
SINCH_CONVERSATION: dict[str, str | None] = {
    "DELIVERED": "SENT",
    "FAILED": "FAILED",
    "READ": "READ",
    "QUEUED_ON_CHANNEL": None,
    "SWITCHING_CHANNEL": None,
}

#: Telnyx, the field ``data.payload.to.0.status`` of the events ``message.sent`` and ``message.finalized``. Source: PyPI
#: package ``telnyx`` 4.189, class ``To`` of ``telnyx.types.outbound_message_payload``.
TELNYX: dict[str, str | None] = {
    "delivered": "SENT",
    "sending_failed": "FAILED",
    "delivery_failed": "FAILED",
    "expired": "FAILED",
    "read": "READ",
    "queued": None,
    "sending": None,
    "sent": None,
    "delivery_unconfirmed": None,
}

#: Plivo, the field ``Status`` of delivery reports, ``message_state`` of the Message resource. Source: PyPI package ``plivo``
#: 4.63, the values that ``Messages.list`` takes for ``message_state``.
PLIVO: dict[str, str | None] = {
    "delivered": "SENT",
    "undelivered": "FAILED",
    "failed": "FAILED",
    "rejected": "FAILED",
    "read": "READ",
    "queued": None,
    "sent": None,
}

#: MessageBird, the field ``status`` of status reports. Source: PyPI package ``messagebird`` 2.2, docstring of
#: ``Client.message_list``.
MESSAGEBIRD: dict[str, str | None] = {
    "delivered": "SENT",
    "expired": "FAILED",
    "delivery_failed": "FAILED",
    "scheduled": None,
    "buffered": None,
    "sent": None,
}

#: Bird, the field ``status`` of an SMS. Source: PyPI package ``messagebird-sdk`` 0.106, class ``SMSMessageStatus``, which has
#: the word of inbound messages, too.
BIRD: dict[str, str | None] = {
    "delivered": "SENT",
    "undelivered": "FAILED",
    "failed": "FAILED",
    "rejected": "FAILED",
    "canceled": "FAILED",
    "expired": "FAILED",
    "scheduled": None,
    "accepted": None,
    "sent": None,
    "received": None,
}

#: AWS End User Messaging SMS, the field ``eventType`` of event lines. Source: the values ``TEXT_…`` of ``EventType`` in the
#: API's model, as the PyPI package ``types-boto3-pinpoint-sms-voice-v2`` 1.43 has it. TEXT_UNKNOWN comes after 72 hours.
#: ``MEDIA_…`` and ``RCS_…`` are not SMS, ``VOICE_…`` is no message.
AWS_SMS: dict[str, str | None] = {
    "TEXT_DELIVERED": "SENT",
    "TEXT_SUCCESSFUL": "SENT",
    "TEXT_INVALID": "FAILED",
    "TEXT_INVALID_MESSAGE": "FAILED",
    "TEXT_UNREACHABLE": "FAILED",
    "TEXT_CARRIER_UNREACHABLE": "FAILED",
    "TEXT_BLOCKED": "FAILED",
    "TEXT_CARRIER_BLOCKED": "FAILED",
    "TEXT_PROTECT_BLOCKED": "FAILED",
    "TEXT_SPAM": "FAILED",
    "TEXT_TTL_EXPIRED": "FAILED",
    "TEXT_QUEUED": None,
    "TEXT_PENDING": None,
    "TEXT_SENT": None,
    "TEXT_UNKNOWN": None,
}

#: WhatsApp Cloud API, the field ``status`` of the entries of ``statuses`` in webhooks. Source: Meta's page on status webhooks,
#: and PyPI package ``pywa`` 4.5, class ``MessageStatusType``. "played" is a voice message that was listened to; "deleted" is
#: in older versions of that page.
WHATSAPP: dict[str, str | None] = {
    "delivered": "SENT",
    "failed": "FAILED",
    "read": "READ",
    "played": "READ",
    "sent": None,
    "deleted": None,
}

#: SMPP delivery receipts, the field ``stat``. Source: SMPP 3.4, appendix B, the formatted message states of receipts.
SMPP: dict[str, str | None] = {
    "DELIVRD": "SENT",
    "UNDELIV": "FAILED",
    "EXPIRED": "FAILED",
    "DELETED": "FAILED",
    "REJECTD": "FAILED",
    "ENROUTE": None,
    "ACCEPTD": None,
    "UNKNOWN": None,
}

#: 8x8, the field ``payload.status.state`` of delivery receipts. Source: 8x8's page on message statuses. The state
#: ``delivered`` includes the detail ``delivered_to_operator``, which is not final.
EIGHT_BY_EIGHT: dict[str, str | None] = {
    "delivered": "SENT",
    "undelivered": "FAILED",
    "failed": "FAILED",
    "rejected": "FAILED",
    "read": "READ",
    "queued": None,
    "sent": None,
    "unknown": None,
}
