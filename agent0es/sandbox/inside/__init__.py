"""Programs that run on the other side. Their text is sent there; nothing here is imported by the package."""
