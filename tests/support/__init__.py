"""Helpers for tests: a scripted model and ways to read a store."""
