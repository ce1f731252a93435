"""Programs that run on the other side, in bare interpreters: the standard library, and no more of it than they need."""
