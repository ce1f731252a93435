"""The rules of the loop. Pure: no I/O, no clock, no global randomness, nothing of agent0es outside this package."""
