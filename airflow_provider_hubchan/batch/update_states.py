"""Where each update of a batch stands, one byte for each; and what of it a retry needs.

A retry needs to know which updates are done, exactly, and how many of them ended in which way; in which way each one ended it
need not know, for the rows that were not updated are in the dead letters. One bit for each update tells what is done. These
bits are long runs of ones with a few gaps (what is in flight, what is to be tried again), whatever the outcomes are, so they
are a few hundred bytes when compressed, for millions of updates.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from airflow_provider_hubchan.batch.report import OTHER_REASONS
from airflow_provider_hubchan.client.compressed_text import compress, decompress
from airflow_provider_hubchan.client.error_texts import count_of
from airflow_provider_hubchan.client.models import Outcome, Result

#: How an update is done: its result and the label of the problem, or for *updated* the number of the try as a text.
Kind = tuple[Result, str]
#: Kinds that are told apart, but for those of `OTHER_REASONS`; and tries.
MAX_KINDS, MAX_TRIES = 240, 100

_OPEN = 0
#: Done in an earlier try; then those that are not done: an answer that decides nothing yet, no final answer, to be tried again.
_DONE_EARLIER, _HELD, _UNRESOLVED, _RETRY_LATER = 252, 253, 254, 255
_IS_DONE = bytes(int(0 < code <= _DONE_EARLIER) for code in range(256))
_IS_DONE_EARLIER = bytes(code if code == _DONE_EARLIER else 0 for code in range(256))
_WITHOUT_OUTCOME = bytes(int(code in (_OPEN, _HELD, _RETRY_LATER)) for code in range(256))
_TO_DIGIT = bytes(ord("1") if done else ord("0") for done in _IS_DONE)
_FROM_DIGIT = bytes(_DONE_EARLIER if code == ord("1") else _OPEN for code in range(256))


@dataclass(frozen=True)
class DoneUpdates:
    """What is done of the first updates of a batch.

    :param taken: how many updates that is.
    :param bits: a bit for each of them, 1 if it is done: compressed, as a text.
    :param counts: how many of them are done in which way.
    """

    taken: int
    bits: str
    counts: Counter[Kind]

    @property
    def total(self) -> int:
        """How many updates are done."""
        return self.counts.total()

    def results(self) -> dict[str, int]:
        """How many updates are done with each result."""
        counts = {"updated": 0, "skipped": 0, "rejected": 0}
        for (result, _), count in self.counts.items():
            counts[result] += count
        return counts

    def digits(self) -> bytes:
        """The bits unpacked, ``1`` or ``0`` for each update.

        :raises ValueError: if there are not as many, or not as many of them are done as *counts* says.
        """
        size = (self.taken + 7) // 8
        packed = decompress(self.bits, size)
        number = int.from_bytes(packed, "big")
        if len(packed) != size or number >> self.taken:
            raise ValueError(f"bits that are not those of {count_of(self.taken, 'update')}")
        digits = f"{number:0{self.taken}b}".encode() if self.taken else b""
        if digits.count(b"1") != self.total:
            raise ValueError(f"{count_of(digits.count(b'1'), 'update')} done, and {self.total:,} counted")
        return digits


class UpdateStates:
    """Where each update of a batch stands, by its position from 0.

    :param size: updates in the batch.
    :ivar not_durable: positions of updates that are done and have a dead letter which could still be lost.
    """

    def __init__(self, size: int) -> None:
        self._codes = bytearray(size)
        self._kinds: dict[Kind, int] = {}  # their codes, from 1
        self._earlier = Counter[Kind]()  # those done in earlier tries
        self.not_durable: list[int] = []

    def record(self, position: int, outcome: Outcome, try_number: int) -> None:
        """Note an outcome.

        :param try_number: number of the task's try, from 1.
        """
        if outcome.result == "unresolved":
            self._codes[position] = _UNRESOLVED
            return
        if outcome.result == "updated":
            kind = updated_in(try_number)
        else:
            self.not_durable.append(position)  # twice, perhaps, after an exception: that changes nothing
            kind = outcome.result, outcome.problem.label if outcome.problem else ""
        self._codes[position] = self._code_of(kind)

    def is_open(self, position: int) -> bool:
        """True if there is no outcome yet."""
        return self._codes[position] == _OPEN

    def without_outcome(self) -> bytearray:
        """1 for each update that has no outcome yet, 0 for each that has one, in their order."""
        return self._codes.translate(_WITHOUT_OUTCOME)

    @property
    def has_updated(self) -> bool:
        """True if HubSpot has accepted an update, in this try or in an earlier one."""
        return any(result == "updated" for result, _ in (*self._kinds, *self._earlier))

    def hold(self, position: int) -> None:
        """Note that there is an answer, which says nothing of the update yet: it is not to be sent again in this try."""
        self._codes[position] = _HELD

    def retry_later(self, position: int) -> None:
        """Leave an update for the end of the batch: HubSpot may know its message then."""
        self._codes[position] = _RETRY_LATER

    def is_retried_later(self, position: int) -> bool:
        """True if it was left for the end of the batch."""
        return self._codes[position] == _RETRY_LATER

    @property
    def retry_later_count(self) -> int:
        """How many updates were left for the end of the batch."""
        return self._codes.count(_RETRY_LATER)

    def take_over(self, done: DoneUpdates) -> None:
        """Note what earlier tries have done.

        :raises ValueError: if that is damaged, or of a longer batch; then nothing is noted.
        """
        if done.taken > len(self._codes):
            raise ValueError(f"{count_of(done.taken, 'update')} taken, of {len(self._codes):,}")
        self._codes[: done.taken] = done.digits().translate(_FROM_DIGIT)
        self._earlier = done.counts

    def done(self, taken: int, max_length: int) -> tuple[DoneUpdates, int]:
        """What is done of the first *taken* updates, but for those whose dead letters could still be lost.

        If the bits would be longer than *max_length* characters, the last of what this try has done is left out. What earlier
        tries have done stays: it did fit.

        :return: that, and how many updates were left out.
        """
        codes = self._codes[:taken]
        for position in self.not_durable:
            codes[position] = _OPEN
        in_all, end = codes.translate(_IS_DONE).count(1), taken
        while len(bits := _pack(codes)) > max_length and end:
            end = int(end * 0.9 * max_length / len(bits))
            codes[end:] = codes[end:].translate(_IS_DONE_EARLIER)
        counts = self._earlier + Counter({kind: codes.count(code) for kind, code in self._kinds.items()})
        return DoneUpdates(taken, bits, counts), in_all - counts.total()

    def _code_of(self, kind: Kind) -> int:
        if kind not in self._kinds and len(self._kinds) >= MAX_KINDS and kind[0] != "updated":
            kind = (kind[0], OTHER_REASONS)
        return self._kinds.setdefault(kind, len(self._kinds) + 1)


def updated_in(try_number: int) -> Kind:
    """The kind of the updates that HubSpot accepted in a try.

    :param try_number: number of the task's try, from 1; beyond `MAX_TRIES` they are not told apart.
    """
    return "updated", str(min(try_number, MAX_TRIES))


def _pack(codes: bytearray) -> str:
    digits = b"0" + codes.translate(_TO_DIGIT)  # at least one
    return compress(int(digits, 2).to_bytes((len(codes) + 7) // 8, "big"))
