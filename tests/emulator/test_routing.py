"""The router: which template a path fits."""

from __future__ import annotations

import pytest

from airflow_provider_hubchan.emulator.routing import Match, Router

ROUTER = Router([("/a", 1), ("/a/{x}", 2), ("/a/{x}/b/{y}", 3), ("/a/new", 4), ("/", 5)])


@pytest.mark.parametrize(
    ("path", "match"),
    [
        ("/a", Match(1, {})),
        ("/a/", Match(1, {})),
        ("/a/7", Match(2, {"x": "7"})),
        ("/a/7%2F8", Match(2, {"x": "7/8"})),
        ("/a/%7Bx%7D", Match(2, {"x": "{x}"})),
        ("/%61/7", Match(2, {"x": "7"})),
        ("/a/7/b/8", Match(3, {"x": "7", "y": "8"})),
        ("/a//b/8", Match(3, {"x": "", "y": "8"})),
        ("/a/new", Match(4, {})),
        ("/", Match(5, {})),
        ("/a/7/b", None),
        ("/a/7/c/8", None),
        ("/a/new/b/8", None),
        ("/b", None),
    ],
)
def test_a_path_fits_one_template(path: str, match: Match[int] | None) -> None:
    """It is split before it is decoded, an id may be empty, and a word goes before a name."""
    assert ROUTER.match(path) == match
