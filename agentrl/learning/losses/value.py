"""The loss of a critic."""

import torch
from torch import Tensor

from agentrl.learning.batch import Batch


def value_loss(value_T: Tensor, batch: Batch, *, target_T: Tensor, clip: float | None = 0.5) -> Tensor:
    """Half of each value's squared distance from its target; moving it further than `clip` in one update gains nothing.

    Args:
        value_T: Of the critic that is trained, with its graph.
        batch: With `value_T`, the critic's before the update, if there is a clip.
        target_T: The returns that it is to expect.
        clip: How far; None: any distance.

    Shapes: value_T, target_T [T]; returns loss_T [T], unreduced; 0 off-action.
    Source: arXiv 1707.06347, section 5; verl core_algos.py, compute_value_loss. Checked: the code was read, not run.
    """
    squared_T = (value_T - target_T).square()
    if clip is not None:
        assert batch.value_T is not None, "the values before the update are needed: replace(batch, value_T=...)"
        clipped_T = value_T.clamp(batch.value_T - clip, batch.value_T + clip)
        squared_T = torch.maximum(squared_T, (clipped_T - target_T).square())
    return torch.where(batch.action_T, squared_T / 2, 0)
