"""What all of a process share who use the same account."""

from __future__ import annotations

import subprocess
import sys

#: Threads hold every lock that the package has at that moment, as they do while a token is fetched; then the process forks.
FORK_DURING_A_FETCH = """
import os, sys, threading
import airflow_provider_hubchan, airflow_provider_hubchan.assets, airflow_provider_hubchan.hooks
from airflow_provider_hubchan.client.models import Account
from airflow_provider_hubchan.client.shared_state import shared_state

def locks():
    modules = [module for name, module in sys.modules.items() if name.startswith("airflow_provider_hubchan")]
    return [lock for module in modules for lock in vars(module).values() if isinstance(lock, type(threading.Lock()))]

account = Account("http://127.0.0.1:9", refresh_token="r-1", access_token="t-1")
before = shared_state(account)
assert len(locks()) >= 2, "those of shared_state and assets"
fetching, is_over = threading.Event(), threading.Event()

def fetch():
    with before.tokens.exclusive(lambda: None):
        for lock in locks():
            lock.acquire()
        fetching.set()
        is_over.wait(60)

threading.Thread(target=fetch, daemon=True).start()
fetching.wait()
if not os.fork():
    assert all(lock.acquire(timeout=5) for lock in locks()), "a lock of a module is locked"
    for lock in locks():
        lock.release()
    state = shared_state(account)
    assert state.tokens.lock.acquire(timeout=5), "the lock of the token is locked"
    assert state.limiter.acquire(0.0, state.limiter.share()), "no permit"
    assert state.limiter is not before.limiter
    assert state.tokens.current(0.0, None).value == "t-1"
    os._exit(0)
_, status = os.wait()
is_over.set()
sys.exit(os.waitstatus_to_exitcode(status))
"""


def test_a_process_that_is_forked_during_a_token_fetch_can_send() -> None:
    """The thread that holds a lock is not in the child, so the locks are new; the quota is learned anew, the token stays."""
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORK_DURING_A_FETCH], capture_output=True, text=True, timeout=60, check=False
    )
    assert run.returncode == 0, run.stderr
