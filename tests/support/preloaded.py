"""Everything that a run loads, loaded once: processes that are forked from this one begin in a tenth of a second.

Importing it takes some seconds. One thread only: the pool of another one would not survive the fork.
"""

import asyncio

import torch

import agent0es.bootstrap
import agent0es.cli.main
import agent0es.cli.progress
import agent0es.handlers.evaluate_teacher
import agent0es.handlers.propose
import agent0es.handlers.train
import agent0es.models.recorded
import agent0es.models.scripted
import agent0es.projections
from agent0es.models.embedder import Embedder

torch.set_num_threads(1)
EMBEDDER = Embedder()
asyncio.run(EMBEDDER.embed(["a text, so that the model is loaded"]))
