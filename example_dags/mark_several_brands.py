"""Three brands, each with a HubSpot account of its own, and five channels between them, in one DAG."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airflow.sdk import dag, task

from airflow_provider_hubchan.operators import UpdateMessageStatusOperator

BRANDS = Path(__file__).parent / "data" / "brands"
COLUMNS = ("updated", "skipped", "rejected", "unresolved")


@dag(schedule="@hourly", catchup=False, params={"brands": str(BRANDS)}, tags=["hubspot"])
def mark_several_brands() -> None:
    @task
    def list_batches(params: Any = None) -> list[dict[str, str]]:
        """One batch for each file ``<connection>/<channel>.csv``."""
        files = sorted(Path(params["brands"]).glob("*/*.csv"))
        return [{"hubchan_conn_id": file.parent.name, "channel_id": file.stem, "messages_file": str(file)} for file in files]

    batches = list_batches()
    marked = UpdateMessageStatusOperator.partial(
        task_id="mark",
        map_index_template="{{ task.hubchan_conn_id }} {{ task.channel_id }}",
        max_rejected=0.01,
        retries=2,
    ).expand_kwargs(batches)

    @task
    def tell(batches: Any, ti: Any = None) -> str:
        """What became of each batch, as a table; "-" for one that could not even begin."""
        reports = ti.xcom_pull(task_ids="mark", map_indexes=list(range(len(batches))))
        lines = ["| connection | channel | " + " | ".join(COLUMNS) + " |", "|---|---|" + "---:|" * len(COLUMNS)]
        for batch, report in zip(batches, reports, strict=True):
            counts = [str((report or {}).get(name, "-")) for name in COLUMNS]
            lines.append("| " + " | ".join([batch["hubchan_conn_id"], batch["channel_id"], *counts]) + " |")
        return "\n".join(lines)

    # A teardown runs whatever has happened, and the run is judged without it: by the batches.
    marked >> tell(batches).as_teardown()


mark_several_brands()
