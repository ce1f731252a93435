"""The command line: one file per command group. No logic of its own."""
