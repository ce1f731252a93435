"""One attempt from its first word to its submission, and who runs many.

What is to be attempted is a value, a `Rollout`; what comes of it are events, written as they happen through a recorder.
An `Executor` makes the one of the other: in this process today, on another engine if somebody writes one.
"""
