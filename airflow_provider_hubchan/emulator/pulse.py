"""How busy it was in the last minute, from the newest entries of the ledger: calls, 429s, and how full the window was."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import islice

from airflow_provider_hubchan.emulator.entry import Entry
from airflow_provider_hubchan.emulator.ledger import Ledger

#: Seconds that are looked back on, and of one beat.
BACK, BEAT = 60.0, 0.5
#: Seconds that calls per second are taken over.
RECENT = 2.0
#: Entries that are read at one look; what else came meanwhile is not told of.
MOST = 20_000
TOO_MANY = 429


@dataclass
class Beat:
    """Half a second of the emulator's time.

    :param calls: that came in it, those for a token included.
    :param refused: how many of them were answered with 429.
    :param used: most calls that counted in the window.
    """

    calls: int = 0
    refused: int = 0
    used: int = 0


class Tail:
    """The newest end of a ledger, which forgets its old entries as it likes."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._last: Entry | None = None

    def new(self) -> list[Entry]:
        """What came since the last look, oldest first."""
        found = []
        for entry in islice(self._ledger.newest(), MOST):
            if entry is self._last:
                break
            found.append(entry)
        if found:
            self._last = found[0]
        return found[::-1]


class Pulse:
    """The beats of the last minute, by number: the number of beats since the epoch."""

    def __init__(self) -> None:
        self.beats: dict[int, Beat] = {}
        self._unanswered: list[Entry] = []
        self._began = False

    def hear(self, entries: list[Entry], now: float, used: int, window: float) -> list[Entry]:
        """Take up what came, and how full the window is; gives the entries that have been answered since the last time.

        :param now: seconds since the epoch by the emulator's clock.
        :param used: calls that count in the window now.
        :param window: seconds of it: what it held before the first look is counted here anew.
        """
        oldest = now - BACK
        for entry in entries:
            if entry.at >= oldest:
                self._beat(entry.at).calls += 1
        waiting = [entry for entry in (*self._unanswered, *entries) if entry.at >= oldest]
        answered = [entry for entry in waiting if entry.status is not None]
        self._unanswered = [entry for entry in waiting if entry.status is None]
        for entry in answered:
            self._beat(entry.at).refused += entry.status == TOO_MANY
        if not self._began:
            self._began = True
            self._look_back(answered, now, window)
        if used:
            latest = self._beat(now)
            latest.used = max(latest.used, used)
        for number in [number for number in self.beats if number < oldest // BEAT]:
            del self.beats[number]
        return answered

    def rate(self, now: float) -> float:
        """Calls per second, lately."""
        latest = int(now // BEAT)
        beats = (self.beats.get(number) for number in range(latest - round(RECENT / BEAT), latest))
        return sum(beat.calls for beat in beats if beat) / RECENT

    @property
    def refused(self) -> int:
        """Calls of the last minute that were answered with 429."""
        return sum(beat.refused for beat in self.beats.values())

    def _beat(self, at: float) -> Beat:
        return self.beats.setdefault(int(at // BEAT), Beat())

    def _look_back(self, answered: list[Entry], now: float, window: float) -> None:
        """How full the window was before anybody looked, as far as the entries tell."""
        change = Counter[int]()
        for entry in answered:
            if entry.status != TOO_MANY and not entry.path.startswith("/oauth"):
                change[int(entry.at // BEAT)] += 1
                change[int((entry.at + window) // BEAT)] -= 1
        used = 0
        for number in range(min(change, default=0), int(now // BEAT) + 1 if change else 0):
            used += change[number]
            if used:
                self.beats.setdefault(number, Beat()).used = used
