"""What moves an adapter: AdamW without weight decay, its averages in full or in 8 bits."""

from collections.abc import Sequence

import torch
from torch import Tensor

from agent0es.configuration import TrainingSettings
from agent0es.training.methods import learning_rate


def optimizer_of(parameters: Sequence[Tensor], settings: TrainingSettings) -> torch.optim.Optimizer:
    """The optimizer that `training.optimizer` names. On a GPU the 8-bit one's averages lie in pages that move to the
    CPU's memory when the GPU's is full. bitsandbytes keeps matrices of fewer than 4,096 values in full."""
    if settings.optimizer == "adamw":
        return torch.optim.AdamW(parameters, lr=learning_rate(settings), weight_decay=0.0)
    from bitsandbytes.optim import AdamW8bit, PagedAdamW8bit

    kind = PagedAdamW8bit if parameters[0].is_cuda else AdamW8bit
    made: torch.optim.Optimizer = kind(parameters, lr=learning_rate(settings), weight_decay=0.0)
    return made
