"""Datasets to adapters: the port (`base.py`), and the trainer that comes with agent0es (`trainer.py`), which trains in
a process of its own, with an engine (`engine.py`) and a method (`methods/`)."""
