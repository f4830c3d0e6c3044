"""Scripted faults: what the local HubSpot does wrong, to whom and how often."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from airflow_provider_hubchan.emulator.shapes import Call


@dataclass
class Fault:
    """One fault. A call that it fits is answered by it instead of by the contract.

    :param times: how many calls it spoils.
    :param message_id: only calls about this message.
    :param method: only calls with this method.
    :param path: only calls whose path holds this text; by default those of the custom-channels API.
    :param status: the status to answer with; None to answer as always (after *delay*).
    :param headers: more headers of that answer.
    :param body: its body: JSON, or text (sent as ``text/html``), or None for an empty one.
    :param delay: seconds before the answer.
    :param drop: close the connection: ``before`` the first byte of the answer, or ``half`` way through it.
    :param apply: True to do what the call asks before the answer is spoiled: the caller cannot know.
    """

    times: int = 1
    message_id: str | None = None
    method: str | None = None
    path: str = "/conversations/"
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    delay: float = 0.0
    drop: str | None = None
    apply: bool = False

    def __post_init__(self) -> None:
        if self.drop not in (None, "before", "half"):
            raise ValueError(f"drop is {self.drop!r}, not 'before' or 'half'")
        if self.times < 1:
            raise ValueError("times must be at least 1")

    @property
    def applies(self) -> bool:
        """True if the call is done all the same: because the script says so, or to send its true answer, late or in half."""
        return self.apply or (self.status is None and self.drop != "before")

    def fits(self, call: Call) -> bool:
        """True if this call is to be spoiled."""
        return (
            (self.method is None or self.method == call.method)
            and (self.message_id is None or (call.message is not None and call.message[1] == self.message_id))
            and self.path in call.path
        )


class Script:
    """Faults in the order they were added; the first that fits is used, and is gone after its last time."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._of_message: dict[str, list[Fault]] = {}

    def add(self, spec: dict[str, Any]) -> Fault:
        """Add a fault. Unknown keys are an error that names the known ones."""
        known = [each.name for each in fields(Fault)]
        if unknown := sorted(set(spec) - set(known)):
            raise ValueError(f"a fault has no {', '.join(unknown)}; it has {', '.join(known)}")
        fault = Fault(**spec)
        if fault.message_id is None:
            self._faults.append(fault)
        else:
            self._of_message.setdefault(fault.message_id, []).append(fault)
        return fault

    def take(self, call: Call) -> Fault | None:
        """The fault for this call, if there is one."""
        about = call.message
        for faults in (self._of_message.get(about[1], []) if about else [], self._faults):
            for fault in faults:
                if fault.fits(call):
                    fault.times -= 1
                    if not fault.times:
                        faults.remove(fault)
                    return fault
        return None

    def clear(self) -> None:
        """Forget every fault."""
        self._faults.clear()
        self._of_message.clear()
