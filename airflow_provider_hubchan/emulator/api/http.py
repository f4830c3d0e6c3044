"""One request to HubSpot's API and one response, apart from any web server."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import parse_qs

from airflow_provider_hubchan.emulator.api.urls import ADDRESSES, CUSTOM_CHANNELS, MESSAGE, Address
from airflow_provider_hubchan.emulator.routing import Match


@dataclass
class Request:
    """One request.

    :param path: as it stood on the wire, still percent-encoded, without the query.
    :param headers: with names in lower case.
    :param query: as it stood on the wire, after the question mark.
    """

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    query: str = ""

    @cached_property
    def match(self) -> Match[Address] | None:
        """HubSpot's address that the path is, with the ids in it; None if it is none of HubSpot's."""
        return ADDRESSES.match(self.path)

    @property
    def address(self) -> Address | None:
        """HubSpot's address that the path is; None if it is none of HubSpot's."""
        return self.match.target if self.match else None

    @property
    def ids(self) -> dict[str, str]:
        """The ids in the path by the names that HubSpot's files give them, decoded."""
        return self.match.ids if self.match else {}

    @property
    def message(self) -> tuple[str, str] | None:
        """Channel id and message id, if the request is about one message."""
        match self.address:
            case Address(api, _, path) if (api, path) == (CUSTOM_CHANNELS, MESSAGE):
                return self.ids["channelId"], self.ids["messageId"]
        return None

    @property
    def authorization(self) -> str:
        """The ``Authorization`` header, empty if there is none."""
        return self.headers.get("authorization", "")

    @cached_property
    def parameters(self) -> dict[str, list[str]]:
        """The parameters of the query, each with all its values."""
        return parse_qs(self.query, keep_blank_values=True)


@dataclass
class Response:
    """One response.

    :param body: sent as JSON, or as HTML if it is a string; None for no body.
    """

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    _content: bytes | None = field(default=None, repr=False, compare=False)

    def content(self) -> bytes:
        """The body as bytes, encoded once for both the wire and the ledger."""
        if self._content is None:
            body = self.body
            self._content = b"" if body is None else (body if isinstance(body, str) else json.dumps(body)).encode()
        return self._content


class ApiError(Exception):
    """Ends the handling of a request.

    :param response: the error to answer with.
    """

    def __init__(self, response: Response) -> None:
        self.response = response
        super().__init__(response.status)

    def __reduce__(self) -> tuple[type[ApiError], tuple[Response]]:
        """Pickle what it was made with: an exception's own way would give the status to ``__init__``."""
        return type(self), (self.response,)
