"""What a callback's context tells: which messages, and why they were not delivered, in words for those who read the inbox.
And what the callback's log says at the end.

The context of a task's callback is rich. That of a DAG run's or a deadline's is thin: ask it for everything with ``get``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from reprlib import repr as shown
from typing import Any

from airflow.sdk.log import redact  # type: ignore[attr-defined]  # it is there for Airflow's own logs, in 3.2 and 3.3

from airflow_provider_hubchan.batch.report import Report
from airflow_provider_hubchan.batch.rows import numbered
from airflow_provider_hubchan.client.errors import BadInput
from airflow_provider_hubchan.row_files import as_data

#: Letters of a cause at most.
LONGEST = 300


def rows_of(context: Any, messages: Any, task_id: str | None, key: str) -> list[tuple[int, object]]:
    """The rows to mark, numbered from 1.

    :param messages: as they were given, rendered; None to take them from XCom.
    :param task_id: whose XCom it is.
    :param key: its key.
    :raises BadInput: if these are no rows.
    """
    if task_id is not None:
        ti = context.get("ti")
        if ti is None:
            raise BadInput("there is no task instance here, so messages_task_id leads nowhere: give messages instead.")
        messages = ti.xcom_pull(task_ids=task_id, key=key)
        if messages is None:
            raise BadInput(f"task {task_id!r} has pushed no {key!r} in this run, so it is not known which messages to mark.")
    messages = as_data(messages)
    if isinstance(messages, str):
        raise BadInput(f"messages is the text {shown(messages)}, which is no JSON: let its template end with | tojson.")
    return list(numbered(messages))


def cause_of(context: Any, secrets: Iterable[str]) -> str:
    """Class and first line of the context's exception; without one, what is known of DAG, task and run.

    Secrets are covered first, in the whole text: nobody would find half a secret after a cut.

    :param secrets: to be covered beside those that Airflow's masker knows.
    """
    exception = context.get("exception")
    text = covered(_where(context) if exception is None else _what(exception), secrets).strip()
    first = " ".join((text.splitlines() or [""])[0].split())
    return first if len(first) <= LONGEST else f"{first[: LONGEST - 1]}…"


def covered(text: str, secrets: Iterable[str] = ()) -> str:
    """A text without secrets, and without halves of characters, which could not be sent."""
    for secret in secrets:
        text = text.replace(secret, "***")
    return str(redact(text)).encode(errors="replace").decode()


def _what(exception: BaseException | str) -> str:
    """Class and text of an exception."""
    if isinstance(exception, str):
        return exception
    try:
        text = str(exception).strip()
    except Exception:  # its own mistake must not hide that the delivery failed
        text = ""
    return f"{type(exception).__name__}: {text}" if text else type(exception).__name__


def _where(context: Any) -> str:
    """What is known of a failure without an exception."""
    run, ti, reason = context.get("dag_run"), context.get("ti"), context.get("reason")
    run = run if isinstance(run, dict) else {}
    known = {
        "DAG": getattr(context.get("dag") or ti, "dag_id", None) or run.get("dag_id"),
        "task": None if reason else getattr(ti, "task_id", None),  # with a reason it is the run's, and the task is any of it
        "run": context.get("run_id") or getattr(ti, "run_id", None) or run.get("dag_run_id"),
        "reason": reason,
    }
    named = ", ".join(f"{name} {value}" for name, value in known.items() if value)
    what = "Not delivered before the deadline" if "deadline" in context else "Not delivered"
    return f"{what}: {named}" if named else what


@dataclass
class Tally:
    """What became of one call.

    :param rows: messages to mark.
    :param left_out: messages beyond the limit.
    """

    report: Report = field(default_factory=Report)
    rows: int = 0
    left_out: int = 0

    def __str__(self) -> str:
        words = [f"Marked by a callback: {self.report.counts()}."]
        if reasons := self.report.top_reasons():
            words.append(f"Not updated: {reasons}.")
        for first in self.report.problems[:1]:
            words.append(f"The first is row {first['row']}, {first['message_id']}: {first['reason']}")
        if self.left_out:
            words.append(f"{self.left_out:,} more were not sent, for the limit is {self.rows:,}; a task marks any number.")
        return " ".join(words)
