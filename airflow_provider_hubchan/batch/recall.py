"""What earlier tries of a task have done is accounted for, and not done again."""

from __future__ import annotations

from collections import Counter
from itertools import chain
from typing import Any

from airflow_provider_hubchan.batch.checkpoint import Checkpoint
from airflow_provider_hubchan.batch.dead_letters import Letters
from airflow_provider_hubchan.batch.report import Report
from airflow_provider_hubchan.batch.rows import RESULTS, Outcome, Result
from airflow_provider_hubchan.batch.store import Sheet
from airflow_provider_hubchan.client.errors import Problem


def recall(sheet: Sheet, checkpoint: Checkpoint, letters: Letters, report: Report) -> None:
    """Settle every update that the checkpoint has a mark for.

    Updated ones are *skipped* now, but for those of this same try: it only waited for HubSpot in between. Rejected and skipped
    ones stay what they are; their reasons are in the letters that the earlier try wrote, else a few of them are in the
    checkpoint.
    """
    carried: dict[Any, tuple[Result, int]] = {}
    for place, update in enumerate(sheet.updates()) if checkpoint.resumed else ():
        if (earlier := checkpoint.marks.get(place)) is None:
            continue
        result, attempt = earlier
        if result == "updated" and attempt == checkpoint.attempt:
            report.add(Outcome(update, "updated"))
        elif result == "updated":  # in another try; it is no dead letter
            report.add(Outcome(update, "skipped", Problem(f"done in try {attempt}", f"done in try {attempt}")))
        else:
            carried[update.row] = earlier
    for line in chain(letters.earlier(), checkpoint.problems) if carried else ():
        row: Any = line.get("row")
        if row not in carried or line.get("outcome") != carried[row][0]:
            continue
        update = sheet.update(row)
        if line.get("message_id") == update.message_id:
            result, attempt = carried.pop(row)
            report.add(Outcome(update, result, _problem(attempt, line)))
            letters.keep(line)
    for row, (result, attempt) in carried.items():
        outcome = Outcome(sheet.update(row), result, _problem(attempt, {}))
        report.add(outcome)
        letters.write(outcome, attempt)
    report.earlier = Counter({outcome: getattr(report, outcome) for outcome in RESULTS})
    letters.begin()


def _problem(attempt: int, line: dict[str, Any]) -> Problem:
    reason = line.get("reason") or f"decided in try {attempt}; the reason was not kept"
    return Problem(reason, f"decided in try {attempt}", None, line.get("category"), line.get("correlation_id"))
