"""How long a node may take from the lock to the open gate."""

READY = 30.0
"""Seconds, after which a promotion has failed."""
