"""Finding threads without going through all messages, while messages come and go."""

from __future__ import annotations

from airflow_provider_hubchan.emulator.model.thread_index import ThreadIndex
from airflow_provider_hubchan.emulator.model.world import World


def test_messages_that_were_removed_are_not_found() -> None:
    """Not even if as many others have come instead before the next look: another thread may be at it meanwhile."""
    world, index = World(), ThreadIndex()
    other = world.add_channel("7")
    message = world.add_reply("hello", to="+15550100", channel_id="7")
    assert index.latest(world.messages, message.thread) is message
    world.remove(other)
    later = [world.add_reply("hello", to="+15550100") for _ in range(2)][-1]
    assert index.latest(world.messages, message.thread) is None
    assert index.latest_with(world.messages, later.account.id, "+15550100") is later
    world.messages.clear()
    assert index.latest(world.messages, later.thread) is None
