"""Which of some messages have the status that somebody waits for. Asked again and again, but only for those still open.

HubSpot says                                 this message
a wanted status                              is there, and not asked for again
a status of *fail_on*                        cannot get there any more: the wait has failed
another status, or none                      not yet
404                                          not yet, until *unknown_until*; then the wait has failed
RECEIVED                                     is an incoming one, which has no delivery: the wait has failed
a refusal that a retry does not change       the wait has failed
a fault, a throttle, a daily limit           not yet
"""

from __future__ import annotations

import base64
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from airflow_provider_hubchan.client import endpoints
from airflow_provider_hubchan.client.actions import Halt, Story
from airflow_provider_hubchan.client.errors import HubchanError
from airflow_provider_hubchan.client.flow import call
from airflow_provider_hubchan.client.models import Account
from airflow_provider_hubchan.client.patience import Patience
from airflow_provider_hubchan.client.responses import Accepted, Rejected

#: Messages that an error names, and that a result holds.
NAMED, HELD = 20, 1000
_LETTERS = {"SENT": "S", "READ": "R", "FAILED": "F"}
#: The next look is not far: a fault is tried once more, then left to it.
PATIENCE = Patience(tries=2, throttles=5)


class WatchFailed(HubchanError):
    """Waiting is of no use any more; the text names the messages, what HubSpot says of them, and what to do."""


@dataclass(frozen=True)
class Wish:
    """What is waited for.

    :param statuses: any of these will do.
    :param fail_on: with one of these, a message will not get there.
    """

    statuses: tuple[str, ...] = ("SENT", "READ")
    fail_on: tuple[str, ...] = ("FAILED",)


class Watch:
    """The state of one wait.

    :param message_ids: which messages; one that is named twice is one.
    :param needed: how many of them must get there, None for all.
    :param unknown_until: until when a 404 may only mean that HubSpot does not know the message yet, in seconds like those of
        `look`.
    """

    def __init__(
        self, message_ids: Iterable[str], wish: Wish, *, needed: int | None = None, unknown_until: float = 0.0
    ) -> None:
        self.ids, self.wish, self._unknown_until = list(dict.fromkeys(message_ids)), wish, unknown_until
        self.needed = len(self.ids) if needed is None else needed
        self.statuses: dict[str, str] = {}  # as far as they are known, wanted or not
        self._hopeless: dict[str, str] = {}
        self.troubles: Counter[str] = Counter()  # why there was no answer, in the last look

    @property
    def open(self) -> list[str]:
        """Messages still to be asked for."""
        return [each for each in self.ids if self.statuses.get(each) not in self.wish.statuses]

    @property
    def is_done(self) -> bool:
        """True if as many have a wanted status as are to."""
        return len(self.ids) - len(self.open) >= self.needed

    def look(self, account: Account, channel_id: str, now: float) -> Iterator[Story[None]]:
        """The stories of one look: a question for each open message.

        :param now: seconds since the epoch.
        """
        self.troubles.clear()
        for message_id in self.open:
            yield self._ask(account, channel_id, message_id, now)

    def check(self, halt: Halt | None = None) -> None:
        """Say whether waiting is still of use.

        :param halt: why the last look ended early, None if it did not.
        :raises WatchFailed: if it is not.
        """
        if halt and halt.permanent:
            raise WatchFailed(str(halt.problem))
        if self._hopeless:
            named = [f"{each}: {why}" for each, why in list(self._hopeless.items())[:NAMED]]
            more = f"; and {len(self._hopeless) - NAMED:,} more" if len(self._hopeless) > NAMED else ""
            wanted = " or ".join(self.wish.statuses)
            raise WatchFailed(
                f"{len(self._hopeless):,} of {len(self.ids):,} messages will not be {wanted} ({'; '.join(named)}{more})."
            )

    def seen(self) -> str:
        """What is known, as a letter for each message, packed: small enough for any store."""
        letters = "".join(_LETTERS.get(self.statuses.get(each, ""), ".") for each in self.ids)
        return base64.b64encode(zlib.compress(letters.encode())).decode()

    def recall(self, seen: str) -> None:
        """Take over what another watch of the same messages has seen; what is not wanted may have changed, and is not.

        :raises ValueError: if it is of other messages.
        """
        try:
            letters = zlib.decompress(base64.b64decode(seen, validate=True)).decode()
        except zlib.error as fault:
            raise ValueError(str(fault)) from fault
        if len(letters) != len(self.ids):
            raise ValueError(f"{len(letters)} statuses for {len(self.ids)} messages")
        known = {letter: status for status, letter in _LETTERS.items() if status in self.wish.statuses}
        self.statuses |= {each: known[letter] for each, letter in zip(self.ids, letters, strict=True) if letter in known}

    def result(self) -> dict[str, str]:
        """The status of each message that has one, of the first thousand."""
        return {each: self.statuses[each] for each in self.ids[:HELD] if each in self.statuses}

    def counts(self) -> dict[str, int]:
        """How many messages have each status, and how many there are."""
        return {**Counter(self.statuses.values()), "messages": len(self.ids)}

    def __str__(self) -> str:
        there = len(self.ids) - len(self.open)
        troubles = "".join(f"; {count:,} got no answer: {label}" for label, count in self.troubles.most_common(3))
        return f"{there:,} of {len(self.ids):,} messages are {' or '.join(self.wish.statuses)}{troubles}"

    def _ask(self, account: Account, channel_id: str, message_id: str, now: float) -> Story[None]:
        answer = yield from call(endpoints.get_message(account, channel_id, message_id), PATIENCE, account.secrets())
        if isinstance(answer, Accepted):
            self._note(message_id, answer.body)
        elif isinstance(answer, Rejected) and answer.problem.status == 404 and now < self._unknown_until:
            self.troubles["not known yet"] += 1
        elif isinstance(answer, Rejected) or answer.permanent:
            self._hopeless[message_id] = str(answer.problem)
        else:
            self.troubles[answer.problem.label] += 1

    def _note(self, message_id: str, message: dict[str, Any]) -> None:
        said = message.get("status")
        said = said if isinstance(said, dict) else {}
        status = said.get("statusType")
        if status == "RECEIVED":
            self._hopeless[message_id] = "it is an incoming message, RECEIVED: wait for the ids of outbound ones"
            return
        if not isinstance(status, str):
            return
        self.statuses[message_id] = status
        if status in self.wish.fail_on and status not in self.wish.statuses:
            details = said.get("failureDetails")
            why = details.get("errorMessage") if isinstance(details, dict) else None
            self._hopeless[message_id] = f"{status}, {why or 'and HubSpot gives no reason'}"
