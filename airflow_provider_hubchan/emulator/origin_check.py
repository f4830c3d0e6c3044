"""Which requests are answered: those of programs and of the emulator's own page, not those of pages of other origins.

Every page that a browser shows may send requests to this machine, and by DNS rebinding, a name of its own that leads here all
of a sudden, it may read the answers. Neither can hide what the browser writes into Host, Origin and Sec-Fetch-Site.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final

from starlette.responses import JSONResponse

from airflow_provider_hubchan.emulator.model.authority import Authority, parse_host
from airflow_provider_hubchan.emulator.model.loopback import is_loopback

App = Callable[[Any, Any, Any], Awaitable[None]]

_URL = re.compile(r"(?P<scheme>https?)://(?P<authority>[^/?#]*)(?P<rest>.*)", re.ASCII | re.IGNORECASE | re.DOTALL)
#: A page of any origin may send these without asking first (Fetch Standard, "CORS-safelisted request-header").
_FORM_TYPES: Final = {"application/x-www-form-urlencoded", "multipart/form-data", "text/plain"}
#: Headers that browsers write, and no page can.
_OF_BROWSERS: Final = {b"origin", b"sec-fetch-site"}
_READING: Final = {"GET", "HEAD", "OPTIONS"}
#: Most characters of a header that an error shows.
_SHOWN: Final = 100
#: The answers are shown in no frame, and given to no other origin, by browsers without Sec-Fetch-Site either.
_HEADERS: Final = (
    (b"x-frame-options", b"DENY"),
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


class OriginError(Exception):
    """A request that is not answered.

    :param status: of the answer.
    :param text: one line that says what was refused, and what is answered instead.
    """

    def __init__(self, status: int, text: str) -> None:
        self.status, self.text = status, text
        super().__init__(text)

    def __reduce__(self) -> tuple[type[OriginError], tuple[int, str]]:
        """How to copy it: `Exception` would call ``__init__`` with the text alone."""
        return type(self), (self.status, self.text)


def parse_allowed_hosts(hosts: Iterable[str]) -> frozenset[str]:
    """Host names and addresses as the emulator compares them.

    :param hosts: names, and addresses of IPv4 and IPv6, without scheme and port.
    :raises ValueError: names everything that is neither.
    """
    if isinstance(hosts, str):
        raise ValueError(f"allowed_hosts is a list of names, not {_shown(hosts)}")
    parsed = [(host, _parse_allowed(host)) for host in hosts]
    wrong = [_shown(host) for host, name in parsed if name is None]
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        kind = "are neither host names nor addresses" if len(wrong) > 1 else "is neither a host name nor an address"
        raise ValueError(f"allowed_hosts: {', '.join(wrong[:3])}{more} {kind}; give them without scheme and port")
    return frozenset(name for _, name in parsed if name is not None)


def _parse_allowed(host: object) -> str | None:
    try:
        return parse_host(host) if isinstance(host, str) else None
    except ValueError:
        return None


def with_origin_check(app: App, allowed_hosts: frozenset[str]) -> App:
    """The control API and the page, for programs and for the emulator's own page.

    :param allowed_hosts: hosts that it is called by beside those of this machine, see `parse_allowed_hosts`.
    """

    async def checked(scope: Any, receive: Any, send: Any) -> None:
        async def send_with_headers(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_HEADERS]
            await send(message)

        await _answer(app, _check_control, allowed_hosts, scope, receive, send_with_headers)

    return checked


def with_page_check(app: App, allowed_hosts: frozenset[str]) -> App:
    """HubSpot's API, for programs by any name, and for pages of the emulator's own origin.

    Programs are not asked for their Host: what they do needs credentials, and a page that sends those sends its Origin, too.

    :param allowed_hosts: see `with_origin_check`.
    """

    async def checked(scope: Any, receive: Any, send: Any) -> None:
        await _answer(app, _check_api, allowed_hosts, scope, receive, send)

    return checked


async def _answer(app: App, check: Callable[[Any, frozenset[str]], None], hosts: frozenset[str], *asgi: Any) -> None:
    try:
        check(asgi[0], hosts)
    except OriginError as error:
        app = JSONResponse({"error": str(error)}, error.status)
    await app(*asgi)


def _check_api(scope: Any, allowed_hosts: frozenset[str]) -> None:
    if any(name in _OF_BROWSERS for name, _ in scope["headers"]):
        _check_origin(scope, _check_host(scope, allowed_hosts))


def _check_control(scope: Any, allowed_hosts: frozenset[str]) -> None:
    _check_origin(scope, _check_host(scope, allowed_hosts))
    if scope["method"] in _READING:
        return
    for value in _values(scope, b"content-type"):
        if value.partition(";")[0].strip().lower() in _FORM_TYPES:
            raise OriginError(
                415, f"Content-Type {_shown(value)} is what a form of any page can send: send application/json (curl --json)"
            )


def _check_host(scope: Any, allowed_hosts: frozenset[str]) -> Authority:
    """The authority that the request names.

    :raises OriginError: it is none (RFC 9112, section 3.2), or not the emulator's.
    """
    hosts = _values(scope, b"host")
    if len(hosts) != 1:
        raise OriginError(400, f"A request has one Host header, not {len(hosts)}: use an ordinary HTTP client")
    try:
        authority = Authority.parse(hosts[0], scope["scheme"])
        target = _URL.fullmatch(scope.get("target", b"").decode("latin-1"))
        if target and Authority.parse(target["authority"], target["scheme"].lower()) != authority:
            raise ValueError
    except ValueError:
        raise OriginError(400, f"Host {_shown(hosts[0])} is no host, or not that of the URL: give a name and a port") from None
    if not is_loopback(authority.host) and authority.host not in allowed_hosts:
        raise OriginError(
            403,
            f"Host {_shown(authority.host)} is not a name of this emulator: call it localhost or 127.0.0.1, or start it with "
            f"--allowed-host {authority.host[:_SHOWN]} (in Python allowed_hosts=[{_shown(authority.host)}])",
        )
    return authority


def _check_origin(scope: Any, host: Authority) -> None:
    """Find out whether a page of another origin has sent the request.

    :raises OriginError: it has.
    """
    for origin in _values(scope, b"origin"):
        if not _is_origin(origin, scope["scheme"], host):
            raise OriginError(
                403,
                f"Origin {_shown(origin)} is not that of {_shown(host.host)}, port {host.port}: pages of other origins are "
                "refused, and no option allows them; call from the emulator's own page or a program, which sends no Origin",
            )
    sites = [site for site in _values(scope, b"sec-fetch-site") if site not in ("same-origin", "none")]
    if sites and not _is_link_to_the_page(scope):
        raise OriginError(
            403,
            f"Sec-Fetch-Site {_shown(sites[0])}: pages of other origins are refused, and no option allows them; "
            "type in the address, or call from the emulator's own page or a program",
        )


def _is_origin(origin: str, scheme: str, host: Authority) -> bool:
    url = _URL.fullmatch(origin)
    try:
        return bool(
            url and not url["rest"] and url["scheme"].lower() == scheme and Authority.parse(url["authority"], scheme) == host
        )
    except ValueError:
        return False


def _is_link_to_the_page(scope: Any) -> bool:
    """True if the browser goes to the page and shows it as a whole window, from which no other page can read."""
    wanted = scope["method"] in ("GET", "HEAD") and scope["path"] == "/"
    return wanted and (_values(scope, b"sec-fetch-mode"), _values(scope, b"sec-fetch-dest")) == (["navigate"], ["document"])


def _values(scope: Any, name: bytes) -> list[str]:
    return [value.decode("latin-1") for header, value in scope["headers"] if header == name]


def _shown(value: object) -> str:
    """A value as an error shows it: short, and without control characters."""
    text = ascii(value[:_SHOWN] if isinstance(value, str) else value)
    return text if len(text) <= _SHOWN + 2 else f"{text[:_SHOWN]}…"
