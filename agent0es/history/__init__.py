"""Time travel over the log: state at a position, replay, verification of decisions, forks, comparisons, what-if.

Nothing here calls a model, a tool or the network, and nothing here writes to the log: a fork is written and driven by
`runs`, like any other run.
"""
