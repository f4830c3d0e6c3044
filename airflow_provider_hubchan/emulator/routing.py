"""The router: which template a path fits, for HubSpot's addresses and for the control API.

Starlette's routes are not used, because an id in one of HubSpot's paths may be empty, and may hold an encoded slash.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, Generic, NamedTuple, TypeVar
from urllib.parse import unquote

Target = TypeVar("Target")

_ANY: Final = object()
_END: Final = object()


class Match(NamedTuple, Generic[Target]):
    """What a path stands for.

    :param ids: what the path has in the place of each name in braces, decoded.
    """

    target: Target
    ids: dict[str, str]


class Router(Generic[Target]):
    """Finds the template that a path fits.

    :param routes: templates like ``/messages/{messageId}``, in which a name in braces stands for one segment, and what each
        of them stands for. Where a segment fits both a word and a name, the word is taken.
    """

    def __init__(self, routes: Iterable[tuple[str, Target]]) -> None:
        self._root: dict[Any, Any] = {}
        for template, target in routes:
            node, names = self._root, []
            for part in _segments(template):
                is_name = part.startswith("{")
                names += [part[1:-1]] if is_name else []
                node = node.setdefault(_ANY if is_name else part, {})
            node[_END] = target, names

    def match(self, path: str) -> Match[Target] | None:
        """Find the template of a path, None if there is none.

        :param path: percent-encoded; it is split at its slashes before it is decoded. Slashes at its ends do not count.
        """
        node, values = self._root, []
        for segment in _segments(path):
            if segment in node:
                node = node[segment]
            elif _ANY in node:
                node = node[_ANY]
                values.append(segment)
            else:
                return None
        if _END not in node:
            return None
        target, names = node[_END]
        return Match(target, dict(zip(names, values, strict=True)))


def _segments(path: str) -> list[str]:
    segments = path.strip("/").split("/")
    return [unquote(segment) for segment in segments] if "%" in path else segments
