"""How errors quote values that others made: on one line, short, without what a log cannot hold."""

from __future__ import annotations

import re
import reprlib
from collections.abc import Iterable

#: Characters of an exception's text at most: it is a line of a log and a cell of a page.
MAX_TEXT = 1500
#: Control characters, line ends, and what changes the direction in which a text is shown.
_UNREADABLE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]+")
_HALF_CHARACTERS = re.compile("[\ud800-\udfff]")


def readable(text: str, max_length: int = MAX_TEXT) -> str:
    """A text that any log can hold: one line, no control characters, no lone surrogates, and if it is long, its ends."""
    if len(text) > max_length:
        end = max_length // 3
        text = f"{text[: max_length - end - 3]} … {text[-end:]}"
    return _HALF_CHARACTERS.sub("\ufffd", _UNREADABLE.sub(" ", text))


def format_error(error: BaseException, max_length: int = 300) -> str:
    """Class and text of an exception, ``KeyError: 'row'``; the class alone if there is no text, or none can be made.

    :param max_length: characters of the text at most.
    """
    try:
        text = readable(str(error), max_length).strip()
    except Exception:  # a fault of the exception's own must not replace what it is about
        text = ""
    name = readable(type(error).__name__, 100)
    return f"{name}: {text}" if text else name


def shorten(value: object, length: int = 30) -> str:
    """A value as an error quotes it: on one line and short, whatever it is.

    :param length: characters of a text at most.
    """
    quoting = reprlib.Repr()
    quoting.maxstring = quoting.maxother = length
    try:
        return readable(quoting.repr(value), max(length, 200))
    except Exception:  # it is the user's, or a number of 5,000 digits
        return f"a {type(value).__name__}"


def shorten_all(values: Iterable[object], most: int = 20, length: int = 40) -> str:
    """Values as an error lists them, and how many there are beyond the first *most*."""
    named = [shorten(value, length) for value in values]
    return ", ".join(named[:most]) + (f" and {len(named) - most:,} more" if len(named) > most else "")


def count_of(number: int, noun: str) -> str:
    """A number and what is counted: ``1 row``, ``2,000 rows``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def are(number: int) -> str:
    """The verb for so many: ``is`` or ``are``."""
    return "is" if number == 1 else "are"
