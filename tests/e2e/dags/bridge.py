"""The bridge's DAGs, as Airflow has them from example_dags, if there is a gateway: every minute, or on signals."""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3] / "example_dags"))

if os.environ.get("GATEWAY_URL"):
    if (Path(os.environ["HUBCHAN_E2E_FOLDER"]) / "on-signals").exists():
        os.environ["SIGNAL_CONN_ID"] = "signals"
    from deliver_outbox import deliver_outbox
    from mark_receipts import mark_receipts

    deliver_outbox()
    mark_receipts()
