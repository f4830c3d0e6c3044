"""What can be set: the plan and its quota, and each rule that HubSpot does not document."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import Field, dataclass, field, fields
from typing import Any, cast

from airflow_provider_hubchan.emulator.model.numbers import is_count, is_number
from airflow_provider_hubchan.emulator.model.webhook_url import refusal, split_url

#: Requests per 10 seconds for each app and account, and per day for each account, 0 for no limit (documented).
PLANS = {
    "marketplace": (110, 0),
    "starter": (100, 250_000),
    "professional": (190, 625_000),
    "enterprise": (190, 1_000_000),
    "add-on": (250, 2_000_000),
    "2023": (150, 500_000),  # observed: Professional before 2024; its daily limit was documented then
}


def _setting(default: Any, meaning: str, choices: Iterable[str] = (), mark: str = "assumed") -> Any:
    return field(default=default, metadata={"help": meaning, "choices": tuple(choices), "mark": mark})


@dataclass
class Settings:
    """The settings, which may be changed while the emulator runs.

    The mark of a field says where its rule comes from: *ours*, *documented*, *specified* (in HubSpot's OpenAPI files),
    *observed* or *assumed*. Where it is *assumed*, the default is the rule that hides no mistake of a caller, or else the one
    that adds nothing to HubSpot's files.

    :raises ValueError: names every value that is not allowed.
    """

    channel_id: str = _setting("100200", "id of the channel that the app owns", mark="ours")
    plan: str = _setting("marketplace", "of the app: its quota", PLANS, "documented")
    limit: int | None = _setting(
        None, "requests per window for each app and account, 0 for none; that of the plan", mark="ours"
    )
    window: float = _setting(10.0, "seconds of the rolling window", mark="documented")
    daily: int | None = _setting(None, "requests per day for each account, 0 for none; that of the plan", mark="ours")
    time_zone: str = _setting("US/Eastern", "of the account: its midnight ends the day", mark="documented")
    foreign: float = _setting(0.0, "share of the quota that another program asks for, evenly, 0 to 1", mark="ours")
    token_limit: int = _setting(10, "calls of the token address per second for each app, 0 for none")
    seed: int = _setting(0, "of everything that is left to chance", mark="ours")
    ledger: int = _setting(200_000, "requests that the ledger keeps, the newest; 0 for none", mark="ours")
    transitions: str = _setting("any", "which status may follow: any, or none after READ", ("any", "forward"))
    repeats: str = _setting("accepted", "the status that a message has already", ("accepted", "refused"))
    error_message_limit: int = _setting(0, "most characters of errorMessage, 0 for any number")
    error_message_with: str = _setting("any", "statuses that errorMessage may come with", ("any", "failed"))
    directions: str = _setting("outgoing", "whose status may be written: outgoing messages, or any", ("outgoing", "any"))
    posts: str = _setting("any", "which messages may be posted: any, or incoming only", ("any", "incoming"))
    duplicates: str = _setting(
        "refused", "a POST with a known integrationIdempotencyId: 409, or the old message", ("refused", "same")
    )
    channel_patches: str = _setting(
        "whole", "a PATCH of a channel: all fields, as in HubSpot's files, or those that change", ("whole", "partial")
    )
    private_apps: str = _setting(
        "specified",
        "where private apps may call custom channels: nowhere, as in HubSpot's files and guide, or anywhere",
        ("specified", "anywhere"),
        "specified",
    )
    status_in_reply: bool = _setting(
        True, "whether a PATCH answers with the message's status, which is optional", mark="specified"
    )
    refused_count: bool = _setting(False, "whether calls answered with 429 fill the window, too")
    daily_spares_account_info: bool = _setting(True, "whether account-info is answered when the day is used up")
    webhook_hosts: str = _setting(
        "loopback", "hosts that webhooks are sent to: those of this machine, or any", ("loopback", "any"), "ours"
    )
    webhook_via: str = _setting(
        "",
        "scheme, host and port that webhooks are sent to, as a proxy does, in place of those that are signed",
        mark="ours",
    )
    webhook_timeout: float = _setting(5.0, "seconds that a webhook's receiver has for its answer")
    webhook_tries: int = _setting(1, "how often a webhook is sent that is not answered with 2xx")
    webhook_pause: float = _setting(10.0, "seconds of the emulator's clock from one such try to the next")

    def __post_init__(self) -> None:
        self.check()

    @classmethod
    def all(cls) -> dict[str, Field[Any]]:
        """The dataclass field of each setting, by its name."""
        return {setting.name: setting for setting in fields(cls)}

    def change(self, **changes: Any) -> None:
        """Change settings.

        :raises ValueError: an unknown name, or a value that is not allowed; nothing is changed then.
        """
        current = dict(vars(self))
        if unknown := sorted(changes.keys() - current.keys()):
            raise ValueError(f"there is no setting {', '.join(unknown)}; there are {', '.join(current)}")
        type(self)(**current | changes)  # raises before any other thread can see the change
        vars(self).update(changes)

    def check(self) -> None:
        """Check every value.

        :raises ValueError: names every value that is not allowed.
        """
        problems = []
        for name, setting in self.all().items():
            value, default, choices = getattr(self, name), cast(Any, setting.default), setting.metadata["choices"]
            if choices and value not in choices:
                problems.append(f"{name} is {value!r}, not one of {', '.join(choices)}")
            elif isinstance(default, bool) and not isinstance(value, bool):
                problems.append(f"{name} is {value!r}, not true or false")
            elif isinstance(default, str) and not isinstance(value, str):
                problems.append(f"{name} is {value!r}, not a text")
            elif not isinstance(default, str | bool) and not _is_number_like(value, default):
                problems.append(f"{name} is {value!r}, not a number of at least 0")
        if not problems and not self.window > 0:
            problems.append("window must be more than 0")
        if not problems and not self.foreign < 1:
            problems.append("foreign must be less than 1: something has to be left")
        if not problems:
            problems += self._invalid_webhook_settings()
        if problems:
            raise ValueError("; ".join(problems))

    def _invalid_webhook_settings(self) -> Iterator[str]:
        if not self.webhook_timeout > 0:
            yield "webhook_timeout must be more than 0"
        if self.webhook_tries < 1:
            yield "webhook_tries must be at least 1"
        if self.webhook_via:
            parts = split_url(self.webhook_via)
            if parts is None or parts.path.strip("/") or parts.query or parts.fragment:
                yield f"webhook_via is {self.webhook_via!r}, not scheme, host and port like http://127.0.0.1:8700"
            elif reason := refusal(self.webhook_via, hosts=self.webhook_hosts):
                yield reason


def _is_number_like(value: Any, default: float | None) -> bool:
    """True if *value* is of at least 0 and of the kind of *default*: None stands for an int that may be left out."""
    if value is None:
        return default is None
    return is_number(value) if isinstance(default, float) else is_count(value)
