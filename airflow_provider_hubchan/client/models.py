"""What a connection says, as one frozen value: where HubSpot is, who we are, how much we may use."""

from __future__ import annotations

from dataclasses import dataclass, field

#: Seconds for connecting and for each read.
TIMEOUT = 10.0

API_VERSIONS = ("2026-03", "2026-09", "2025-09", "v3")


def sendable(token: str) -> bool:
    """True if *token* can stand in a header: an error about one that cannot would quote it."""
    return token.isascii() and token.isprintable() and " " not in token and token != ""


@dataclass(frozen=True, slots=True)
class Account:
    """One HubSpot account as one app sees it.

    :param base_url: scheme and host, without a slash at the end.
    :param client_id: of the OAuth app that owns the channel; with *client_secret* and *refresh_token*, or None.
    :param client_secret: of the same app.
    :param refresh_token: from installing it in the account; access tokens are fetched with it.
    :param access_token: a ready bearer token instead of the three.
    :param api_version: one of `API_VERSIONS`.
    :param channel_id: the channel for tasks that name none.
    :param requests_per_10s: the share of the account's quota that may be used, None for what HubSpot's headers say.
    :param timeout: seconds for connecting and for each read.
    """

    base_url: str = "https://api.hubapi.com"
    client_id: str | None = None
    client_secret: str | None = field(default=None, repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    access_token: str | None = field(default=None, repr=False)
    api_version: str = "2026-03"
    channel_id: str | None = None
    requests_per_10s: float | None = None
    timeout: float = TIMEOUT

    def secrets(self) -> tuple[str, ...]:
        """Every secret of the account: none of them may appear in a log, an error or a report."""
        return tuple(filter(None, (self.client_secret, self.refresh_token, self.access_token)))

    @property
    def private_app_warning(self) -> str | None:
        """Why this token will hardly do (HubSpot docs, custom channels guide); None if nothing speaks against it."""
        if not (self.access_token or "").startswith("pat-"):
            return None
        return (
            "the access token begins with pat-: it belongs to a private app or is a service key, and HubSpot does not "
            "support custom channels for private apps. Use the OAuth app that owns the channel: its client ID, client "
            "secret and refresh token"
        )
