"""What became of each update of a batch, in one byte: small enough to be kept between the tries of a task."""

from __future__ import annotations

import base64
import zlib

from airflow_provider_hubchan.batch.rows import Result

#: What a try may have done with an update so that the next one leaves it alone, and the tries that are told apart.
KINDS: tuple[Result, ...] = ("updated", "rejected", "skipped")
TRIES = 80
#: Not done, but spoken for: by this try's report, or by the end of the batch, when messages may be known that are not yet.
_UNRESOLVED, _YOUNG = 254, 255
_FORGET = bytes(each if each < _UNRESOLVED else 0 for each in range(256))


class Marks:
    """One mark for each update, by its place in the batch, from 0. A place without a mark is still to be sent.

    :param size: updates in the batch.
    """

    def __init__(self, size: int) -> None:
        self._marks = bytearray(size)

    def set(self, place: int, result: Result, attempt: int) -> None:
        """Note an outcome.

        :param attempt: number of the try, from 1.
        """
        kind = KINDS.index(result) if result in KINDS else None
        self._marks[place] = _UNRESOLVED if kind is None else 1 + kind * TRIES + min(attempt, TRIES) - 1

    def get(self, place: int) -> tuple[Result, int] | None:
        """What a try did with an update, and which; None if nothing that would last."""
        mark = self._marks[place] - 1
        return (KINDS[mark // TRIES], mark % TRIES + 1) if 0 <= mark < len(KINDS) * TRIES else None

    def is_open(self, place: int) -> bool:
        """True if nothing is said of it."""
        return self._marks[place] == 0

    def postpone(self, place: int) -> None:
        """Leave an update for the end of the batch: its message is young."""
        self._marks[place] = _YOUNG

    def is_young(self, place: int) -> bool:
        """True if it was postponed."""
        return self._marks[place] == _YOUNG

    @property
    def young(self) -> int:
        """How many were postponed."""
        return self._marks.count(_YOUNG)

    def pack(self, most: int) -> str:
        """All that lasts, as text of at most so many characters; what does not fit is forgotten, and sent again."""
        done = self._marks.translate(_FORGET).rstrip(b"\0")
        while len(text := base64.b64encode(zlib.compress(done)).decode()) > most:
            done = done[: int(len(done) * 0.9 * most / len(text))]
        return text

    def unpack(self, text: str) -> None:
        """Take over what another try packed.

        :raises ValueError: if it is no such text, or of a longer batch.
        """
        try:
            done = zlib.decompress(base64.b64decode(text, validate=True))
        except zlib.error as fault:
            raise ValueError(str(fault)) from fault
        if len(done) > len(self._marks):
            raise ValueError(f"{len(done)} marks for {len(self._marks)} updates")
        self._marks[: len(done)] = done
