"""Programs that run inside the sandbox, and the modules that they are made of: the standard library and SymPy, no more.

A program is a module with a `main`, which reads its data from standard input (`sandbox/programs.py`).
"""
