"""An Airflow connection, read as an account. All faults are named at once, each with the field to fix."""

from __future__ import annotations

import json
import math
import re
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_provider_hubchan import get_provider_info
from airflow_provider_hubchan.client.error_texts import shorten
from airflow_provider_hubchan.client.errors import BadConnection
from airflow_provider_hubchan.client.models import API_VERSIONS, TIMEOUT, Account, is_sendable_token
from airflow_provider_hubchan.validation import channel_id_faults

if TYPE_CHECKING:
    from airflow.sdk import Connection
    from airflow.sdk.types import Logger

_INFO: Any = get_provider_info()
(_FORM,) = _INFO["connection-types"]
_CONN_FIELDS: dict[str, Any] = _FORM["conn-fields"]
#: What the form calls each field, by its name.
_LABELS = (
    {name: field["label"] for name, field in _CONN_FIELDS.items()}
    | _FORM["ui-field-behaviour"]["relabeling"]
    | {"extra": "Extra Fields JSON"}
)

#: The largest timeout, in seconds, and the largest number of requests: more can only be a mistake.
MAX_TIMEOUT, MAX_REQUESTS = 300.0, 100_000.0
DEFAULT_HOST = "https://api.hubapi.com"
LOOPBACK = ("127.0.0.1", "localhost", "::1")
FLAGS = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
#: The extras that are read; the last one is not in the form.
EXTRAS = (*_CONN_FIELDS, "allow_http")
#: Extras of which no text quotes anything.
SECRETS = tuple(name for name, field in _CONN_FIELDS.items() if field["schema"].get("format") == "password")
#: Forms of old Airflow versions put this before the name of each extra, and Airflow's own hooks read both names.
OLD_PREFIX = f"extra__{_FORM['connection-type']}__"
JSON_TYPES = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", int: "a number", float: "a number"}
EXAMPLE = json.dumps({"channel_id": "100200"})
#: How many edits (characters put in, left out or replaced) a name may differ in and still be a misspelled one.
MAX_EDITS = 2
#: How many names a text quotes, and how many characters of a host, and of a name or value: each of our names fits in with
#: `OLD_PREFIX`.
MAX_NAMES, MAX_HOST, MAX_QUOTED = 7, 80, 40


def open_account(connection: Connection, log: Logger, *, needs_channel: bool = False) -> Account:
    """The account that *connection* describes, its secrets known to Airflow's masker, its warnings in *log*.

    :raises BadConnection: see `read_account`.
    """
    from airflow.sdk.log import mask_secret

    for warning in extra_warnings(connection):  # before the faults: it may say why a field is missing
        log.warning("Connection %r: %s.", connection.conn_id, warning)
    account = read_account(connection, needs_channel=needs_channel)
    for secret in account.secrets():
        mask_secret(secret)
    if account.private_app_warning:
        log.warning("Connection %r: %s.", connection.conn_id, account.private_app_warning)
    return account


def read_account(connection: Connection, *, needs_channel: bool = False) -> Account:
    """Read the account that *connection* describes.

    Forms save every field, empty ones as null and typed ones as numbers; URIs and environment variables bring strings.
    Both are read alike, without the space around what was copied.

    :param needs_channel: True if a missing channel is a fault: the task names none.
    :raises BadConnection: naming every field that is missing, misspelled, malformed or contradicts another.
    """
    faults: list[str] = []
    if connection.conn_type not in (_FORM["connection-type"], "", None):  # the token of another service must not go to HubSpot
        quoted = shorten(connection.conn_type, MAX_QUOTED)
        faults.append(f"its Connection Type (conn_type) is {quoted}, not {_FORM['connection-type']!r}")
    extra = Extra(connection, faults)
    # an extra that cannot be read may allow it
    base_url = _base_url(connection, extra.flag("allow_http") or not extra.is_object, faults)
    client_id, client_secret = ((text or "").strip() or None for text in (connection.login, connection.password))
    refresh_token, access_token = extra.text("refresh_token"), extra.text("access_token")
    if extra.is_object:
        faults += _credential_faults(client_id, client_secret, extra)

    if access_token and not is_sendable_token(access_token):
        faults.append(
            f"{field_names('access_token')} holds a space, a line break or a character that no token has: copy it again"
        )

    api_version = extra.text("api_version") or API_VERSIONS[0]
    if api_version not in API_VERSIONS:
        faults.append(
            f"{field_names('api_version')} is {shorten(api_version, MAX_QUOTED)}, not one of {', '.join(API_VERSIONS)}"
        )
    channel_id = extra.text("channel_id")
    faults += channel_id_faults(channel_id, field_names("channel_id"))
    if needs_channel and extra.is_object and "channel_id" not in extra:
        faults.append(missing_channel_fault())
    requests_per_10s = extra.number("requests_per_10s", least=1.0, most=MAX_REQUESTS)
    timeout = extra.number("timeout", least=0.1, most=MAX_TIMEOUT) or TIMEOUT
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


def extra_warnings(connection: Connection) -> list[str]:
    """What users should know of the extras of *connection*, though it can be used: names that nothing reads."""
    unknown = Extra(connection, []).unknown
    if not unknown:
        return []
    names = _listed([shorten(name, MAX_QUOTED) for name in unknown])
    return [f"{field_names('extra')} has {names}, which nothing reads; the names that are read are {', '.join(EXTRAS)}"]


def missing_channel_fault() -> str:
    """What is wrong if neither the connection nor the task names a channel."""
    return f"{field_names('channel_id')} is set neither in the connection nor as the task's argument"


class Extra:
    """The extra fields of a connection, whatever wrote them.

    A value under a misspelled name is read under the right one, so that what is wrong with the value is found, too, and
    the field is not said to be missing.

    :param faults: where to add what is wrong with them.
    :ivar is_object: False if the extra is no JSON object: then every field is absent, but need not be missing.
    :ivar unknown: the names that have a value, and are neither ours nor almost ours.
    """

    def __init__(self, connection: Connection, faults: list[str]) -> None:
        values = _extra_object(connection, faults)
        self.is_object = values is not None
        self.unknown: list[str] = []
        self._values: dict[str, Any] = {}
        self._faults = faults
        misspelled: list[str] = []
        for key, value in (values or {}).items():
            if value is None or not str(value).strip():
                continue
            name = key.removeprefix(OLD_PREFIX)
            field = name if name in EXTRAS else similar_extra(name)
            if field is None:
                self.unknown.append(key)
                continue
            if field != name:
                misspelled.append(f"for {shorten(key, MAX_QUOTED)} write {field}")
            if key == field or field not in self._values:  # the name itself goes before its other forms
                self._values[field] = value
        if misspelled:
            faults.append(f"{field_names('extra')} has names that are almost right: {_listed(misspelled)}")
        self._drop_wrong_types()

    def __contains__(self, name: str) -> bool:
        """True if the field has a value, be it a faulty one."""
        return name in self._values

    def text(self, name: str) -> str | None:
        """A string; None if it is missing, null, blank or of a wrong type, which is among the faults already."""
        value = self._values.get(name)
        return None if value is None else str(value).strip()

    def flag(self, name: str) -> bool:
        """A yes or no; no if it is missing."""
        text = self.text(name)
        if text is not None and text.lower() not in FLAGS:
            self._faults.append(f"{field_names(name)} is {shorten(text, MAX_QUOTED)}, not true or false")
        return FLAGS.get((text or "").lower(), False)

    def number(self, name: str, least: float, most: float) -> float | None:
        """A number from *least* to *most*; None if it is missing."""
        text = self.text(name)
        if text is None:
            return None
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not least <= value <= most:
            quoted = shorten(text, MAX_QUOTED)
            self._faults.append(f"{field_names(name)} is {quoted}, not a number of at least {least:g} and at most {most:,.0f}")
            return None
        return value

    def _drop_wrong_types(self) -> None:
        for name, value in self._values.items():
            if isinstance(value, dict | list) or (name in SECRETS and not isinstance(value, str)):
                # never the value, which may be a secret
                self._faults.append(f"{field_names(name)} is {JSON_TYPES[type(value)]}: write it as a string")
                self._values[name] = None


def similar_extra(name: str) -> str | None:
    """The extra that is meant by a name that is almost its name or label; None if there is none.

    Case, spaces and punctuation do not count; of the other characters, `MAX_EDITS` may differ.
    """
    plain = _plain(name)
    for field in EXTRAS:
        for right in (field, _LABELS.get(field, field)):
            if _edits(plain, _plain(right)) <= MAX_EDITS:
                return field
    return None


def field_names(*fields: str) -> str:
    """Fields as the form calls them, each with its name in parentheses; one that is not in the form by its name alone."""
    return ", ".join(f"{_LABELS[name]} ({name})" if name in _LABELS else f"the extra {name}" for name in fields)


def _plain(name: str) -> str:
    return "".join(character for character in name.casefold() if character.isalnum())


def _edits(one: str, other: str) -> int:
    if abs(len(one) - len(other)) > MAX_EDITS:  # a name of any length must not take long
        return abs(len(one) - len(other))
    changes = SequenceMatcher(None, one, other, autojunk=False).get_opcodes()
    return sum(max(i2 - i1, j2 - j1) for kind, i1, i2, j1, j2 in changes if kind != "equal")


def _extra_object(connection: Connection, faults: list[str]) -> dict[str, Any] | None:
    """The extra, parsed; None if it is no JSON object, which is a fault then."""
    extra: Any = connection.extra
    if isinstance(extra, dict):  # Connection(uri=...) of Airflow 3.2
        return extra
    found = "not JSON"
    try:
        value = json.loads((extra or "").strip() or "null")
    except (ValueError, RecursionError):
        pass
    else:
        if value is None:
            return {}
        if isinstance(value, dict):
            return connection.extra_dejson  # which knows what to mask in it
        found = JSON_TYPES[type(value)]
    faults.append(f"{field_names('extra')} is {found}: write a JSON object like {EXAMPLE}")
    return None


def _credential_faults(client_id: str | None, client_secret: str | None, extra: Extra) -> list[str]:
    has_token = "access_token" in extra
    app = {"login": bool(client_id), "password": bool(client_secret), "refresh_token": "refresh_token" in extra}
    missing = [name for name, is_there in app.items() if not is_there]
    if has_token and not missing:
        return [f"{field_names('access_token')} stands beside {field_names(*app)}: leave the one or the others empty"]
    if not has_token and missing:
        return [f"{field_names(*missing)} missing: all three of the OAuth app are needed, or an access token instead"]
    return []


def _listed(names: list[str]) -> str:
    """The first of some names, and how many more there are."""
    more = len(names) - MAX_NAMES
    return ", ".join(names[:MAX_NAMES]) + (f" and {more} more" if more > 0 else "")


def _base_url(connection: Connection, allow_http: bool, faults: list[str]) -> str:
    """Scheme, host and port from the host field, which may hold all three, and the port field."""
    host = (connection.host or "").strip().rstrip("/") or DEFAULT_HOST
    # What stands before an @, or after a colon that is before no port, may be a secret.
    quoted = re.sub(r":(?!//|[0-9]*(?:/|$)).*", ":…", host.rsplit("@", 1)[-1])
    field = f"{field_names('host')} {quoted[:MAX_HOST]!r}"
    try:
        url = urlsplit(host if "://" in host else f"{connection.schema or 'https'}://{host}")
        port = url.port or connection.port or 0  # the form's Test button sends 0 for no port
    except ValueError:
        faults.append(f"{field} is not one like {DEFAULT_HOST} (is the port a number?)")
        return ""
    if url.username or url.password or url.query or url.fragment:
        faults.append(
            f"{field_names('host')} holds more than scheme, host, port and path: put credentials into "
            f"{field_names('login', 'password')}"
        )
    elif url.scheme not in ("http", "https") or not url.hostname or re.search(r"\s", host):
        faults.append(f"{field} is not one like {DEFAULT_HOST}")
    elif url.scheme == "http" and url.hostname not in LOOPBACK and not allow_http:
        faults.append(
            f"{field}: plain http would send the token readable by everyone; use https, or set the extra allow_http for an "
            "emulator in another container"
        )
    if not isinstance(port, int) or not 0 <= port < 65536:
        faults.append(f"{field_names('port')} is {shorten(port)}, not a number from 1 to 65535")
    name = f"[{url.hostname}]" if ":" in (url.hostname or "") else url.hostname
    return f"{url.scheme}://{name}{f':{port}' if port else ''}{url.path}"
