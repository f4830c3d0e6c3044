"""Finds the addresses of the hosts that webhooks are sent to."""

from __future__ import annotations

import socket

from aiohttp import ThreadedResolver
from aiohttp.abc import AbstractResolver, ResolveResult

from airflow_provider_hubchan.emulator.model.authority import parse_host
from airflow_provider_hubchan.emulator.model.loopback import is_loopback

#: Where names of this machine lead (RFC 6761, section 6.3).
_ADDRESSES = (("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6))


class LocalhostResolver(AbstractResolver):
    """Knows localhost and the names under it by itself; the system is asked for other names only.

    A name server may not know them, or lead them to another machine.
    """

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AddressFamily.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of a host.

        :raises OSError: there is no such host.
        """
        if not is_loopback(parse_host(host)):
            return await ThreadedResolver().resolve(host, port, family)
        return [
            ResolveResult(hostname=host, host=address, port=port, family=kind, proto=0, flags=socket.AI_NUMERICHOST)
            for address, kind in _ADDRESSES
        ]

    async def close(self) -> None:
        """Release nothing: a look-up keeps nothing open."""
