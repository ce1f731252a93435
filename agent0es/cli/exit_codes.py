"""Exit codes, as docs/commands.md has them."""

FAILED = 1
"""A fault of ours, or the answer is no."""
MISTAKE = 2
"""Something that the user can fix."""
INTERRUPTED = 130
"""Ctrl-C, as shells have it."""
