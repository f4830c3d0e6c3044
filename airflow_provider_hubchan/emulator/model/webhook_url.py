"""Where the events of a channel are sent: its ``webhookUrl``, or another address in its place, on this machine or anywhere."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import SplitResult, urlsplit

from airflow_provider_hubchan.emulator.model.authority import PORTS, Authority
from airflow_provider_hubchan.emulator.model.loopback import is_loopback

#: What a URL is written with: printable ASCII, without the backslash, which programs read in two ways.
_CHARACTERS: Final = re.compile(r"[!-\[\]-~]+")
#: Most characters of a URL that an error shows.
_SHOWN: Final = 200


def split_url(url: str) -> SplitResult | None:
    """The parts of an http or https URL that an event can be sent to, None if it is not one."""
    try:
        parts = urlsplit(url) if _CHARACTERS.fullmatch(url) else None
        # A host of the one grammar that there is for it: what programs read in several ways is none.
        is_good = parts and parts.scheme in PORTS and Authority.parse(parts.netloc, parts.scheme).port
        return parts if is_good else None
    except ValueError:
        return None


def invalid_url(url: str) -> str | None:
    """Why nothing can be sent to this URL, None if something can. It is not in the text: it may hold a password."""
    if split_url(url):
        return None
    return "webhookUrl is not an http or https URL: write it like https://bridge.example/hubspot, percent-encoded"


def delivery_url(url: str, via: str = "") -> str:
    """The URL that events are sent to; what is signed is always the channel's own.

    :param url: the channel's, for which `invalid_url` is None.
    :param via: scheme, host and port of a receiver, which gets the path and the query of *url*; empty for *url* itself.
    """
    if not via:
        return url
    parts, receiver = urlsplit(url), urlsplit(via)
    return parts._replace(scheme=receiver.scheme, netloc=receiver.netloc, fragment="").geturl()


def refusal(url: str, via: str = "", hosts: str = "loopback") -> str | None:
    """Why this emulator sends nothing to an http or https URL: it leads to another machine. None if it may.

    :param url: one for which `invalid_url` is None.
    :param via: see `delivery_url`.
    :param hosts: ``loopback``, or ``any`` to allow every host.
    """
    parts = urlsplit(delivery_url(url, via))
    host = Authority.parse(parts.netloc, parts.scheme).host
    if hosts == "any" or is_loopback(host):
        return None
    return (
        f"This emulator sends webhooks to this machine only, not to {host[:_SHOWN]!r}: give an address of "
        "127.0.0.1, or --webhook-via http://127.0.0.1:PORT to sign this one and send to that, or --webhook-hosts any "
        "(in Python webhook_via=, webhook_hosts=)"
    )


def check_webhook_url(url: str, via: str = "", hosts: str = "loopback") -> None:
    """Check a URL that events are to be sent to; the parameters are those of `refusal`.

    :raises ValueError: it is not a URL, or leads to another machine; says what to do.
    """
    if reason := invalid_url(url):
        raise ValueError(f"{reason}; it is {url[:_SHOWN]!r}")
    if reason := refusal(url, via, hosts):
        raise ValueError(reason)
