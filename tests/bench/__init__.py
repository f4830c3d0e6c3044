"""Measurements, each beside a peer of the same run: ``make bench``."""
