"""Datasets to adapters: the port (`base.py`), and the trainer that comes with agent0es (`packed.py`), which trains LoRA
in a process of its own and merges it into one GGUF."""
