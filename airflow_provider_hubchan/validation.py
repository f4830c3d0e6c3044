"""Checks of what users give, shared by connection, hook, operator, sensor and notifier."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_hubchan.client.error_texts import MAX_TEXT, readable, shorten, shorten_all
from airflow_provider_hubchan.client.models import WRITABLE
from airflow_provider_hubchan.client.picklable_error import PicklableError

#: HubSpot's channels have 32-bit integers for ids (its OpenAPI files, the path of every call).
MAX_CHANNEL_ID = 2**31 - 1
#: Characters that are kept for how many faults there are beyond those that fit.
_END = 30
#: The longest duration, a hundred years: longer ones overflow where they are added to a time or waited for.
MAX_SECONDS = 100 * 365 * 24 * 3600
#: Characters of a path on Linux at most.
MAX_PATH = 4096
_CONTROL = re.compile("[\x00-\x1f\x7f]")
#: What opens an object store, by the scheme of its URIs.
_PACKAGES = {
    "s3": "apache-airflow-providers-amazon[s3fs]",
    "gs": "apache-airflow-providers-google",
    "abfs": "apache-airflow-providers-microsoft-azure",
}
_OTHER_PACKAGE = "the fsspec package of that file system"
#: What the argument *columns* may name.
COLUMNS = ("message_id", "status", "error_message", "channel_id")


@dataclass(frozen=True, slots=True)
class Check:
    """What must hold for arguments.

    :param names: the arguments that it looks at, in the order in which *faults* takes their values. It is left out while one
        of them has no value yet.
    :param faults: returns what is wrong, each with what to give instead.
    :param when_read: False for what only a worker can tell.
    """

    names: tuple[str, ...]
    faults: Callable[..., list[str]]
    when_read: bool = True


class WrongArguments(PicklableError, AirflowFailException, ValueError):
    """Arguments of a task or a notifier are wrong: an import error of the DAG, or the end of a task without a retry.

    :param subject: what is wrong, before the colon.
    :param faults: every fault, each with what to give instead; the text has as many as fit into 1,500 characters.
    """

    def __init__(self, subject: str, faults: Sequence[str]) -> None:
        self.faults = tuple(faults)
        super().__init__(f"{subject}: {join_faults(faults, MAX_TEXT - len(subject) - 3)}.")


def join_faults(faults: Sequence[str], size: int) -> str:
    """Faults as one text of at most *size* characters, with the number of those that did not fit."""
    text = "; ".join(faults)
    if len(text) <= size:
        return text
    fitting = list[str]()
    for fault in faults:
        if len("; ".join([*fitting, fault])) > size - _END:
            break
        fitting.append(fault)
    fitting = fitting or [f"{faults[0][: size - _END - 1]}…"]
    left = len(faults) - len(fitting)
    return "; ".join(fitting) + (f"; and {left:,} more" if left else "")


def find_faults(checks: Iterable[Check], values: Mapping[str, Any]) -> list[str]:
    """What is wrong with arguments, each with what to give instead.

    :param checks: to make, in this order; one is left out while an argument that it looks at has no value.
    :param values: of the arguments that have one, by their names.
    """
    faults = list[str]()
    for check in checks:
        if all(name in values for name in check.names):
            faults += check.faults(*(values[name] for name in check.names))
    return faults


def plain_text(value: Any) -> Any:
    """A text without what its class adds, of which Jinja and f-strings may make something else (a member of an enumeration
    whose values are texts becomes its name); anything else as it is.
    """
    return str.__str__(value) if isinstance(value, str) else value


def is_number(value: object) -> bool:
    """True for an int or a float, not for a bool."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_count(value: object, least: int) -> bool:
    """True for an int of at least *least*, not for a bool."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def is_share(value: object) -> bool:
    """True for a number from 0 to 1."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0.0 <= value <= 1.0


def seconds_faults(**arguments: Any) -> list[str]:
    """What is wrong with arguments that are durations, each with what to give instead.

    :param arguments: their values, by their names.
    """
    return [
        f"{name} is {shorten(value)}: give a number of seconds, not negative and at most {MAX_SECONDS:,}"
        for name, value in arguments.items()
        if not is_number(value) or not 0 <= value <= MAX_SECONDS
    ]


def concurrency_faults(concurrency: object) -> list[str]:
    """What is wrong with the argument *concurrency*."""
    if is_count(concurrency, least=1):
        return []
    return [f"concurrency is {shorten(concurrency)}: give the number of requests in flight at most, from 1"]


def channel_id_faults(channel_id: object, name: str) -> list[str]:
    """What is wrong with a channel ID, if there is one; with such an ID HubSpot would refuse every row.

    :param name: how its user calls it.
    """
    text = "" if channel_id is None else str(channel_id).strip()
    if not text or (re.fullmatch("[0-9]{1,10}", text) and 0 < int(text) <= MAX_CHANNEL_ID):
        return []
    return [f"{name} is {shorten(text)}, not the number of a channel, like 100200"]


def channel_id_check() -> Check:
    """The check of the argument *channel_id*."""
    return Check(("channel_id",), lambda channel_id: channel_id_faults(channel_id, "channel_id"))


def flag_check(name: str) -> Check:
    """The check of an argument that is True or False: of the text ``"False"`` Python says that it is true."""
    return Check(
        (name,),
        lambda value: [] if isinstance(value, bool) else [f"{name} is {shorten(value)}: give True or False; it is no template"],
    )


def seconds_check(name: str, *, optional: bool = False) -> Check:
    """The check of an argument that is a duration.

    :param optional: True if None means no limit.
    """
    return Check((name,), lambda value: [] if optional and value is None else seconds_faults(**{name: value}))


def path_text(value: Any) -> Any:
    """The text of a path or an `ObjectStoragePath`, with its connection; anything else as it is."""
    if value is None or isinstance(value, str):
        return value
    from airflow.sdk import ObjectStoragePath  # most tasks give a text, and its import takes long

    return str(value) if isinstance(value, os.PathLike | ObjectStoragePath) else value


def store_check(name: str) -> Check:
    """The check that a worker can open an argument that names a place. Other faults show when it is opened."""

    def faults(value: object) -> list[str]:
        scheme, is_uri, _ = str(path_text(value)).partition("://")
        if not is_uri:
            return []
        from airflow.sdk import ObjectStoragePath

        try:
            ObjectStoragePath(path_text(value)).fs  # noqa: B018  # a missing provider is noticed here
        except (ImportError, ValueError) as error:
            package = _PACKAGES.get(scheme, _OTHER_PACKAGE)
            return [
                f"{name} is at {readable(scheme, 30)}://, which nothing here can open ({readable(str(error), 200)}): install "
                f"{package} on the workers"
            ]
        return []

    return Check((name,), faults, when_read=False)


def path_check(name: str) -> Check:
    """The check of an argument that names a place, None if there is none."""

    def faults(value: object) -> list[str]:
        value = path_text(value)
        if value is None:
            return []
        if not isinstance(value, str):
            return [f"{name} is {shorten(value)}: give a path, a URI or an ObjectStoragePath"]
        if len(value) > MAX_PATH or _CONTROL.search(value):
            return [
                f"{name} is {shorten(value)}, {len(value):,} characters long or with a line end: give the path, not the content"
            ]
        if match := re.match("([A-Za-z][A-Za-z0-9+.-]{1,20}):/(?!/)", value):
            return [f"{name} begins with {match[0]}, which is no URI: give the text {match[1]}://…, or an ObjectStoragePath"]
        return blank_faults(value, name)

    return Check((name,), faults)


def blank_faults(value: object, name: str) -> list[str]:
    """What is wrong with a text that may not be empty; None is an argument that was not given."""
    if value is None or (isinstance(value, str | int) and not isinstance(value, bool) and str(value).strip()):
        return []
    if isinstance(value, str):
        return [f"{name} is empty: its template rendered to nothing"]
    return [f"{name} is {shorten(value)}: give a text"]


def text_check(name: str) -> Check:
    """The check of an argument that is a text and may not be empty, None if it is not given. Native rendering makes ints."""
    return Check((name,), lambda value: blank_faults(value, name))


def error_message_faults(value: Any) -> list[str]:
    """What is wrong with the argument *error_message*; a code is a number to a DAG that renders native objects."""
    if value is None or isinstance(value, str) or (is_number(value) and math.isfinite(value)):
        return []
    return [f"error_message is {shorten(value)}: give a text, or the number of a code"]


def status_faults(status: object) -> list[str]:
    """What is wrong with the argument *status*: it is for all rows, so it is not a fault of each of them."""
    if status is None or (isinstance(status, str) and status in WRITABLE):
        return []
    return [f"status is {shorten(status)}, not one of {', '.join(WRITABLE)}; for a gateway's words use statuses="]


def max_rejected_faults(max_rejected: object) -> list[str]:
    """What is wrong with the argument *max_rejected*."""
    if is_count(max_rejected, least=0) or (isinstance(max_rejected, float) and is_share(max_rejected)):
        return []
    return [f"max_rejected is {shorten(max_rejected)}: give a count like 10, or a share of the rows like 0.01"]


def columns_faults(columns: object) -> list[str]:
    """What is wrong with the argument *columns*, which leads from our names to those of the rows."""
    if columns is None:
        return []
    example = 'give our names with those of the rows, like {"message_id": "client_ref"}'
    if not isinstance(columns, Mapping):
        return [f"columns is a {type(columns).__name__}: {example}"]
    faults = []
    if strange := [name for name in columns if name not in COLUMNS]:
        faults.append(f"columns has {shorten_all(strange)}, not of {', '.join(COLUMNS)}: {example}")
    bad = {
        name: theirs
        for name, theirs in columns.items()
        if theirs is not None and not (isinstance(theirs, str) and theirs.strip())
    }
    if templates := {name: theirs for name, theirs in columns.items() if _is_template(theirs)}:
        faults.append(
            f"columns has {_list_pairs(templates)}: it is no template, and nothing renders it; give the names themselves"
        )
    if bad:
        faults.append(f"columns has {_list_pairs(bad)}: give the name of a column, or None if the rows have none")
    if columns.get("message_id", "") is None:
        faults.append("columns has None for message_id: a row without an id cannot be sent, name the column that has it")
    return faults


def statuses_faults(statuses: object) -> list[str]:
    """What is wrong with the argument *statuses*, which leads from a gateway's words to statuses."""
    if statuses is None:
        return []
    if not isinstance(statuses, Mapping):
        return [f'statuses is a {type(statuses).__name__}: give a mapping of words to statuses, like {{"delivered": "SENT"}}']
    faults = []
    if bad := [word for word in statuses if not _is_word(word)]:
        faults.append(f"statuses has {shorten_all(bad)}: a gateway's word is a text or a whole number")
    if templates := {word: to for word, to in statuses.items() if _is_template(word)}:
        faults.append(
            f"statuses has {_list_pairs(templates)}: it is no template, and nothing renders it; give the words themselves"
        )
    meanings = {word: status for word, status in statuses.items() if _is_word(word)}
    if unusable := {word: status for word, status in meanings.items() if status is not None and not _is_status(status)}:
        faults.append(f"statuses has {_list_pairs(unusable)}: give {', '.join(WRITABLE)}, or None for a word that is not final")
    spellings: dict[str, list[Any]] = {}
    for word in meanings:
        spellings.setdefault(str(plain_text(word)).strip().casefold(), []).append(word)
    twice = [words for words in spellings.values() if any(meanings[word] != meanings[words[0]] for word in words)]
    if twice:
        named = shorten_all([word for words in twice for word in words])
        faults.append(f"statuses has {named} with several meanings, and capitals do not count: leave all but one of each out")
    return faults


def message_statuses_faults(name: str, statuses: object, least: int) -> list[str]:
    """What is wrong with an argument that is a collection of statuses.

    :param name: of the argument.
    :param least: how many it must have.
    """
    is_collection = isinstance(statuses, Collection) and not isinstance(statuses, str | Mapping)
    if is_collection and len(statuses) >= least and all(map(_is_status, statuses)):  # type: ignore[arg-type, call-overload]
        return []
    return [f"{name} is {shorten(statuses)}: give some of {', '.join(WRITABLE)} as a tuple"]


#: Checks of the arguments of a batch, whoever starts it.
BATCH_CHECKS = (
    channel_id_check(),
    Check(("status",), status_faults),
    Check(("error_message",), error_message_faults),
    Check(("columns",), columns_faults),
    Check(("statuses",), statuses_faults),
    Check(("max_rejected",), max_rejected_faults),
    Check(("concurrency",), concurrency_faults),
    flag_check("dry_run"),
    flag_check("compare_before_write"),
    seconds_check("not_found_grace"),
)


def _is_template(value: object) -> bool:
    return isinstance(value, str) and ("{{" in value or "{%" in value)


def _is_word(word: object) -> bool:
    return isinstance(word, str | int) and not isinstance(word, bool) and bool(str(plain_text(word)).strip())


def _is_status(status: object) -> bool:
    return isinstance(status, str) and status in WRITABLE


def _list_pairs(pairs: Mapping[Any, object], most: int = 20) -> str:
    named = [f"{shorten(key)}: {shorten(value)}" for key, value in list(pairs.items())[:most]]
    more = f" and {len(pairs) - most:,} more" if len(pairs) > most else ""
    return ", ".join(named) + more
