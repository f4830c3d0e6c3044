"""An Airflow connection, read as an account. All faults are named at once, each with the field to fix."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_provider_hubchan import get_provider_info
from airflow_provider_hubchan.client.errors import BadConnection
from airflow_provider_hubchan.client.models import API_VERSIONS, TIMEOUT, Account, is_sendable_token
from airflow_provider_hubchan.validation import channel_id_faults

if TYPE_CHECKING:
    from airflow.sdk import Connection
    from airflow.sdk.types import Logger

DEFAULT_HOST = "https://api.hubapi.com"
LOOPBACK = ("127.0.0.1", "localhost", "::1")
TRUE_WORDS = ("true", "1", "yes", "on")


def open_account(connection: Connection, log: Logger) -> Account:
    """The account that *connection* describes, its secrets known to Airflow's masker.

    :raises BadConnection: see `read_account`.
    """
    from airflow.sdk.log import mask_secret

    account = read_account(connection)
    for secret in account.secrets():
        mask_secret(secret)
    if account.private_app_warning:
        log.warning("Connection %r: %s.", connection.conn_id, account.private_app_warning)
    return account


def read_account(connection: Connection) -> Account:
    """Read the account that *connection* describes.

    Forms save every field, empty ones as null and typed ones as numbers; URIs and environment variables bring strings.
    Both are read alike, without the space around what was copied.

    :raises BadConnection: naming every field that is missing, malformed or contradicts another.
    """
    faults: list[str] = []
    extra = Extra(connection.extra_dejson, faults)
    base_url = _base_url(connection, extra.flag("allow_http"), faults)
    client_id, client_secret = ((text or "").strip() or None for text in (connection.login, connection.password))
    refresh_token, access_token = extra.text("refresh_token"), extra.text("access_token")

    app = {"login": client_id, "password": client_secret, "refresh_token": refresh_token}
    missing = [name for name, value in app.items() if not value]
    if access_token and not missing:
        faults.append(f"{field_names('access_token')} stands beside {field_names(*app)}: leave the one or the others empty")
    elif not access_token and missing:
        faults.append(f"{field_names(*missing)} missing: all three of the OAuth app are needed, or an access token instead")

    if access_token and not is_sendable_token(access_token):
        faults.append(
            f"{field_names('access_token')} holds a space, a line break or a character that no token has: copy it again"
        )

    api_version = extra.text("api_version") or API_VERSIONS[0]
    if api_version not in API_VERSIONS:
        faults.append(f"{field_names('api_version')} is {api_version!r}, not one of {', '.join(API_VERSIONS)}")
    channel_id = extra.text("channel_id")
    faults += channel_id_faults(channel_id, field_names("channel_id"))
    requests_per_10s = extra.number("requests_per_10s", least=1.0)
    timeout = extra.number("timeout", least=0.1) or TIMEOUT
    if faults:
        raise BadConnection(connection.conn_id, faults)
    return Account(
        base_url=base_url,
        client_id=client_id if not access_token else None,
        client_secret=client_secret if not access_token else None,
        refresh_token=refresh_token if not access_token else None,
        access_token=access_token,
        api_version=api_version,
        channel_id=channel_id,
        requests_per_10s=requests_per_10s,
        timeout=timeout,
    )


class Extra:
    """The extra fields of a connection, whatever wrote them.

    :param faults: where to add what is wrong with them.
    """

    def __init__(self, values: Mapping[str, Any], faults: list[str]) -> None:
        self._values, self._faults = values, faults

    def text(self, name: str) -> str | None:
        """A string; None if it is missing, null or blank."""
        value = self._values.get(name)
        return None if value is None else str(value).strip() or None

    def flag(self, name: str) -> bool:
        """A yes or no; no if it is missing."""
        return str(self._values.get(name)).strip().lower() in TRUE_WORDS

    def number(self, name: str, least: float) -> float | None:
        """A number of at least *least*; None if it is missing."""
        text = self.text(name)
        if text is None:
            return None
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not least <= value < math.inf:
            self._faults.append(f"{field_names(name)} is {text!r}, not a number of at least {least:g}")
            return None
        return value


def field_names(*fields: str) -> str:
    """Fields as the form calls them, each with its name in parentheses."""
    info: Any = get_provider_info()
    (form,) = info["connection-types"]
    labels = {name: field["label"] for name, field in form["conn-fields"].items()}
    labels |= form["ui-field-behaviour"]["relabeling"]
    return ", ".join(f"{labels[name]} ({name})" for name in fields)


def _base_url(connection: Connection, allow_http: bool, faults: list[str]) -> str:
    """Scheme, host and port from the host field, which may hold all three, and the port field."""
    host = (connection.host or "").strip().rstrip("/") or DEFAULT_HOST
    field = f"{field_names('host')} {host.rsplit('@', 1)[-1]!r}"  # what stands before an @ is a secret
    try:
        url = urlsplit(host if "://" in host else f"{connection.schema or 'https'}://{host}")
        port = url.port or connection.port or None  # the form's Test button sends 0 for no port
    except ValueError:
        faults.append(f"{field} is not one like {DEFAULT_HOST} (is the port a number?)")
        return ""
    if url.username or url.password or url.query or url.fragment:
        faults.append(
            f"{field_names('host')} holds more than scheme, host, port and path: put credentials into "
            f"{field_names('login', 'password')}"
        )
    elif url.scheme not in ("http", "https") or not url.hostname:
        faults.append(f"{field} is not one like {DEFAULT_HOST}")
    elif url.scheme == "http" and url.hostname not in LOOPBACK and not allow_http:
        faults.append(
            f"{field}: plain http would send the token readable by everyone; use https, or set the extra allow_http for an "
            "emulator in another container"
        )
    name = f"[{url.hostname}]" if ":" in (url.hostname or "") else url.hostname
    return f"{url.scheme}://{name}{f':{port}' if port else ''}{url.path}"
