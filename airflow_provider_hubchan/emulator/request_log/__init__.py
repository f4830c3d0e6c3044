"""The requests that the emulator received and how it answered them, without their secrets."""
