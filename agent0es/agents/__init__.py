"""The two agents as pure functions: prompt in, parsed decision out. Acting on a decision is the handlers' work."""
