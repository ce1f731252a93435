"""A trained adapter in the forms in which engines take it: merged into its base, or as matrices beside it, as GGUF."""
