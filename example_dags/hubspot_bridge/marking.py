"""What HubSpot has answered about, by the operator's report file: a task for the DAGs that mark."""

from __future__ import annotations

import json
import logging
from typing import Any

from airflow.sdk import ObjectStoragePath, task

from hubspot_bridge.settings import open_outbox

log = logging.getLogger(__name__)


@task(trigger_rule="all_done")
def note_marked(rows: Any, report: Any, keep_rejected: bool = False) -> int:
    """Note which rows HubSpot has answered about, so that they are not sent again and again.

    As a teardown it runs whatever has become of the rows, and the run is judged without it. If it does not run, or if the
    worker that marked was killed without a report, the next run sends the same rows again, which does no harm.

    :param rows: what was to be marked, None if there was nothing.
    :param report: what the operator returned; its report file has every row that was not updated.
    :param keep_rejected: leave what HubSpot rejected to another DAG, which tries it again.
    :return: how many rows were noted.
    :raises FileNotFoundError: this worker cannot see the report file that another worker has written.
    """
    if not rows or not report or not report["report_file"]:
        return 0
    try:
        lines = ObjectStoragePath(report["report_file"]).read_text().splitlines()
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"This worker cannot see {report['report_file']}. Set the DAG's param folder to a place that all workers reach, "
            "like s3://bridge/reports. Until then each run sends the same statuses again."
        ) from error
    left = {line["message_id"]: line for line in map(json.loads, lines)}
    unresolved = {message_id for message_id, line in left.items() if line["outcome"] == "unresolved"}
    if len(unresolved) != report["unresolved"]:  # a file that is not complete would make rows look as if they were updated
        log.warning("%s does not have all rows that are unresolved: nothing is noted.", report["report_file"])
        return 0
    rejected = {message_id: str(line["reason"]) for message_id, line in left.items() if line["outcome"] == "rejected"}
    open_ids = unresolved | (set(rejected) if keep_rejected else set())
    answered = [row for row in rows if row["message_id"] not in open_ids]
    with open_outbox() as outbox:
        outbox.note_marked(answered, rejected)
    return len(answered)
