"""Reactions: each reads one event, may call a port, and returns events. One per file; `dispatcher.py` runs them."""
