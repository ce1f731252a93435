"""Datasets to adapters: a LoRA trainer in a process of its own, merging, and the merged GGUF."""
