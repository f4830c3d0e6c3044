"""A host and its port, as they stand in a Host header, and in a URL after its scheme."""

from __future__ import annotations

import ipaddress
import re
from typing import Final, NamedTuple

_NAME, _IPV6 = r"(?P<name>[a-z0-9_-]+(?:\.[a-z0-9_-]+)*)\.?", r"(?P<ipv6>[0-9a-f]*:[0-9a-f:.]+)"
_AUTHORITY = re.compile(rf"(?:{_NAME}|\[{_IPV6}\])(?::(?P<port>[0-9]{{0,5}}))?", re.ASCII | re.IGNORECASE)
_HOST = re.compile(rf"{_NAME}|\[?{_IPV6}\]?", re.ASCII | re.IGNORECASE)
#: The schemes that there are, with their ports.
PORTS: Final = {"http": 80, "https": 443}


class Authority(NamedTuple):
    """A host and its port.

    :param host: in lower case and without a dot at its end; an address in its shortest form.
    """

    host: str
    port: int

    @classmethod
    def parse(cls, text: str, scheme: str) -> Authority:
        """Parse what stands in a Host header, or in a URL after its scheme.

        :param scheme: one of `PORTS`.
        :raises ValueError: it is none.
        """
        match = _AUTHORITY.fullmatch(text)
        if match is None:
            raise ValueError(text)
        port = int(match["port"] or PORTS[scheme])
        if port > 65_535:
            raise ValueError(text)
        return cls(_normalized(match["ipv6"] or match["name"]), port)


def parse_host(text: str) -> str:
    """A name or an address without a port, as `Authority.host` has it.

    :raises ValueError: it is neither.
    """
    match = _HOST.fullmatch(text)
    if match is None:
        raise ValueError(text)
    return _normalized(match["ipv6"] or match["name"])


def _normalized(host: str) -> str:
    """A name in lower case, or an address in its shortest form.

    :raises ValueError: it has a colon, and is no IPv6 address.
    """
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        if ":" in host:
            raise
        return host.lower()
    return str(getattr(address, "ipv4_mapped", None) or address)
