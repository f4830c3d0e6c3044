"""Faults: what they are, which answers they can give, which request they hit, and what the caller then gets to see."""
