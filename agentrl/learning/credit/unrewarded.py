"""No credit at all, for algorithms that learn from the other terms of the loss."""

import torch
from torch import Tensor

from agentrl.learning.batch import Batch


def unrewarded(batch: Batch) -> Tensor:
    """Advantage of each token: 0, whatever was earned. Distillation of a teacher needs no reward.

    Shapes: returns advantage_T [T]; all 0.
    Source: our own.
    """
    return torch.zeros_like(batch.sampled_logprob_T)
