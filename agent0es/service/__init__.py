"""The service: an OpenAI-compatible endpoint of the router, REST, pages.

It calls `runs/` and projections as the command line does, and holds no rule and no SQL.
"""
