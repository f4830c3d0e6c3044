"""What a fault is: which calls it spoils, when, and how."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from typing import Any

from airflow_provider_hubchan.emulator.answers import ANSWERS
from airflow_provider_hubchan.emulator.delays import Duration
from airflow_provider_hubchan.emulator.faultcheck import slips
from airflow_provider_hubchan.emulator.named import EVERYTHING
from airflow_provider_hubchan.emulator.shapes import Call
from airflow_provider_hubchan.emulator.world import World

MESSAGES = "/conversations/"


@dataclass
class Fault:
    """One fault. A call that it strikes is answered by it instead of by the contract.

    :param times: how many calls it strikes, or ``always``; by default 1, but always with *rate*, *until* or *younger*.
    :param message_id: only calls about this message.
    :param method: only calls with this method.
    :param path: only calls whose path holds this text; by default that of its *answer*, or else of the custom-channels
        API, or ``/`` with *portal* or *revoke*.
    :param status: the status to answer with; None to answer as always (after *delay*).
    :param headers: more headers of that answer.
    :param body: its body: JSON, or text (sent as ``text/html``), or None for an empty one.
    :param delay: seconds before the answer, see `Duration`.
    :param drop: close the connection: ``before`` the first byte of the answer, or ``half`` way through it.
    :param apply: True to do what the call asks before the answer is spoiled: the caller cannot know.
    :param answer: the name of an answer of `ANSWERS`, instead of *status* and *body*.
    :param after: so many calls that fit are left alone first.
    :param rate: share of the calls that fit, more than 0, at most 1; which ones is left to chance.
    :param since: seconds of the emulator's clock after the fault was added, from which on it strikes.
    :param until: seconds of the emulator's clock after the fault was added, at which it is over.
    :param portal: only calls with a token of this portal.
    :param younger: only calls about a message that was created less than so many seconds ago.
    :param trickle: seconds that the body takes, in pieces, while status and headers come at once; see `Duration`.
    :param reset: True to close the connection with a reset (RST); *drop* says when.
    :param lag: seconds of the emulator's clock for which an accepted PATCH cannot be read yet.
    :param revoke: ends tokens of the app in the portal, before the answer: ``access``, ``refresh`` or ``both``.
    """

    times: int | str | None = None
    message_id: str | None = None
    method: str | None = None
    path: str | None = None
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    delay: Any = 0.0
    drop: str | None = None
    apply: bool = False
    answer: str | None = None
    after: int = 0
    rate: float | None = None
    since: float = 0.0
    until: float | None = None
    portal: int | None = None
    younger: float | None = None
    trickle: Any = 0.0
    reset: bool = False
    lag: float = 0.0
    revoke: str | None = None

    def __post_init__(self) -> None:
        if wrong := slips(self):
            raise ValueError("; ".join(wrong))
        self.method = self.method and self.method.upper()
        if self.lag and self.method is None:
            self.method = "PATCH"
        self.duration = Duration.read("delay", self.delay)
        self.spread = Duration.read("trickle", self.trickle)
        self.is_drawn = self.rate is not None or self.duration.is_drawn or self.spread.is_drawn
        self._part = self.path if self.path is not None else self._usual_path()

    @classmethod
    def read(cls, spec: Any) -> Fault:
        """A fault of a script.

        :raises ValueError: everything that is wrong with it, and, of unknown keys, those that are known.
        """
        if not isinstance(spec, dict):
            raise ValueError(f"a fault must be an object, not {spec!r}")
        known = [each.name for each in fields(cls)]
        unknown = sorted(str(key) for key in spec if key not in known)
        wrong = [f"a fault has no {', '.join(unknown)}; it has {', '.join(known)}"] if unknown else []
        try:
            fault = cls(**{key: _as_text(key, value) for key, value in spec.items() if key in known})
        except ValueError as error:
            if not unknown or len(spec) > len(unknown):
                wrong.append(str(error))
        if wrong:
            raise ValueError("; ".join(wrong))
        return fault

    @property
    def most(self) -> int | None:
        """How many calls it strikes, None for any number."""
        if isinstance(self.times, int):
            return self.times
        endless = self.times or self.rate is not None or self.until is not None or self.younger is not None
        return None if endless else 1

    @property
    def answers(self) -> bool:
        """True if it has an answer of its own."""
        return self.status is not None or self.answer is not None

    @property
    def applies(self) -> bool:
        """True if the call is done all the same: because the script says so, or to send its true answer, late or in half."""
        return self.apply or (not self.answers and self.drop != "before")

    def fits(self, call: Call, world: World) -> bool:
        """True if this call may be spoiled."""
        return (
            (self.method is None or self.method == call.method)
            and (self.message_id is None or (call.message is not None and call.message[1] == self.message_id))
            and self._part in call.path
            and (self.portal is None or _portal(call, world) == self.portal)
            and (self.younger is None or _age(call, world) < self.younger)
        )

    def _usual_path(self) -> str:
        if self.answer is not None and (path := ANSWERS[self.answer].path):
            return path
        return MESSAGES if self.portal is None and self.revoke is None else EVERYTHING


def _as_text(key: str, value: Any) -> Any:
    """YAML reads ids and header values that are digits as numbers; they are texts all the same."""
    if key == "headers" and isinstance(value, dict):
        return {str(name): str(text) for name, text in value.items()}
    return str(value) if key == "message_id" and isinstance(value, int) and not isinstance(value, bool) else value


def _portal(call: Call, world: World) -> int | None:
    install = world.install_of(call.headers.get("authorization", ""))
    return install.portal.id if install else None


def _age(call: Call, world: World) -> float:
    message = world.messages.get(call.message) if call.message else None
    return world.clock.now() - message.created_at if message else math.inf
