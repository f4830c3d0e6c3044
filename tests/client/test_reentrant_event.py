"""An event that a signal handler may set."""

from __future__ import annotations

import signal
import threading

from airflow_provider_hubchan.client.reentrant_event import ReentrantEvent


def test_a_signal_handler_may_set_what_the_main_thread_is_setting() -> None:
    """`threading.Event` would wait for a lock that its own thread holds, now and then: a stop that never ends."""
    event, calls = ReentrantEvent(), 0

    def handle(*_: object) -> None:
        nonlocal calls
        calls += 1
        event.set()

    before = signal.signal(signal.SIGALRM, handle)
    signal.setitimer(signal.ITIMER_REAL, 0.0002, 0.0002)
    try:
        while calls < 100:
            event.set()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
    assert event.wait(0.0)


def test_all_who_wait_are_woken_and_it_stays_set() -> None:
    """Each of them, and whoever comes later; before, nobody."""
    event, woken = ReentrantEvent(), list[bool]()
    assert not event.wait(0.0)
    threads = [threading.Thread(target=lambda: woken.append(event.wait(60.0))) for _ in range(8)]
    for thread in threads:
        thread.start()
    event.set()
    for thread in threads:
        thread.join()
    assert woken == [True] * 8
    assert event.wait(0.0)
    assert not ReentrantEvent().wait(-1.0)
