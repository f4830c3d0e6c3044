"""What the ledger shows of bodies, queries and paths: all but the secrets, which are known by the names they come under."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import parse_qsl, urlencode

MASK = "***"
#: Names of secrets, in small letters, without dashes and underscores.
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
#: In a request an authorization code; in a reply ``code`` says what is wrong (specified: ``ErrorDetail``).
SECRETS_OF_REQUESTS = SECRETS | {"code"}
_NAME = re.compile(r"[\w.\[\]-]+")
_TOKEN_IN_PATH = re.compile(r"(?<=-tokens/)[^/]+")


def shown_body(body: bytes, secrets: frozenset[str] = SECRETS) -> Any:
    """A body: its JSON, or its form, or its text; None if it is empty."""
    if not body:
        return None
    text = body.decode(errors="replace")
    try:
        return _shown(json.loads(text), secrets)
    except (ValueError, RecursionError):
        pass
    if form := form_of(body):
        return urlencode([(name, MASK if _plain(name) in secrets else value) for name, value in form.items()])
    return f"{len(body)} bytes that may hold a secret" if any(name in _plain(text) for name in secrets) else text


def form_of(body: bytes) -> dict[str, str]:
    """The fields of a form; none if it is not one."""
    if b"=" not in body:
        return {}
    fields = dict(parse_qsl(body.decode(errors="replace"), keep_blank_values=True))
    return fields if all(map(_NAME.fullmatch, fields)) else {}


def shown_query(query: str) -> str:
    """A query."""
    pairs = parse_qsl(query, keep_blank_values=True)
    return urlencode([(name, MASK if _plain(name) in SECRETS_OF_REQUESTS else value) for name, value in pairs])


def shown_path(path: str) -> str:
    """A path. The token of a channel account that a person is about to connect stands in it (specified)."""
    return _TOKEN_IN_PATH.sub(MASK, path)


def _shown(value: Any, secrets: frozenset[str]) -> Any:
    if isinstance(value, dict):
        return {name: MASK if _plain(name) in secrets else _shown(each, secrets) for name, each in value.items()}
    return [_shown(each, secrets) for each in value] if isinstance(value, list) else value


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")
