"""What was expected beside what was seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Check:
    """One line of a scenario's table."""

    what: str
    expected: str
    seen: str
    holds: bool


def table(checks: Sequence[Check]) -> str:
    """All checks of a scenario; those that do not hold are marked."""
    rows = [("what", "expected", "seen", ""), *((c.what, c.expected, c.seen, "" if c.holds else "<-- NO") for c in checks)]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)


def same(what: str, expected: Any, seen: Any) -> Check:
    """Holds if both are equal."""
    return Check(what, _text(expected), _text(seen), expected == seen)


def at_most(what: str, bound: float, seen: float) -> Check:
    """Holds if what was seen is not above the bound."""
    return Check(what, f"at most {_text(bound)}", _text(seen), seen <= bound)


def at_least(what: str, bound: float, seen: float) -> Check:
    """Holds if what was seen is not below the bound."""
    return Check(what, f"at least {_text(bound)}", _text(seen), seen >= bound)


def counted(values: Iterable[str | None]) -> dict[str, int]:
    """How many there are of each."""
    return dict(sorted(Counter(map(str, values)).items()))


def differences(expected: Mapping[str, str | None], seen: Mapping[str, str | None]) -> int:
    """How many have another value in one than in the other."""
    return sum(expected.get(each, "none") != seen.get(each, "none") for each in expected.keys() | seen.keys())


def _text(value: Any) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case float():
            return f"{value:,.4g}"
        case dict():
            return ", ".join(f"{_text(number)} {name}" for name, number in value.items())
        case set() | tuple():
            return ", ".join(map(_text, sorted(value) if isinstance(value, set) else value))
    return str(value)
