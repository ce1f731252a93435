"""Servers of the four providers for tests, as their APIs are published in autumn 2026, with their streams and errors.

They hold no model: `words.py` writes. What they demand of a request, and how they put an answer, is the providers' own;
their real client libraries are pointed at them to show it.
"""
