"""What surrounds everything: a folder, processes that are ended in any case, an exit code."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

from tests.e2e.processes import Processes
from tests.e2e.scenarios import CONCURRENCY
from tests.e2e.waiting import say


def framed(play: Callable[[Processes, Path], int]) -> int:
    """Play in a folder of its own, and end every process whatever happens; gives the exit code."""
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.default_int_handler)  # as Ctrl-C does
    folder = Path(tempfile.mkdtemp(prefix="hubchan-e2e-"))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")}
    environment |= {"HUBCHAN_E2E_FOLDER": str(folder), "HUBCHAN_E2E_CONCURRENCY": str(CONCURRENCY)}
    processes = Processes(folder, environment)
    code = 1
    try:
        code = play(processes, folder)
    except KeyboardInterrupt:
        code = 128 + signal.SIGINT
    except Exception:
        traceback.print_exc()
        print(processes.tails(20))
    finally:
        for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(ending, signal.SIG_IGN)  # whoever is impatient now must not leave processes behind
        say("ending all processes")
        processes.stop()
        if code == 1:
            say(f"all logs are in {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
        say("done")
    return code
