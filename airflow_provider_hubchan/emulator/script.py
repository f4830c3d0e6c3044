"""The script: faults in the order they were added, how often each has struck, and which one strikes a call."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any, NamedTuple

from airflow_provider_hubchan.emulator.faults import Fault
from airflow_provider_hubchan.emulator.shapes import Call
from airflow_provider_hubchan.emulator.world import World


class Strike(NamedTuple):
    """A fault that strikes a call.

    :param delay: seconds before the answer.
    :param trickle: seconds that its body takes.
    :param left: seconds of the emulator's clock until the fault is over, None if it has no end.
    """

    fault: Fault
    delay: float
    trickle: float
    left: float | None


@dataclass(eq=False)
class Placed:
    """A fault in its place in the script.

    :param number: 1 for the first; with the seed it decides what is left to chance.
    :param spec: the fault as it was given.
    :param added_at: the emulator's time.
    :param seen: calls that fitted, and were not struck by an earlier fault.
    :param struck: calls that it has struck.
    :param tries: how often each method and path has come, if something is left to chance.
    """

    number: int
    spec: dict[str, Any]
    fault: Fault
    added_at: float
    seen: int = 0
    struck: int = 0
    tries: dict[str, int] = field(default_factory=dict)

    @property
    def left(self) -> int | None:
        """How many calls it will strike yet, None for any number."""
        return None if self.fault.most is None else self.fault.most - self.struck

    def as_json(self) -> dict[str, Any]:
        """The fault as it was given, and what is left of it."""
        return {**self.spec, "id": self.number, "struck": self.struck, "left": self.left}

    def is_over(self, now: float) -> bool:
        """True if it will never strike again."""
        return self.left == 0 or (self.fault.until is not None and now - self.added_at >= self.fault.until)

    def strike(self, call: Call, world: World, now: float) -> Strike | None:
        """Strike this call, or leave it alone."""
        fault = self.fault
        if now - self.added_at < fault.since or not fault.fits(call, world):
            return None
        self.seen += 1
        if self.seen <= fault.after:
            return None
        chance = self._chance(call, world.settings.seed) if fault.is_drawn else None
        if chance and fault.rate is not None and chance.random() >= fault.rate:
            return None
        self.struck += 1
        left = None if fault.until is None else self.added_at + fault.until - now
        return Strike(fault, fault.duration.draw(chance), fault.spread.draw(chance), left)

    def _chance(self, call: Call, seed: int) -> Random:
        """What is drawn for a call hangs on which try of its method and path it is, and on no other call."""
        key = f"{call.method} {call.path}"
        self.tries[key] = tried = self.tries.get(key, 0) + 1
        return Random(f"{seed}/{self.number}/{key}/{tried}")


class Script:
    """The first fault that strikes a call is used; those for one message come before the others.

    :ivar last: the highest number that was given.
    """

    def __init__(self) -> None:
        self._all: dict[int, Placed] = {}
        self._others: list[Placed] = []
        self._of_message: dict[str, list[Placed]] = {}
        self.last = 0
        self._lock = threading.Lock()  # a test adds and clears while the server's thread looks for the next

    def __iter__(self) -> Iterator[Placed]:
        """All faults, those that are over too."""
        return iter(list(self._all.values()))

    def add(self, spec: Any, now: float) -> Placed:
        """Add a fault.

        :param now: the emulator's time.
        :raises ValueError: everything that is wrong with it.
        """
        (placed,) = self.add_all([spec], now)
        return placed

    def add_all(self, specs: Iterable[Any], now: float) -> list[Placed]:
        """Add several faults, or none if one of them is wrong.

        :raises ValueError: everything that is wrong with any of them.
        """
        listed, faults, wrong = list(specs), list[Fault](), list[str]()
        for place, spec in enumerate(listed, 1):
            try:
                faults.append(Fault.read(spec))
            except ValueError as error:
                wrong.append(f"fault {place}: {error}" if len(listed) > 1 else str(error))
        if wrong:
            raise ValueError("; ".join(wrong))
        with self._lock:
            return [self._put(Placed(self.last + 1, spec, fault, now)) for spec, fault in zip(listed, faults, strict=True)]

    def place(self, placed: Placed) -> Placed:
        """Put a fault after the others."""
        with self._lock:
            return self._put(placed)

    def take(self, call: Call, world: World) -> Strike | None:
        """Strike a call, if there is a fault for it."""
        if not self._others and not self._of_message:
            return None
        now, about = world.clock.now(), call.message
        with self._lock:
            of_message = self._of_message.get(about[1]) if about else None
            return (of_message and _struck(of_message, call, world, now)) or _struck(self._others, call, world, now)

    def remove(self, number: int) -> None:
        """Take a fault out.

        :raises ValueError: there is none with this number.
        """
        with self._lock:
            if number not in self._all:
                raise ValueError(f"there is no fault {number}; there are {', '.join(map(str, self._all)) or 'none'}")
            placed = self._all.pop(number)
            if placed in (shelf := self._shelf(placed)):  # not if it is over
                shelf.remove(placed)

    def clear(self) -> None:
        """Forget every fault; the next one is the first again."""
        with self._lock:
            self._all.clear()
            self._others.clear()
            self._of_message.clear()
            self.last = 0

    def _put(self, placed: Placed) -> Placed:
        self.last = max(self.last, placed.number)
        self._all[placed.number] = placed
        self._shelf(placed).append(placed)
        return placed

    def _shelf(self, placed: Placed) -> list[Placed]:
        about = placed.fault.message_id
        return self._others if about is None else self._of_message.setdefault(about, [])


def _struck(shelf: list[Placed], call: Call, world: World, now: float) -> Strike | None:
    """The first strike; what is over is taken from the shelf on the way."""
    over, strike = list[Placed](), None
    for placed in shelf:
        if placed.is_over(now):
            over.append(placed)
        elif strike := placed.strike(call, world, now):
            if placed.is_over(now):
                over.append(placed)
            break
    for placed in over:
        shelf.remove(placed)
    return strike
