"""Texts that a model might write, and that nothing may stumble over."""

HOSTILE = (
    "",
    " \t ",
    "\x00",
    "\x1b[2J",
    "\ud800",
    "\u202e12",
    "é😀",
    "]",
    "{n}",
    "%s",
    "'; import os; os.abort() #",
    "__import__('os').system('id')",
    "1/0",
    "9" * 5000,
    "(" * 3000,
    "-" * 200_000,
    "x\n" * 3000,
)
