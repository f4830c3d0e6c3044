"""What can be chosen of the local HubSpot: its plan and quota, and each rule that HubSpot does not tell."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import Field, dataclass, field, fields
from typing import Any, cast

#: Requests per 10 seconds for each app and account, and per day for each account, 0 for none (documented).
PLANS = {
    "marketplace": (110, 0),
    "starter": (100, 250_000),
    "professional": (190, 625_000),
    "enterprise": (190, 1_000_000),
    "add-on": (250, 2_000_000),
    "2023": (150, 500_000),  # observed: Professional before 2024; its day was documented then
}


def _rule(default: Any, meaning: str, among: Iterable[str] = (), mark: str = "assumed") -> Any:
    return field(default=default, metadata={"help": meaning, "among": tuple(among), "mark": mark})


@dataclass
class Settings:
    """They may be changed while it runs. A field with the mark *assumed* is a rule that nobody knows; its default is the
    one that hides no mistake of a caller, or else the one that adds no rule to HubSpot's own files.
    """

    channel_id: str = _rule("100200", "id of the channel that the app owns", mark="ours")
    plan: str = _rule("marketplace", "of the app: its quota", PLANS, "documented")
    limit: int | None = _rule(None, "requests per window for each app and account, 0 for none; that of the plan", mark="ours")
    window: float = _rule(10.0, "seconds of the rolling window", mark="documented")
    daily: int | None = _rule(None, "requests per day for each account, 0 for none; that of the plan", mark="ours")
    time_zone: str = _rule("US/Eastern", "of the account: its midnight ends the day", mark="documented")
    foreign: float = _rule(0.0, "share of the quota that another program asks for, evenly, 0 to 1", mark="ours")
    token_limit: int = _rule(10, "calls of the token address per second for each app, 0 for none")
    seed: int = _rule(0, "of everything that is left to chance", mark="ours")
    ledger: int = _rule(200_000, "requests that the ledger keeps, the newest; 0 for none", mark="ours")
    transitions: str = _rule("any", "which status may follow: any, or none after READ", ("any", "forward"))
    repeats: str = _rule("accepted", "the status that a message has already", ("accepted", "refused"))
    error_message_limit: int = _rule(0, "most characters of errorMessage, 0 for any number")
    error_message_with: str = _rule("any", "statuses that errorMessage may come with", ("any", "failed"))
    directions: str = _rule("outgoing", "whose status may be written: outgoing messages, or any", ("outgoing", "any"))
    posts: str = _rule("any", "which messages may be posted: any, or incoming only", ("any", "incoming"))
    duplicates: str = _rule(
        "refused", "a POST with a known integrationIdempotencyId: 409, or the old message", ("refused", "same")
    )
    channel_patches: str = _rule(
        "whole", "a PATCH of a channel: all fields, as in HubSpot's files, or those that change", ("whole", "partial")
    )
    private_apps: str = _rule(
        "specified",
        "where private apps may call custom channels: in 2025-09 and 2026-09, or anywhere",
        ("specified", "anywhere"),
    )
    status_in_reply: bool = _rule(
        True, "whether a PATCH answers with the message's status, which is optional", mark="specified"
    )
    refused_count: bool = _rule(False, "whether calls answered with 429 fill the window, too")
    daily_spares_account_info: bool = _rule(True, "whether account-info is answered when the day is used up")

    def __post_init__(self) -> None:
        self.check()

    @classmethod
    def all(cls) -> dict[str, Field[Any]]:
        """Name and field of each."""
        return {each.name: each for each in fields(cls)}

    def change(self, **chosen: Any) -> None:
        """Choose anew.

        :raises ValueError: a name or a value that is none; nothing is changed then.
        """
        before = dict(vars(self))
        if unknown := sorted(chosen.keys() - before.keys()):
            raise ValueError(f"there is no setting {', '.join(unknown)}; there are {', '.join(before)}")
        type(self)(**before | chosen)  # refuses what cannot be before anybody sees it
        vars(self).update(chosen)

    def check(self) -> None:
        """Name everything that cannot be."""
        faults = []
        for name, each in self.all().items():
            value, default, among = getattr(self, name), cast(Any, each.default), each.metadata["among"]
            if among and value not in among:
                faults.append(f"{name} is {value!r}, not one of {', '.join(among)}")
            elif isinstance(default, bool) and not isinstance(value, bool):
                faults.append(f"{name} is {value!r}, not true or false")
            elif isinstance(default, str) and not isinstance(value, str):
                faults.append(f"{name} is {value!r}, not a text")
            elif not isinstance(default, str | bool) and not _is_size(value, default):
                faults.append(f"{name} is {value!r}, not a number of at least 0")
        if not faults and not self.window > 0:
            faults.append("window must be more than 0")
        if not faults and not self.foreign < 1:
            faults.append("foreign must be less than 1: something has to be left")
        if faults:
            raise ValueError("; ".join(faults))


def _is_size(value: Any, default: float | None) -> bool:
    if value is None or isinstance(value, bool):
        return value is None and default is None
    return isinstance(value, int | float if isinstance(default, float) else int) and 0 <= value < math.inf
