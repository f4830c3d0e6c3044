"""What is shown of bodies, queries and paths: everything but secrets, which are recognized by their names."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import parse_qsl, unquote_plus, urlencode

from airflow_provider_hubchan.emulator.model.numbers import count_of

MASK = "***"
#: Names of secrets, in lower case, without dashes and underscores.
SECRETS = frozenset(
    {
        "accesstoken",
        "accounttoken",
        "authorization",
        "clientsecret",
        "codeverifier",
        "hapikey",
        "password",
        "refreshtoken",
        "signedaccesstoken",
        "token",
    }
)
#: In a request ``code`` is an authorization code; in a reply it says what is wrong (specified: ``ErrorDetail``).
SECRETS_OF_REQUESTS = SECRETS | {"code"}
_FIELD_NAME = re.compile(r"[\w.\[\]-]+")
_USER = re.compile(r"(?<=//)[^/]*(?=@)")
_TOKEN_IN_PATH = re.compile(r"(?<=-tokens/)[^/]+")


def masked_body(body: bytes, secrets: frozenset[str] = SECRETS) -> Any:
    """A body without its secrets: its JSON, or its form, or its text; None if it is empty."""
    if not body:
        return None
    text = body.decode(errors="replace")
    try:
        return _masked(json.loads(text), secrets)
    except (ValueError, RecursionError):
        pass
    if form := parse_form(body):
        return urlencode([(name, MASK if _normalized(name) in secrets else value) for name, value in form.items()])
    if any(name in _normalized(text) for name in secrets):
        return f"{count_of(len(body), 'byte')} that may hold a secret"
    return text


def parse_form(body: bytes) -> dict[str, str]:
    """The fields of a form; empty if the body is not one."""
    if b"=" not in body:
        return {}
    fields = dict(parse_qsl(body.decode(errors="replace"), keep_blank_values=True))
    return fields if all(map(_FIELD_NAME.fullmatch, fields)) else {}


def masked_query(query: str) -> str:
    """A query without its secrets; everything else stays as it was written."""
    return "&".join(map(_masked_pair, query.split("&")))


def masked_url(url: str) -> str:
    """A URL without the secrets of its query, and without its user and password."""
    address, mark, query = url.partition("?")
    return _USER.sub(MASK, address) + mark + masked_query(query)


def masked_path(path: str) -> str:
    """A path without the staging token of a channel account that may be in it (specified)."""
    return _TOKEN_IN_PATH.sub(MASK, path)


def _masked(value: Any, secrets: frozenset[str]) -> Any:
    if isinstance(value, dict):
        return {name: _masked_field(_normalized(name), item, secrets) for name, item in value.items()}
    return [_masked(item, secrets) for item in value] if isinstance(value, list) else value


def _masked_field(name: str, value: Any, secrets: frozenset[str]) -> Any:
    if name in secrets:
        return MASK
    return masked_url(value) if name.endswith("url") and isinstance(value, str) else _masked(value, secrets)


def _masked_pair(pair: str) -> str:
    """A name and its value as they stand in a query."""
    name, _, value = pair.partition("=")
    return f"{name}={MASK}" if value and _normalized(unquote_plus(name)) in SECRETS_OF_REQUESTS else pair


def _normalized(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")
