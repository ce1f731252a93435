"""Everything that a run loads, loaded once: processes that are forked from this one start in a tenth of a second.

Importing it takes some seconds. Only one thread is used, because other threads would not survive the fork.
"""

import asyncio
import threading
from importlib import import_module

import torch
from tqdm import tqdm

from agent0es.models.embedder import Embedder

for name in ("cli.progress", "handlers.evaluate_teacher", "handlers.propose", "handlers.train", "models.recorded"):
    import_module(f"agent0es.{name}")
torch.set_num_threads(1)
tqdm.monitor_interval = 0  # or it starts a thread that watches progress bars
# The lock that tqdm makes is shared by all processes that are forked from this one: a process that is killed while it
# holds it (the embedder takes it) would have all later ones wait for ever. Runs of their own share none.
tqdm.set_lock(threading.RLock())
EMBEDDER = Embedder()
asyncio.run(EMBEDDER.embed(["a text, so that the model is loaded"]))
