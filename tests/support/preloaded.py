"""Everything that a run loads, loaded once: processes that are forked from this one start in a tenth of a second.

Importing it takes some seconds. Only one thread is used, because other threads would not survive the fork.
"""

import asyncio
from importlib import import_module

import torch

from agent0es.models.embedder import Embedder

for name in ("cli.progress", "handlers.evaluate_teacher", "handlers.propose", "handlers.train", "models.recorded"):
    import_module(f"agent0es.{name}")
torch.set_num_threads(1)
EMBEDDER = Embedder()
asyncio.run(EMBEDDER.embed(["a text, so that the model is loaded"]))
