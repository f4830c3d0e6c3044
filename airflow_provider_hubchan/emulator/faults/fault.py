"""One fault: which requests it is for, when, and what it does; and everything that can be wrong with one."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from typing import Any

from airflow_provider_hubchan.emulator.api.http import Request
from airflow_provider_hubchan.emulator.api.webhooks import WebhookRequest
from airflow_provider_hubchan.emulator.faults.catalogue import ANSWERS, ANY_ADDRESS, WEBHOOK_FAULTS
from airflow_provider_hubchan.emulator.faults.durations import Duration
from airflow_provider_hubchan.emulator.model.numbers import is_count, is_number
from airflow_provider_hubchan.emulator.model.world import REVOCABLE, World

#: Part of the path of the requests that a fault is for unless it says otherwise.
CONVERSATIONS = "/conversations/"
#: Keys that a fault of webhooks cannot have.
_OF_REQUESTS = ("method", "status", "headers", "body", "answer", "apply", "drop", "reset", "trickle", "lag", "revoke")


@dataclass
class Fault:
    """One fault. A request that it hits is answered as it says instead of as HubSpot answers.

    :param times: how many requests it hits, or ``always``; by default 1, but always with *rate*, *until* or *younger*.
    :param message_id: only requests about this message.
    :param method: only requests with this method.
    :param path: only requests whose path holds this text; by default that of its *answer*, or else of the custom-channels
        API, or ``/`` with *portal* or *revoke*.
    :param status: the status to answer with; None for the true answer (after *delay*).
    :param headers: more headers of the answer.
    :param body: the body of the answer: JSON, or text (sent as ``text/html``), or None for an empty one.
    :param delay: seconds before the answer, see `Duration`.
    :param drop: close the connection: ``before`` the first byte of the answer, or ``half`` way through it.
    :param apply: True to do what the request asks before the fault happens: the caller cannot know.
    :param answer: the name of an answer of `ANSWERS`, instead of *status* and *body*.
    :param after: how many matching requests are left alone first.
    :param rate: share of the matching requests that are hit at random, more than 0, at most 1.
    :param since: seconds of the emulator's clock after the fault was added, from which on it hits.
    :param until: seconds of the emulator's clock after the fault was added, at which it is over.
    :param portal: only requests with a token of this portal.
    :param younger: only requests about a message that was created less than so many seconds ago.
    :param trickle: seconds that the body takes, in pieces, while status and headers come at once; see `Duration`.
    :param reset: True to close the connection with a reset (RST); *drop* says when.
    :param lag: seconds of the emulator's clock for which an accepted PATCH cannot be read yet.
    :param revoke: ends tokens of the app in the portal, before the answer: ``access``, ``refresh`` or ``both``.
    :param webhook: what happens to a webhook, a name of `WEBHOOK_FAULTS`: the fault hits the webhooks of channels, and no
        request. *delay* is the seconds before it is sent; for ``out-of-order`` the most that it waits for the next one.
    :raises ValueError: names everything that is wrong.
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
    webhook: str | None = None

    def __post_init__(self) -> None:
        if problems := [*_invalid_values(self), *_invalid_durations(self)] or [*_contradictions(self)]:
            raise ValueError("; ".join(problems))
        self.method = self.method and self.method.upper()
        if self.lag and self.method is None:
            self.method = "PATCH"
        self.delay_duration = Duration.parse("delay", self.delay)
        self.trickle_duration = Duration.parse("trickle", self.trickle)
        self.is_random = self.rate is not None or self.delay_duration.is_random or self.trickle_duration.is_random
        self._path_part = self.path if self.path is not None else self._default_path_part()

    @classmethod
    def parse(cls, spec: Any) -> Fault:
        """Read a fault from plain data.

        :raises ValueError: names everything that is wrong; beside unknown keys it lists those that exist.
        """
        if not isinstance(spec, dict):
            raise ValueError(f"a fault must be an object, not {spec!r}")
        keys = [each.name for each in fields(cls)]
        unknown = sorted(str(key) for key in spec if key not in keys)
        problems = [f"a fault has no {', '.join(unknown)}; it has {', '.join(keys)}"] if unknown else []
        try:
            fault = cls(**{key: _number_as_text(key, value) for key, value in spec.items() if key in keys})
        except ValueError as error:
            if not unknown or len(spec) > len(unknown):
                problems.append(str(error))
        if problems:
            raise ValueError("; ".join(problems))
        return fault

    @property
    def max_hits(self) -> int | None:
        """How many requests it hits, None for any number."""
        if isinstance(self.times, int):
            return self.times
        endless = self.times or self.rate is not None or self.until is not None or self.younger is not None
        return None if endless else 1

    @property
    def has_answer(self) -> bool:
        """True if it answers in the place of HubSpot."""
        return self.status is not None or self.answer is not None

    @property
    def applies(self) -> bool:
        """True if the request is done all the same: because *apply* says so, or to send its true answer, late or in half."""
        return self.apply or (not self.has_answer and self.drop != "before")

    def matches(self, request: Request, world: World) -> bool:
        """True if this request may be hit."""
        return (
            (self.webhook is not None) == isinstance(request, WebhookRequest)
            and (self.method is None or self.method == request.method)
            and (self.message_id is None or (request.message is not None and request.message[1] == self.message_id))
            and self._path_part in request.path
            and (self.portal is None or _portal_id(request, world) == self.portal)
            and (self.younger is None or _age(request, world) < self.younger)
        )

    def _default_path_part(self) -> str:
        if self.answer is not None and (path := ANSWERS[self.answer].path):
            return path
        if self.webhook is not None:
            return ""  # of the receiver's URL, which may have no path
        return CONVERSATIONS if self.portal is None and self.revoke is None else ANY_ADDRESS


def fault_spec(fault: Fault) -> dict[str, Any]:
    """A fault as it was given, without how many requests it hits, because what is left of that changes."""
    spec = {}
    for each in fields(fault):
        default = each.default_factory() if callable(each.default_factory) else each.default
        if each.name != "times" and getattr(fault, each.name) != default:
            spec[each.name] = getattr(fault, each.name)
    return spec


def _number_as_text(key: str, value: Any) -> Any:
    """YAML reads ids and header values that are digits as numbers; they are meant as text."""
    if key == "headers" and isinstance(value, dict):
        return {str(name): str(text) for name, text in value.items()}
    is_int = isinstance(value, int) and not isinstance(value, bool)
    return str(value) if key == "message_id" and is_int else value


def _portal_id(request: Request, world: World) -> int | None:
    if isinstance(request, WebhookRequest):
        return request.portal_id
    install = world.install_of(request.authorization)
    return install.portal.id if install else None


def _age(request: Request, world: World) -> float:
    """Seconds since the request's message was created; infinite if it is about none."""
    message = world.messages.get(request.message) if request.message else None
    return world.clock.now() - message.created_at if message else math.inf


#: Which keys must hold what, and what is wrong otherwise.
_CHECKS: tuple[tuple[tuple[str, ...], Callable[[Any], bool], str], ...] = (
    (
        ("message_id", "method", "path", "answer"),
        lambda value: isinstance(value, str | None),
        "{name} is {value!r}, not a text",
    ),
    (("apply", "reset"), lambda value: isinstance(value, bool), "{name} is {value!r}, not true or false"),
    (("since",), is_number, "{name} is {value!r}, not a number of seconds"),
    (
        ("until", "younger", "lag"),
        lambda value: value is None or is_number(value),
        "{name} is {value!r}, not a number of seconds",
    ),
    (
        ("times",),
        lambda value: value is None or value == "always" or is_count(value, 1),
        "{name} must be at least 1, or always; it is {value!r}",
    ),
    (("after",), is_count, "{name} is {value!r}, not a number of calls"),
    (
        ("status",),
        lambda value: value is None or (is_count(value, 200) and value < 600),
        "{name} is {value!r}, not a number from 200 to 599",
    ),
    (("portal",), lambda value: value is None or is_count(value), "{name} is {value!r}, not a number"),
    (
        ("rate",),
        lambda value: value is None or (is_number(value) and 0 < value <= 1),
        "{name} is {value!r}, not a share of more than 0 and at most 1",
    ),
    (("headers",), lambda value: isinstance(value, dict), "{name} is {value!r}, not an object"),
    (("drop",), lambda value: value in (None, "before", "half"), "{name} is {value!r}, not 'before' or 'half'"),
    (("revoke",), lambda value: value in (None, *REVOCABLE), f"{{name}} is {{value!r}}, not one of {', '.join(REVOCABLE)}"),
    (
        ("webhook",),
        lambda value: value is None or (isinstance(value, str) and value in WEBHOOK_FAULTS),
        f"{{name}} is {{value!r}}, not one of {', '.join(WEBHOOK_FAULTS)}",
    ),
    (
        ("answer",),
        lambda value: not isinstance(value, str) or value in ANSWERS,
        f"there is no answer {{value!r}}; there are {', '.join(ANSWERS)}",
    ),
)


def _invalid_values(fault: Fault) -> Iterator[str]:
    for names, is_allowed, problem in _CHECKS:
        for name in names:
            value = getattr(fault, name)
            if not is_allowed(value):
                yield problem.format(name=name, value=value)


def _invalid_durations(fault: Fault) -> Iterator[str]:
    for name in ("delay", "trickle"):
        try:
            Duration.parse(name, getattr(fault, name))
        except ValueError as error:
            yield str(error)


def _contradictions(fault: Fault) -> Iterator[str]:
    """Keys that cannot be together. Every value is valid by itself."""
    given = [name for name in ("status", "body", "answer") if getattr(fault, name) is not None]
    if fault.answer is not None and len(given) > 1:
        yield f"answer {fault.answer!r} has its own {' and '.join(name for name in given if name != 'answer')}"
    if not fault.has_answer and (fault.body is not None or fault.headers):
        yield "body and headers need a status or an answer"
    if fault.drop == "before" and (fault.has_answer or fault.trickle):
        yield "drop 'before' sends nothing: no status, answer or trickle with it; apply does what the call asks"
    if fault.reset and fault.drop is None:
        yield "reset needs drop, which says when"
    if fault.lag and (not fault.applies or (fault.method or "PATCH").upper() != "PATCH"):
        yield "lag is of a PATCH that is accepted: method PATCH, and apply if the answer is another"
    if fault.until is not None and fault.until <= fault.since:
        yield f"until ({fault.until}) is not after since ({fault.since})"
    if not (fault.has_answer or fault.delay or fault.trickle or fault.drop or fault.lag or fault.revoke or fault.webhook):
        yield "a fault must do something: status, answer, delay, trickle, drop, lag, revoke or webhook"
    if fault.webhook is not None:
        yield from _contradictions_of_webhook(fault)


def _contradictions_of_webhook(fault: Fault) -> Iterator[str]:
    """Keys that a fault of webhooks cannot have, because they are about requests and their answers."""
    given = [name for name in _OF_REQUESTS if getattr(fault, name)]
    if given:
        yield f"webhook {fault.webhook!r} is about what HubSpot sends, which has no {', '.join(given)}"
    if fault.webhook == "late" and not fault.delay:
        yield "webhook 'late' needs delay: how many seconds"
