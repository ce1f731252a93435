"""Where something comes from and what became of it: lineage, retractions and what they taint, the audit of tool calls.

Functions over events of a run, and over the tables folded from them. Nothing here writes.
"""
