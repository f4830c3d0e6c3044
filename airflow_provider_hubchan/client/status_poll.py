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
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from airflow_provider_hubchan.client import endpoints
from airflow_provider_hubchan.client.actions import Abort, Flow
from airflow_provider_hubchan.client.compressed_text import COUNTED_BEYOND, compress, decompress
from airflow_provider_hubchan.client.error_texts import are, count_of, readable
from airflow_provider_hubchan.client.errors import StatusPollFailed
from airflow_provider_hubchan.client.flow import RetryConfig, request_flow
from airflow_provider_hubchan.client.models import DELIVERED_STATUSES, FAILURE_STATUSES, Account, MessageStatus
from airflow_provider_hubchan.client.responses import Accepted, Rejected, message_status

#: How many messages an error names, and how many characters of them.
MAX_NAMED, MAX_TEXT = 20, 1100
#: How many messages a result has, and how many characters their ids have together: it is a row of Airflow's database.
MAX_RESULTS, MAX_RESULT_IDS = 1000, 100_000
#: Characters that are shown of an id, of HubSpot's words about a message, and of the name of a status that is not known here.
MAX_ID, MAX_REASON, MAX_STATUS = 60, 500, 40
#: How many such statuses are told apart, and what any further one is called.
MAX_OTHER_STATUSES, OTHER_STATUS = 10, "another status"
#: In a snapshot: no status that is known.
_NO_STATUS = "."
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


class StatusPoll:
    """The state of one wait.

    :param message_ids: which messages; one that is named twice is one.
    :param needed: how many of them must get there, None for all.
    :param unknown_until: until when a 404 may only mean that HubSpot does not know the message yet, in seconds since
        the epoch.
    """

    def __init__(
        self, message_ids: Iterable[str], target: Target, *, needed: int | None = None, unknown_until: float = 0.0
    ) -> None:
        self.message_ids, self.target, self._unknown_until = list(dict.fromkeys(message_ids)), target, unknown_until
        self.needed = len(self.message_ids) if needed is None else needed
        self.statuses: dict[str, str] = {}  # as far as they are known, wanted or not
        self._failed: dict[str, str] = {}  # why a message will not get there
        self._other_statuses: set[str] = set()  # that HubSpot may add
        self.unanswered: Counter[str] = Counter()  # why there was no answer, in the last poll

    @property
    def open(self) -> list[str]:
        """Ids of the messages still to be asked for."""
        return [message_id for message_id in self.message_ids if self.statuses.get(message_id) not in self.target.statuses]

    @property
    def is_done(self) -> bool:
        """True if as many messages as needed have a wanted status."""
        return len(self.message_ids) - len(self.open) >= self.needed

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
        :raises StatusPollFailed: if it is not.
        """
        if aborted and aborted.permanent:
            raise StatusPollFailed(str(aborted.problem))
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
                f"{len(self._failed):,} of {count_of(len(self.message_ids), 'message')} will not be {wanted} "
                f"({'; '.join(named)}{more})."
            )

    def snapshot(self) -> str:
        """The statuses so far, one character for each message, compressed: small enough for any store.

        A status that HubSpot may add is left out. It cannot be a wanted one, so its message is asked for again.
        """
        statuses = (MessageStatus.parse(self.statuses.get(message_id)) for message_id in self.message_ids)
        codes = "".join(status.code if status else _NO_STATUS for status in statuses)
        return compress(codes.encode())

    def restore(self, snapshot: object) -> None:
        """Take over the wanted statuses of a snapshot; the others may have changed since.

        :raises ValueError: if it is damaged, or of other messages; then nothing is taken over.
        """
        codes = decompress(snapshot, len(self.message_ids) + COUNTED_BEYOND).decode()
        if len(codes) != len(self.message_ids):
            raise ValueError(f"statuses of {count_of(len(codes), 'message')}, not of {len(self.message_ids):,}")
        wanted = {status.code: status.value for status in MessageStatus if status in self.target.statuses}
        pairs = zip(self.message_ids, codes, strict=True)
        self.statuses |= {message_id: wanted[code] for message_id, code in pairs if code in wanted}

    def result(self) -> dict[str, str]:
        """The status of each message that has one: of the first thousand, and of less if their ids are long."""
        message_ids = self.message_ids[:MAX_RESULTS]
        lengths = accumulate(map(len, message_ids))
        fitting = (message_id for message_id, length in zip(message_ids, lengths, strict=True) if length <= MAX_RESULT_IDS)
        return {message_id: self.statuses[message_id] for message_id in fitting if message_id in self.statuses}

    def counts(self) -> dict[str, int]:
        """How many messages have each status, and how many there are."""
        return {**Counter(self.statuses.values()), "messages": len(self.message_ids)}

    def __str__(self) -> str:
        messages = len(self.message_ids)
        arrived = messages - len(self.open)
        of_all = f"{arrived:,} of {count_of(messages, 'message')} {are(1 if arrived == 1 else messages)}"
        causes = self.unanswered.most_common(3)
        unanswered = "".join(f"; {count:,} got no answer: {readable(label, MAX_ID)}" for label, count in causes)
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
        if len(self._other_statuses) < MAX_OTHER_STATUSES:
            self._other_statuses.add(name)
        return name if name in self._other_statuses else OTHER_STATUS
