"""Surrogates that let go of a token gradually, where clipping does at once."""

import torch
from torch import Tensor

from agentrl.learning.batch import Batch
from agentrl.learning.losses.ratio import advantage, log_ratio


def sapo(
    logprob_T: Tensor, batch: Batch, *, positive_temperature: float = 1.0, negative_temperature: float = 1.05
) -> Tensor:
    """Minus advantage times a sigmoid of the ratio, which has slope 1 at a ratio of 1 and flattens on both sides.

    Args:
        logprob_T: Of the policy that is trained.
        batch: With advantages.
        positive_temperature: How fast it flattens for an advantage (tau_pos).
        negative_temperature: How fast for the others (tau_neg).

    Shapes: logprob_T [T]; returns loss_T [T], unreduced; 0 off-action.
    Source: arXiv 2511.20347; verl core_algos.py, compute_policy_loss_sapo.
    """
    ratio_T, advantage_T = log_ratio(logprob_T, batch).exp(), advantage(batch)
    positive_T, negative_T = _gate(ratio_T, positive_temperature), _gate(ratio_T, negative_temperature)
    return torch.where(batch.action_T, -advantage_T * torch.where(advantage_T > 0, positive_T, negative_T), 0)


def quadratic(logprob_T: Tensor, batch: Batch, *, clip: float = 0.2) -> Tensor:
    """Minus advantage times ratio, plus a parabola that puts the optimum at a ratio of 1 + or - `clip`.

    Beyond the optimum, a token is pulled back; clipping would only let go of it.

    Shapes: logprob_T [T]; returns loss_T [T], unreduced; 0 off-action.
    Source: arXiv 2401.16025 (Simple Policy Optimization); MyRepositories-hub/Simple-Policy-Optimization,
        mujoco/trainer.py, compute_policy_loss. Checked: the code was read, not run. Not the Single-stream Policy
        Optimization of arXiv 2509.13232, whose advantages are what is new.
    Differs: advantages are not normalised here.
    """
    ratio_T, advantage_T = log_ratio(logprob_T, batch).exp(), advantage(batch)
    loss_T = advantage_T.abs() * (ratio_T - 1).square() / (2 * clip) - advantage_T * ratio_T
    return torch.where(batch.action_T, loss_T, 0)


def _gate(ratio_T: Tensor, temperature: float) -> Tensor:
    return torch.sigmoid(temperature * (ratio_T - 1)) * 4 / temperature
