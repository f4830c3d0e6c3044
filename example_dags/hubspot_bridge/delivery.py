"""Pending messages go to the gateway. What can be tried without Airflow is here; the DAG has the schedule and the retries."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import requests
from requests.utils import get_auth_from_url, urldefragauth

from hubspot_bridge.outbox import Message, Outbox, row_to_mark
from hubspot_bridge.signatures import callback_signature

log = logging.getLogger(__name__)

#: Seconds to connect to the gateway, and to wait for each part of its answer: one that sends it byte by byte is ended by the
#: ``execution_timeout`` of the task.
TIMEOUT = (3.0, 10.0)
#: Messages of a lease, and its seconds: longer than all of them take if the gateway is as slow as it may be.
LEASE_SIZE, LEASE_SECONDS = 20, 300.0
#: Seconds after which a run takes no further lease, so that it ends.
RUN_SECONDS = 240.0
#: Calls that may fail before the gateway is taken for unavailable.
MAX_FAILURES = 3
#: The gateway's word for what it does not take.
REFUSED = "failed"


class GatewayUnavailable(Exception):
    """The gateway gives no answer about some messages: they are pending, and the task's retry hands them over."""


@dataclass(frozen=True)
class Accepted:
    """The gateway has the message, under an id of its own."""

    gateway_id: str


@dataclass(frozen=True)
class Refused:
    """The gateway does not take the message, and would say the same another time."""

    reason: str


class Gateway:
    """The gateway's HTTP API.

    :param url: of the gateway, without a path; ``https://user:password@…`` if it asks for an account.
    :param callback_url: where the gateway reaches the receiver; it may have a query.
    :param secret: signs the callback URLs.
    """

    def __init__(self, url: str, callback_url: str, secret: str) -> None:
        self._url, self._callback_url, self._secret = urldefragauth(url).rstrip("/"), callback_url, secret
        self._session = requests.Session()
        if any(account := get_auth_from_url(url)):  # not left in the URL, which errors show
            self._session.auth = account

    def __enter__(self) -> Gateway:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def send(self, message: Message) -> Accepted | Refused:
        """Hand over a message; again under the same key if nobody knows whether the gateway has it.

        :raises requests.RequestException: no answer, or none that is about this message: the gateway is away, or busy, or does
            not know us.
        """
        if len(message.recipients) != 1:  # for several the gateway needs one message each, and HubSpot wants one status
            return Refused(f"the message has {len(message.recipients)} recipients, one is needed")
        query = {"client_ref": message.message_id, "signature": callback_signature(self._secret, message.message_id)}
        body = {
            "to": message.recipients[0],
            "body": message.text,
            "media": [each["url"] for each in message.attachments if each.get("url")],
            "status_callback": requests.Request("POST", self._callback_url, params=query).prepare().url,
        }
        headers = {"Idempotency-Key": message.message_id}
        reply = self._session.post(  # what follows a redirect is another request, without a body
            f"{self._url}/messages", json=body, headers=headers, timeout=TIMEOUT, allow_redirects=False
        )
        if reply.status_code == 400 and (fault := _object(reply)).get("code"):  # a page of a proxy is no refusal
            return Refused(f"{fault['code']}: {fault.get('message', '')}")
        reply.raise_for_status()
        if reply.is_redirect or not (gateway_id := _object(reply).get("sid")):
            raise requests.RequestException(f"the gateway answered {reply.status_code} without an id")
        return Accepted(str(gateway_id))

    def look_up(self, gateway_id: str) -> tuple[str, str]:
        """The gateway's word about a message, and the reason if it failed.

        :raises requests.RequestException: no answer.
        """
        reply = self._session.get(f"{self._url}/messages/{quote(gateway_id, safe='')}", timeout=TIMEOUT)
        reply.raise_for_status()
        return word_of(_object(reply), "status", "error_code", "error_message")


def deliver_pending(
    outbox: Outbox, send: Callable[[Message], Accepted | Refused], clock: Callable[[], float], limit: int = 2000
) -> list[dict[str, str]]:
    """Hand over what is pending. `Outbox` says why nothing is delivered twice.

    :param send: `Gateway.send`.
    :param clock: seconds since 1970.
    :param limit: messages of one run, give or take a lease: all that are refused have to fit into an XCom.
    :return: rows to mark, of the messages that the gateway has refused.
    :raises GatewayUnavailable: some were not handed over. What was refused before that is in the outbox, for `mark_receipts`.
    """
    failures: list[str] = []
    leases: list[str] = []
    refused: list[dict[str, str]] = []
    handed_over, end = 0, clock() + RUN_SECONDS
    try:
        while len(failures) < MAX_FAILURES and handed_over < limit and clock() < end:
            lease, messages = outbox.lease(LEASE_SIZE, clock(), LEASE_SECONDS)
            if not messages:
                break
            leases.append(lease)
            for message in messages:
                try:
                    answer = _send(outbox, send, lease, message)
                except requests.RequestException as error:  # the next one may go
                    failures.append(_failure(message.message_id, error))
                    if len(failures) == MAX_FAILURES:
                        break
                else:
                    handed_over += 1
                    if isinstance(answer, Accepted):
                        outbox.note_accepted(lease, message.message_id, answer.gateway_id, clock())
                    elif outbox.note_refused(lease, message.message_id, REFUSED, answer.reason):
                        refused.append(row_to_mark(message.message_id, REFUSED, answer.reason))
    finally:
        for lease in leases:
            outbox.release(lease)
    log.info("%d messages handed over, %d of them refused.", handed_over, len(refused))
    if failures:
        raise GatewayUnavailable(f"The gateway did not answer about some messages, which stay pending: {'; '.join(failures)}")
    return refused


def ask_gateway(outbox: Outbox, look_up: Callable[[str], tuple[str, str]], clock: Callable[[], float], limit: int = 200) -> int:
    """Ask for messages whose callbacks seem to be lost: the receiver was down, and many gateways call once.

    :param look_up: `Gateway.look_up`.
    :param clock: seconds since 1970.
    :return: how many were asked for.
    :raises GatewayUnavailable: the gateway gave no answer about some of them, or in words that nobody knows.
    """
    failures: list[str] = []
    away = 0
    due = outbox.without_end(clock(), limit)
    for message_id, gateway_id in due:
        try:
            outbox.note_word(message_id, *look_up(gateway_id))
        except (requests.RequestException, KeyError) as failure:
            failures.append(_failure(message_id, failure))
            away += isinstance(failure, (requests.ConnectionError, requests.Timeout))
        finally:  # whatever has happened: else a message that always fails would be the first one again
            outbox.ask_again(message_id, clock())
        if away == MAX_FAILURES:
            break
    if failures:
        raise GatewayUnavailable(
            f"The gateway gave no usable answer about {len(failures)} messages: {'; '.join(failures[:MAX_FAILURES])}"
        )
    return len(due)


def word_of(reply: dict[str, Any], status: str, code: str, text: str) -> tuple[str, str]:
    """The gateway's word in lower case, and the reason of a failure, from fields of these names."""
    reason = ": ".join(str(reply[name]) for name in (code, text) if reply.get(name))
    return str(reply.get(status, "")).strip().lower(), reason


def _send(outbox: Outbox, send: Callable[[Message], Accepted | Refused], lease: str, message: Message) -> Accepted | Refused:
    """Hand over one message; one that ends without an answer, for whatever reason, is behind the others from then on."""
    try:
        return send(message)
    except BaseException:  # a task that is stopped because the gateway hangs, too
        outbox.note_failed(lease, message.message_id)
        raise


def _failure(message_id: str, error: Exception) -> str:
    return f"{message_id}: {type(error).__name__}: {error}"


def _object(reply: requests.Response) -> dict[str, Any]:
    """The JSON object of a reply, an empty one if it is none."""
    try:
        body = reply.json()
    except requests.JSONDecodeError:
        return {}
    return body if isinstance(body, dict) else {}
