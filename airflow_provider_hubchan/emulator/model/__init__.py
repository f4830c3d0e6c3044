"""What the emulator holds: accounts, apps, tokens, channels, messages, its clock, its limits and its settings."""
