"""What follows from an event and the state: pure functions with explicit inputs, one file for each kind of decision.

`handlers/` act on them as a run goes on, and `history/` recomputes them from the log alone. Nothing here calls a model
or a tool or writes anything; where a decision rests on a tool's result, the caller gives a function that runs the
call, or that looks up what the log has of it.
"""
