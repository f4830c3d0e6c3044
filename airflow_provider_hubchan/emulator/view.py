"""What the page at ``/`` shows, as plain data: threads and their messages, the quota, faults. No HTTP here."""

from __future__ import annotations

import heapq
from itertools import islice
from operator import attrgetter
from typing import Any

from airflow_provider_hubchan.emulator import quota
from airflow_provider_hubchan.emulator.answers import ANSWERS
from airflow_provider_hubchan.emulator.delays import Duration
from airflow_provider_hubchan.emulator.entry import Entry
from airflow_provider_hubchan.emulator.local import LocalHubspot
from airflow_provider_hubchan.emulator.pulse import Pulse, Tail
from airflow_provider_hubchan.emulator.records import AGENTS_TEXT, Install, Message
from airflow_provider_hubchan.emulator.script import Placed
from airflow_provider_hubchan.emulator.survey import THREADS, Costly, Survey, Wanted, survey
from airflow_provider_hubchan.emulator.world import World

#: What a fault revokes, in words.
REVOKED = {"access": "the access tokens", "refresh": "the refresh token", "both": "all tokens"}
#: Messages of a thread that are shown at most, and how many of its latest these are chosen from.
MESSAGES, LATEST = 12, 500


class View:
    """What one reader sees. Between two surveys it is kept up by what the ledger tells.

    :param wanted: which threads.
    """

    def __init__(self, hubspot: LocalHubspot, wanted: Wanted) -> None:
        self._hubspot, self._world, self._wanted = hubspot, hubspot.world, wanted
        self._tail, self._pulse = Tail(hubspot.ledger), Pulse()
        self._survey = Costly(lambda: survey(self._world, wanted))
        self._counts = Costly(self._world.counts)

    def outdated(self) -> bool:
        """True once the emulator was reset: then take another view."""
        return self._world is not self._hubspot.world

    def renew(self, now: float) -> None:
        """Go through all messages again, if it is time to. This may be done beside the server's own thread.

        :param now: of ``time.perf_counter``.
        """
        for each in (self._survey, self._counts):
            if each.due(now):
                each.renew()

    def look(self) -> dict[str, Any]:
        """Everything to be shown."""
        world, now = self._world, self._world.clock.now()
        quotas = [_quota(world, install, now) for install in world.installs]
        answered = self._pulse.hear(self._tail.new(), now, quotas[0]["used"], world.settings.window)
        shown = self._follow(answered)
        return {
            "portal": world.install.portal.id,
            "channels": list(world.channels),
            "quotas": quotas,
            "window": world.settings.window,
            "rate": self._pulse.rate(now),
            "refused": self._pulse.refused,
            "beats": {str(number): [beat.used, beat.refused] for number, beat in self._pulse.beats.items()},
            "tokens": sum(token.expires_at > now for token in list(world.tokens.values())),
            "faults": [describe(placed) for placed in self._hubspot.script if not placed.is_over(now)],
            "counts": self._counts.value,
            "fitting": max(self._survey.value.fitting, len(shown)),
            "order": list(shown),
            "threads": {str(number): thread for number, thread in shown.items()},
        }

    def clock(self) -> list[float]:
        """The emulator's time, seconds since the epoch, and how fast it goes."""
        return [round(self._world.clock.now(), 3), self._world.clock.speed]

    def _follow(self, answered: list[Entry]) -> dict[int, dict[str, Any]]:
        """Bring the threads forward whose messages are new or were changed since; give those to be shown, the latest first."""
        known = self._survey.value
        touched = (*self._added(known), *_changed(self._world, answered))
        for message in sorted(touched, key=attrgetter("updated_at")):
            if self._wanted.fits(message):
                known.recent.pop(message.thread, None)
                known.recent[message.thread] = None
        for number in list(known.recent)[:-THREADS]:
            del known.recent[number]
        found = {number: _thread(known.threads.get(number, []), self._wanted) for number in reversed(known.recent)}
        return {number: thread for number, thread in found.items() if thread}

    def _added(self, known: Survey) -> list[Message]:
        """Messages that came since the survey, oldest first; they belong to it from now on."""
        messages = self._world.messages
        added = list(islice(reversed(messages.values()), max(0, len(messages) - known.seen)))[::-1]
        for message in added:
            known.threads.setdefault(message.thread, []).append(message)
        known.seen += len(added)
        return added


def _changed(world: World, answered: list[Entry]) -> list[Message]:
    """Messages that were updated."""
    done = (entry.message for entry in answered if entry.method == "PATCH" and entry.status == 200)
    return [world.messages[about] for about in done if about in world.messages]


def _thread(messages: list[Message], wanted: Wanted) -> dict[str, Any] | None:
    """A thread with those of its messages that are wanted, and the latest others; None if nothing of it is wanted."""
    latest = messages[-LATEST:]
    chosen = heapq.nlargest(MESSAGES, reversed(latest), key=lambda message: (wanted.fits(message), message.updated_at))
    if not chosen or not wanted.fits(chosen[0]):
        return None
    shown = set(map(id, chosen))
    customer = chosen[0].customer
    return {
        "customer": customer["name"],
        "number": customer["deliveryIdentifier"]["value"],
        "at": max(message.updated_at for message in chosen),
        "more": len(messages) - len(chosen),
        "messages": [_message(message) for message in latest if id(message) in shown],
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


def _quota(world: World, install: Install, now: float) -> dict[str, Any]:
    """How much of its window and its day an app has used in a portal; a limit of None is none."""
    most = quota.limit(world)
    return {
        "app": install.app.app_id,
        "portal": install.portal.id,
        "used": most - quota.remaining(world, install),
        "limit": None if most == quota.NO_LIMIT else most,
        "day_used": install.portal.used_today(now),
        "day_limit": quota.daily(world) or None,
    }


def describe(placed: Placed) -> dict[str, Any]:
    """A fault in words, and how many calls it will still spoil, None for any number."""
    fault = placed.fault
    status = ANSWERS[fault.answer].status if fault.answer else fault.status
    does = {"before": "closes the connection of", "half": "sends half the answer to"}.get(fault.drop or "")
    does = does or (f"answers {status} to" if fault.answers else "answers")
    share, every = ("", "any") if fault.rate is None else (f"{100 * fault.rate:g} % of ", "all")
    calls = f"{share}{fault.method or every} calls" + (f" to …{fault.path}…" if fault.path else "")
    about = f" about {fault.message_id}" if fault.message_id else ""
    more = [
        _lasting(fault.duration, " after {:g} s", " late"),
        _lasting(fault.spread, ", its body within {:g} s", ", its body slowly"),
        f", revokes {REVOKED[fault.revoke]} first" if fault.revoke else "",
        f", which can be read {fault.lag:g} s later" if fault.lag else "",
        ", which are done all the same" if fault.apply else "",
    ]
    return {"text": f"{does} {calls}{about}{''.join(more)}", "times": placed.left}


def _lasting(said: Duration, fixed: str, drawn: str) -> str:
    """How long something takes, in words; nothing for no time."""
    if said.is_drawn:
        return drawn
    (seconds,) = said.numbers
    return fixed.format(seconds) if seconds else ""
