"""Programs that run inside the sandbox. Their text is sent there; nothing here is imported by the package."""
