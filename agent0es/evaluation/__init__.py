"""Held-out problems, and what a difference between two ways of answering them is worth."""
