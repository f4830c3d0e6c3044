"""What the page at ``/`` shows, as plain data: threads and their messages, quotas, faults. No HTTP here."""

from __future__ import annotations

import heapq
from itertools import islice
from operator import attrgetter
from typing import Any

from airflow_provider_hubchan.emulator.api import quota
from airflow_provider_hubchan.emulator.backend import HubspotBackend
from airflow_provider_hubchan.emulator.faults.catalogue import ANSWERS, WEBHOOK_FAULTS
from airflow_provider_hubchan.emulator.faults.durations import Duration
from airflow_provider_hubchan.emulator.faults.fault import Fault
from airflow_provider_hubchan.emulator.faults.schedule import ScheduledFault
from airflow_provider_hubchan.emulator.model.records import AGENTS_TEXT, Install, Message
from airflow_provider_hubchan.emulator.model.world import World
from airflow_provider_hubchan.emulator.request_log.delivery import Delivery
from airflow_provider_hubchan.emulator.request_log.entry import Entry
from airflow_provider_hubchan.emulator.request_log.ledger import Ledger
from airflow_provider_hubchan.emulator.request_log.masking import masked_url
from airflow_provider_hubchan.emulator.ui.threads import MAX_THREADS, ThreadFilter, ThreadList, Throttled, find_threads
from airflow_provider_hubchan.emulator.ui.traffic import LedgerTail, Traffic

#: What a fault revokes, in words.
REVOKED = {"access": "the access tokens", "refresh": "the refresh token", "both": "all tokens"}
#: Messages of a thread that are shown at most, and how many of its latest messages they are chosen from.
MAX_MESSAGES, LATEST = 12, 500
#: Webhooks that are shown at most.
MAX_DELIVERIES = 8


class View:
    """What one reader of the page sees.

    All messages are gone through only now and then; between, the view is kept up to date by the entries of the ledger.

    :param thread_filter: which threads are shown.
    """

    def __init__(self, backend: HubspotBackend, thread_filter: ThreadFilter) -> None:
        self._backend, self._world, self._filter = backend, backend.world, thread_filter
        self._tail, self._traffic = LedgerTail(backend.ledger), Traffic()
        self._threads = Throttled(lambda: find_threads(self._world, thread_filter))
        self._counts = Throttled(self._world.counts)

    def is_outdated(self) -> bool:
        """True once the emulator was reset: a new view is needed then."""
        return self._world is not self._backend.world

    def renew(self, now: float) -> None:
        """Go through all messages again if it is time to. This may run beside the server's own thread.

        :param now: of ``time.perf_counter``.
        """
        for throttled in (self._threads, self._counts):
            if throttled.is_due(now):
                throttled.renew()

    def snapshot(self) -> dict[str, Any]:
        """Everything that is shown now."""
        world, now = self._world, self._world.clock.now()
        quotas = [_quota(world, install, now) for install in world.installs]
        answered = self._traffic.add(self._tail.new(), now, quotas[0]["used"], world.settings.window)
        threads = self._shown_threads(answered)
        return {
            "portal": world.install.portal.id,
            "channels": list(world.channels),
            "quotas": quotas,
            "window": world.settings.window,
            "rate": self._traffic.rate(now),
            "refused": self._traffic.refused,
            "buckets": {str(number): [bucket.used, bucket.refused] for number, bucket in self._traffic.buckets.items()},
            "tokens": sum(token.expires_at > now for token in list(world.tokens.values())),
            "webhooks": _webhooks(world, self._backend.ledger),
            "faults": [describe(scheduled) for scheduled in self._backend.schedule if not scheduled.is_over(now)],
            "counts": self._counts.value,
            "matching": max(self._threads.value.matching, len(threads)),
            "order": list(threads),
            "threads": {str(number): thread for number, thread in threads.items()},
        }

    def clock(self) -> list[float]:
        """The emulator's time, seconds since the epoch, and the speed of its clock."""
        return [round(self._world.clock.now(), 3), self._world.clock.speed]

    def _shown_threads(self, answered: list[Entry]) -> dict[int, dict[str, Any]]:
        """The threads to show by number, the latest first, after moving those with new or changed messages to the front."""
        found = self._threads.value
        touched = (*self._new_messages(found), *_changed_messages(self._world, answered))
        for message in sorted(touched, key=attrgetter("updated_at")):
            if self._filter.matches(message):
                found.recent.pop(message.thread, None)
                found.recent[message.thread] = None
        for number in list(found.recent)[:-MAX_THREADS]:
            del found.recent[number]
        threads = {number: _thread(found.threads.get(number, []), self._filter) for number in reversed(found.recent)}
        return {number: thread for number, thread in threads.items() if thread}

    def _new_messages(self, found: ThreadList) -> list[Message]:
        """Messages that came since all were gone through, the oldest first; they are added to their threads."""
        messages = self._world.messages
        added = list(islice(reversed(messages.values()), max(0, len(messages) - found.message_count)))[::-1]
        for message in added:
            found.threads.setdefault(message.thread, []).append(message)
        found.message_count += len(added)
        return added


def _changed_messages(world: World, answered: list[Entry]) -> list[Message]:
    """Messages whose update was accepted."""
    updated = (entry.message for entry in answered if entry.method == "PATCH" and entry.status == 200)
    return [world.messages[key] for key in updated if key in world.messages]


def _thread(messages: list[Message], thread_filter: ThreadFilter) -> dict[str, Any] | None:
    """A thread with those of its messages that match, and its latest other ones; None if none matches."""
    latest = messages[-LATEST:]
    chosen = heapq.nlargest(
        MAX_MESSAGES, reversed(latest), key=lambda message: (thread_filter.matches(message), message.updated_at)
    )
    if not chosen or not thread_filter.matches(chosen[0]):
        return None
    chosen_ids = set(map(id, chosen))
    customer = chosen[0].customer
    return {
        "customer": customer["name"],
        "number": customer["deliveryIdentifier"]["value"],
        "at": max(message.updated_at for message in chosen),
        "more": len(messages) - len(chosen),
        "messages": [_message(message) for message in latest if id(message) in chosen_ids],
    }


def _message(message: Message) -> dict[str, Any]:
    return {
        "id": message.id,
        "text": (message.content or {}).get("text", AGENTS_TEXT),
        "incoming": message.incoming,
        "status": message.status,
        "error": message.error_message if message.status == "FAILED" else None,
        "at": message.updated_at,
    }


def _webhooks(world: World, ledger: Ledger) -> dict[str, Any]:
    """Where webhooks are sent, how many were, and the latest of them, the newest first."""
    urls = [url for channel in list(world.channels.values()) if (url := world.webhook_url(channel))]
    return {
        "urls": list(map(masked_url, urls)),
        "sent": ledger.sent,
        "latest": [_delivery(each) for each in reversed(ledger.deliveries(last=MAX_DELIVERIES))],
    }


def _delivery(delivery: Delivery) -> dict[str, Any]:
    kind = delivery.fault.webhook if delivery.fault else None
    return {
        "at": delivery.at,
        "message": delivery.message_id,
        "attempt": delivery.attempt,
        "fault": kind and WEBHOOK_FAULTS[kind],
        "accepted": delivery.accepted,
        "status": delivery.status,
        "milliseconds": delivery.milliseconds,
        "error": delivery.error,
    }


def _quota(world: World, install: Install, now: float) -> dict[str, Any]:
    """How much of its window and its day an app has used in a portal; None stands for no limit."""
    limit = quota.window_limit(world)
    return {
        "app": install.app.app_id,
        "portal": install.portal.id,
        "used": limit - quota.remaining(world, install),
        "limit": None if limit == quota.NO_LIMIT else limit,
        "day_used": install.portal.used_today(now),
        "day_limit": quota.daily_limit(world) or None,
    }


def describe(scheduled: ScheduledFault) -> dict[str, Any]:
    """A fault in words, and how many requests it will still hit, None for any number."""
    fault = scheduled.fault
    status = ANSWERS[fault.answer].status if fault.answer else fault.status
    effect = {"before": "closes the connection of", "half": "sends half the answer to"}.get(fault.drop or "")
    effect = effect or (f"answers {status} to" if fault.has_answer else "answers")
    share, every = ("", "any") if fault.rate is None else (f"{100 * fault.rate:g} % of ", "all")
    if fault.webhook:
        return {"text": _describe_webhook(fault, share), "times": scheduled.left}
    calls = f"{share}{fault.method or every} calls" + (f" to …{fault.path}…" if fault.path else "")
    message = f" about {fault.message_id}" if fault.message_id else ""
    more = [
        _duration(fault.delay_duration, " after {:g} s", " late"),
        _duration(fault.trickle_duration, ", its body within {:g} s", ", its body slowly"),
        f", revokes {REVOKED[fault.revoke]} first" if fault.revoke else "",
        f", which can be read {fault.lag:g} s later" if fault.lag else "",
        ", which are done all the same" if fault.apply else "",
    ]
    return {"text": f"{effect} {calls}{message}{''.join(more)}", "times": scheduled.left}


def _describe_webhook(fault: Fault, share: str) -> str:
    which = f"the webhook of {fault.message_id}" if fault.message_id else "a webhook"
    which += (f" to …{fault.path}…" if fault.path else "") + (f" ({share}all)" if share else "")
    wait = {"late": " by {:g} s", "out-of-order": ", {:g} s later at the latest"}.get(str(fault.webhook), " after {:g} s")
    return f"{which} {WEBHOOK_FAULTS[str(fault.webhook)]}{_duration(fault.delay_duration, wait, ' after a random time')}"


def _duration(duration: Duration, fixed: str, random: str) -> str:
    """How long something takes, in words; empty for no time.

    :param fixed: the words for a fixed number of seconds, which they format.
    :param random: the words for a random one.
    """
    if duration.is_random:
        return random
    (seconds,) = duration.parameters
    return fixed.format(seconds) if seconds else ""
