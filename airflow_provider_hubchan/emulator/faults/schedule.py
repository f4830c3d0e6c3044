"""The faults that were added, in their order: how many requests each has hit, and which of them hits the next one."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import yaml

from airflow_provider_hubchan.emulator.api.http import Request
from airflow_provider_hubchan.emulator.api.webhooks import WebhookRequest
from airflow_provider_hubchan.emulator.faults.fault import Fault
from airflow_provider_hubchan.emulator.model.world import World


class Hit(NamedTuple):
    """A fault that hits a request or a webhook, with what was drawn for it.

    :param delay: seconds before the answer, or before the webhook is sent.
    :param trickle: seconds that its body takes.
    :param seconds_left: seconds of the emulator's clock until the fault is over, None if it has no end.
    """

    fault: Fault
    delay: float
    trickle: float
    seconds_left: float | None


@dataclass(eq=False)
class ScheduledFault:
    """A fault in its place in the schedule.

    :param number: 1 for the first; together with the seed it decides what is random.
    :param spec: the fault as it was given.
    :param added_at: when it was added: seconds since the epoch by the emulator's clock.
    :param seen: matching requests that no earlier fault has hit.
    :param struck: requests that it has hit.
    :param tries: how often each method and path has come, if something is random.
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
        """How many more requests it will hit, None for any number."""
        return None if self.fault.max_hits is None else self.fault.max_hits - self.struck

    def as_json(self) -> dict[str, Any]:
        """The fault as it was given, with its number as ``id``, how many requests it has hit, and how many are left."""
        return {**self.spec, "id": self.number, "struck": self.struck, "left": self.left}

    def is_over(self, now: float) -> bool:
        """True if it will never hit a request again."""
        return self.left == 0 or (self.fault.until is not None and now - self.added_at >= self.fault.until)

    def hit(self, request: Request, world: World, now: float) -> Hit | None:
        """Hit this request, or leave it alone and return None."""
        fault = self.fault
        if now - self.added_at < fault.since or not fault.matches(request, world):
            return None
        self.seen += 1
        if self.seen <= fault.after:
            return None
        rng = self._rng(request, world.settings.seed) if fault.is_random else None
        if rng and fault.rate is not None and rng.random() >= fault.rate:
            return None
        self.struck += 1
        seconds_left = None if fault.until is None else self.added_at + fault.until - now
        return Hit(fault, fault.delay_duration.draw(rng), fault.trickle_duration.draw(rng), seconds_left)

    def _rng(self, request: Request, seed: int) -> Random:
        """What is drawn for a request depends on which try of its method and path it is, and on no other request.

        For a webhook it depends on which one of its channel it is: the ids of agents' messages are random.
        """
        key = f"{request.method} {request.path}"
        if isinstance(request, WebhookRequest):
            key = f"webhook {request.message[0]}"
        self.tries[key] = tries = self.tries.get(key, 0) + 1
        return Random(f"{seed}/{self.number}/{key}/{tries}")


class Schedule:
    """The faults in the order they were added. The first that hits a request is used; those for one message come first.

    :ivar last_number: the highest number that was given.
    """

    def __init__(self) -> None:
        self._all: dict[int, ScheduledFault] = {}
        self._for_any_message: list[ScheduledFault] = []
        self._for_one_message: dict[str, list[ScheduledFault]] = {}
        self.last_number = 0
        self._lock = threading.Lock()  # a test adds and clears while the server's thread looks for the next

    def __iter__(self) -> Iterator[ScheduledFault]:
        """All faults, also those that are over."""
        return iter(list(self._all.values()))

    def add(self, spec: Any, now: float) -> ScheduledFault:
        """Add a fault.

        :param now: seconds since the epoch by the emulator's clock.
        :raises ValueError: names everything that is wrong with it.
        """
        (scheduled,) = self.add_all([spec], now)
        return scheduled

    def add_all(self, specs: Iterable[Any], now: float) -> list[ScheduledFault]:
        """Add several faults, or none if one of them is wrong.

        :param now: seconds since the epoch by the emulator's clock.
        :raises ValueError: names everything that is wrong with any of them.
        """
        specs, faults, problems = list(specs), list[Fault](), list[str]()
        for place, spec in enumerate(specs, 1):
            try:
                faults.append(Fault.parse(spec))
            except ValueError as error:
                problems.append(f"fault {place}: {error}" if len(specs) > 1 else str(error))
        if problems:
            raise ValueError("; ".join(problems))
        with self._lock:
            return [
                self._put(ScheduledFault(self.last_number + 1, spec, fault, now))
                for spec, fault in zip(specs, faults, strict=True)
            ]

    def put(self, scheduled: ScheduledFault) -> ScheduledFault:
        """Put a fault with all its counts after the others."""
        with self._lock:
            return self._put(scheduled)

    def next_hit(self, request: Request, world: World) -> Hit | None:
        """Hit a request with the first fault that is for it; None if there is none."""
        if not self._for_any_message and not self._for_one_message:
            return None
        now, message = world.clock.now(), request.message
        with self._lock:
            of_message = self._for_one_message.get(message[1], []) if message else []
            return _first_hit(of_message, request, world, now) or _first_hit(self._for_any_message, request, world, now)

    def remove(self, number: int) -> None:
        """Remove a fault.

        :raises ValueError: there is none with this number.
        """
        with self._lock:
            if number not in self._all:
                raise ValueError(f"there is no fault {number}; there are {', '.join(map(str, self._all)) or 'none'}")
            scheduled = self._all.pop(number)
            if scheduled in (faults := self._list_of(scheduled)):  # not if it is over
                faults.remove(scheduled)

    def clear(self) -> None:
        """Remove every fault; the next one gets the number 1 again."""
        with self._lock:
            self._all.clear()
            self._for_any_message.clear()
            self._for_one_message.clear()
            self.last_number = 0

    def _put(self, scheduled: ScheduledFault) -> ScheduledFault:
        self.last_number = max(self.last_number, scheduled.number)
        self._all[scheduled.number] = scheduled
        self._list_of(scheduled).append(scheduled)
        return scheduled

    def _list_of(self, scheduled: ScheduledFault) -> list[ScheduledFault]:
        message_id = scheduled.fault.message_id
        return self._for_any_message if message_id is None else self._for_one_message.setdefault(message_id, [])


def read_faults(path: str | os.PathLike[str]) -> list[Any]:
    """The specs of the faults in a YAML or JSON file: a list, or an object whose only key ``faults`` holds one.

    :raises ValueError: it cannot be read, or is something else. The specs themselves are not checked.
    """
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ValueError(f"{path} cannot be read as YAML or JSON: {error}") from error
    specs = content["faults"] if isinstance(content, dict) and list(content) == ["faults"] else content
    if not isinstance(specs, list):
        raise ValueError(f"{path} must hold a list of faults, or an object with nothing but the key faults")
    return specs


def _first_hit(faults: list[ScheduledFault], request: Request, world: World, now: float) -> Hit | None:
    """The first hit; faults that are over are taken out of the list on the way."""
    over, hit = list[ScheduledFault](), None
    for scheduled in faults:
        if scheduled.is_over(now):
            over.append(scheduled)
        elif hit := scheduled.hit(request, world, now):
            if scheduled.is_over(now):
                over.append(scheduled)
            break
    for scheduled in over:
        faults.remove(scheduled)
    return hit
