"""Poll messages until they have the statuses that somebody waits for. Only those that are still open are asked for.

HubSpot's answer                             this message
a wanted status                              is there, and not asked for again
a status of *fail_on*                        cannot get there any more: the wait has failed
another status, or none                      not yet
404                                          not yet, until *unknown_until*; then the wait has failed
RECEIVED                                     is an incoming one, which has no delivery: the wait has failed
a refusal that a retry does not change       the wait has failed
a transient failure, a rate limit            not yet
none, because the time of the poll is over   not yet

Whatever HubSpot writes into a field, and however long ids are: what is kept of it for errors, logs and XCom is short.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from airflow_provider_hubchan.client import endpoints
from airflow_provider_hubchan.client.actions import Abort, Flow
from airflow_provider_hubchan.client.compressed_text import COUNTED_BEYOND, compress, decompress
from airflow_provider_hubchan.client.error_texts import are, count_of, readable
from airflow_provider_hubchan.client.errors import CallFailed, StatusPollFailed
from airflow_provider_hubchan.client.flow import RetryConfig, request_flow
from airflow_provider_hubchan.client.models import DELIVERED_STATUSES, FAILURE_STATUSES, Account, MessageStatus
from airflow_provider_hubchan.client.responses import Accepted, Rejected, message_status

#: How many messages an error names, and how many characters of them.
MAX_NAMED, MAX_TEXT = 20, 1100
#: How many reasons why there was no answer are told.
MAX_CAUSES = 3
#: How many messages a result has, and how many characters their ids have together: it is a row of Airflow's database.
MAX_RESULTS, MAX_RESULT_IDS = 1000, 100_000
#: Characters that are shown of an id, of HubSpot's words about a message, and of the name of a status that is not known here.
MAX_ID, MAX_REASON, MAX_STATUS = 60, 500, 40
#: How many such statuses are told apart, and what any further one is called.
MAX_OTHER_STATUSES, OTHER_STATUS = 10, "another status"
#: Bytes of such a name at most, with what separates it from the next one.
_MAX_STATUS_BYTES = 4 * MAX_STATUS + 1
#: In a snapshot: no status, a status of those listed behind the codes, and any other one.
_NO_STATUS, _LISTED, _NOT_LISTED = ".", "0123456789", "+"
#: Seconds of the shortest look: one that would have less is the last one.
MIN_LOOK = 1.0
#: Seconds of the last look, which begins when the time is over; with a timeout of 0 it is the only one.
LAST_LOOK = 600.0
#: The next poll is soon: a failure is tried once more, then left to it.
RETRY = RetryConfig(max_attempts=2, max_throttles=5)


@dataclass(frozen=True)
class Target:
    """What is waited for.

    :param statuses: any of these will do.
    :param fail_on: with one of these, a message will not get there.
    """

    statuses: tuple[str, ...] = DELIVERED_STATUSES
    fail_on: tuple[str, ...] = FAILURE_STATUSES


@dataclass(frozen=True)
class Look:
    """The time that one poll has. Every wait ends with a look that begins when its time is over.

    :param seconds: after which it is broken off.
    :param is_last: True if no other one follows.
    """

    seconds: float
    is_last: bool

    @classmethod
    def at(cls, now: float, ends: float) -> Look:
        """The look that begins *now*.

        :param now: seconds since the epoch.
        :param ends: when the wait is over, likewise.
        """
        left = ends - now
        return cls(LAST_LOOK, is_last=True) if left < MIN_LOOK else cls(left, is_last=False)


class StatusPoll:
    """The state of one wait.

    :param message_ids: which messages; one that is named twice is one.
    :param needed: how many messages must get there, None for all.
    :param arrived: how many other messages have got there before: they are not asked for, and count for *needed* and in texts.
    :param unknown_until: until when a 404 may only mean that HubSpot does not know the message yet, in seconds since
        the epoch.
    """

    def __init__(
        self,
        message_ids: Iterable[str],
        target: Target,
        *,
        needed: int | None = None,
        arrived: int = 0,
        unknown_until: float = 0.0,
    ) -> None:
        self.message_ids, self.target, self._unknown_until = list(dict.fromkeys(message_ids)), target, unknown_until
        self._arrived_before = arrived
        self.needed = self.messages if needed is None else needed
        self.statuses: dict[str, str] = {}  # as far as they are known, wanted or not
        self._failed: dict[str, str] = {}  # why a message will not get there
        self._other_statuses: list[str] = []  # that HubSpot may add
        self.unanswered: Counter[str] = Counter()  # why there was no answer, in the last poll

    @property
    def open(self) -> list[str]:
        """Ids of the messages still to be asked for."""
        return [message_id for message_id in self.message_ids if self.statuses.get(message_id) not in self.target.statuses]

    @property
    def messages(self) -> int:
        """How many messages are waited for."""
        return self._arrived_before + len(self.message_ids)

    @property
    def arrived(self) -> int:
        """How many of them have a wanted status."""
        return self.messages - len(self.open)

    @property
    def is_done(self) -> bool:
        """True if as many messages as needed have a wanted status."""
        return self.arrived >= self.needed

    def poll(self, account: Account, channel_id: str, now: float) -> Iterator[Flow[None]]:
        """The flows of one poll: a GET for each open message.

        :param now: seconds since the epoch.
        """
        self.unanswered.clear()
        for message_id in self.open:
            yield self._ask(account, channel_id, message_id, now)

    def check(self, aborted: Abort | None = None) -> None:
        """See whether waiting is still of use.

        :param aborted: why the last poll ended early, None if it did not.
        :raises StatusPollFailed: if it is not, because messages will not get there.
        :raises CallFailed: if it is not, because HubSpot refuses every call.
        """
        if aborted and aborted.permanent:
            raise CallFailed(aborted.problem, permanent=True)
        if self._failed:
            named, length = list[str](), 0
            for message_id, reason in list(self._failed.items())[:MAX_NAMED]:
                text = f"{readable(message_id, MAX_ID)}: {reason}"
                if named and length + len(text) > MAX_TEXT:
                    break
                named.append(text)
                length += len(text)
            left = len(self._failed) - len(named)
            more = f"; and {left:,} more" if left else ""
            wanted = " or ".join(self.target.statuses)
            raise StatusPollFailed(
                f"{len(self._failed):,} of {count_of(self.messages, 'message')} will not be {wanted} "
                f"({'; '.join(named)}{more})."
            )

    def snapshot(self) -> str:
        """The statuses so far, one character for each message, compressed: small enough for any store.

        Behind them are the names of statuses that are not known here: no wait may lose them from its counts.
        """
        codes = "".join(self._code(self.statuses.get(message_id)) for message_id in self.message_ids)
        return compress("\n".join([codes, *self._other_statuses]).encode())

    def restore(self, snapshot: object) -> None:
        """Take over the statuses of a snapshot. The messages that had another than a wanted one are asked for again.

        :raises ValueError: if it is damaged, or of other messages; then nothing is taken over.
        """
        size = len(self.message_ids) + MAX_OTHER_STATUSES * _MAX_STATUS_BYTES + COUNTED_BEYOND
        codes, *others = decompress(snapshot, size).decode().split("\n")
        if len(codes) != len(self.message_ids):
            raise ValueError(f"statuses of {count_of(len(codes), 'message')}, not of {len(self.message_ids):,}")
        names = {status.code: status.value for status in MessageStatus} | {_NOT_LISTED: OTHER_STATUS}
        names |= dict(zip(_LISTED, others, strict=False))
        seen = {message_id: names[code] for message_id, code in zip(self.message_ids, codes, strict=True) if code in names}
        self.merge(seen)

    def merge(self, statuses: Mapping[str, str]) -> None:
        """Take over what somebody else has seen of these messages.

        :param statuses: by message id.
        """
        for message_id, name in statuses.items():
            self.statuses[message_id] = status.value if (status := MessageStatus.parse(name)) else self._other_status(name)

    def result(self) -> dict[str, str]:
        """The status of each message that has one: of the first thousand, and of less if their ids are long."""
        message_ids = self.message_ids[:MAX_RESULTS]
        lengths = accumulate(map(len, message_ids))
        fitting = (message_id for message_id, length in zip(message_ids, lengths, strict=True) if length <= MAX_RESULT_IDS)
        return {message_id: self.statuses[message_id] for message_id in fitting if message_id in self.statuses}

    def counts(self) -> dict[str, int]:
        """How many messages have each status, and how many there are."""
        return {**Counter(self.statuses.values()), "messages": self.messages}

    def causes(self) -> list[tuple[str, int]]:
        """The most frequent reasons why there was no answer in the last poll, short, and how often there was each."""
        return [(readable(label, MAX_ID), count) for label, count in self.unanswered.most_common(MAX_CAUSES)]

    def __str__(self) -> str:
        messages, arrived = self.messages, self.arrived
        of_all = f"{arrived:,} of {count_of(messages, 'message')} {are(1 if arrived == 1 else messages)}"
        unanswered = "".join(f"; {count:,} got no answer: {label}" for label, count in self.causes())
        return f"{of_all} {' or '.join(self.target.statuses)}{unanswered}"

    def _ask(self, account: Account, channel_id: str, message_id: str, now: float) -> Flow[None]:
        answer = yield from request_flow(endpoints.get_message(account, channel_id, message_id), RETRY, account.secrets())
        if isinstance(answer, Accepted):
            self._note(message_id, answer.body)
        elif isinstance(answer, Rejected) and answer.problem.status == 404 and now < self._unknown_until:
            self.unanswered["not found yet"] += 1
        elif isinstance(answer, Rejected) or answer.permanent:
            self._failed[message_id] = readable(str(answer.problem), MAX_REASON)
        else:
            self.unanswered[answer.problem.label] += 1

    def _note(self, message_id: str, message: dict[str, Any]) -> None:
        name, error_message = message_status(message)
        if not isinstance(name, str) or not name:
            return
        status = MessageStatus.parse(name)
        if status is None:
            self.statuses[message_id] = self._other_status(name)
            return
        if status is MessageStatus.RECEIVED:
            self._failed[message_id] = "it is an incoming message, RECEIVED: wait for the ids of outbound ones"
            return
        self.statuses[message_id] = status.value
        if status in self.target.fail_on and status not in self.target.statuses:
            reason = readable(error_message, MAX_REASON).strip() if isinstance(error_message, str) else ""
            self._failed[message_id] = f"{status}, {reason or 'and HubSpot gives no reason'}"

    def _other_status(self, name: str) -> str:
        """What to call a status that is not known here: a short text, and only a few different ones."""
        name = readable(name, MAX_STATUS)
        if name not in self._other_statuses and len(self._other_statuses) < MAX_OTHER_STATUSES and name != OTHER_STATUS:
            self._other_statuses.append(name)
        return name if name in self._other_statuses else OTHER_STATUS

    def _code(self, name: str | None) -> str:
        if name is None:
            return _NO_STATUS
        if status := MessageStatus.parse(name):
            return status.code
        return _LISTED[self._other_statuses.index(name)] if name in self._other_statuses else _NOT_LISTED
