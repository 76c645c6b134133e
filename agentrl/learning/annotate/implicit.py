"""A process reward model that learns from outcomes alone: its reward for a token is a log ratio (OPRL, PRIME)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Literal, TypeAlias

import torch
from torch import Tensor

from agentrl.learning.algorithms import Algorithm
from agentrl.learning.annotate.annotator import Annotator, Materials
from agentrl.learning.batch import Batch
from agentrl.learning.checkpoint import load_trainer, save_trainer
from agentrl.learning.credit.outcome import reinforce
from agentrl.learning.credit.process import (
    outcome_cross_entropy,
    trajectory_dpo,
    turn_mean_score,
    turn_mean_weight,
)
from agentrl.learning.losses import ratio
from agentrl.learning.losses.aggregation import token_sum
from agentrl.learning.optimizer import adamw
from agentrl.learning.score import score
from agentrl.learning.segments import segment_sum
from agentrl.learning.trainer import Trainer
from agentrl.trajectory import Group

LossName: TypeAlias = Literal["trajectory_dpo", "cross_entropy"]

# A loss that is linear in log-probabilities is REINFORCE's, with minus its slopes as advantages.
LINEAR = Algorithm(credit=reinforce, surrogate=ratio.reinforce, aggregation=token_sum)


def implicit_reward(
    materials: Materials,
    *,
    loss: LossName = "trajectory_dpo",
    beta: float = 0.05,
    learning_rate: float = 1e-6,
    max_norm: float = 10.0,
) -> Annotator:
    """`process_reward_T`: beta times the log ratio of a second model to who sampled the token.

    The model starts as a copy of the policy and learns, from each batch after it has scored it, to tell successes
    from failures: by "trajectory_dpo", which pairs those of a group, or by "cross_entropy" with the outcome.

    Args:
        materials: What to make it of.
        loss: What it learns by.
        beta: Of the log ratio, in the rewards and in the loss.
        learning_rate: Of AdamW, constant.
        max_norm: The gradient is scaled down to this norm.

    Source: arXiv 2509.19199 (OPRL), section 4; CharacterRL-iStar dp_rm.py, rm_utils.py. "cross_entropy": arXiv
        2502.01456 (PRIME), section 3.
    Differs: the reference code of OPRL detaches the log ratios before its loss, so that its model is never trained;
        what the log ratio is taken to is who sampled, as there, and not a frozen reference.
    """
    model = materials.load_start()
    optimizer = adamw(model.parameters(), learning_rate=learning_rate)
    trainer = Trainer(
        model,
        optimizer,
        LINEAR,
        max_tokens=materials.max_tokens,
        max_norm=max_norm,
        temperature=materials.temperature,
    )
    return ImplicitReward(trainer, materials, LOSSES[loss], beta)


SlopeLoss: TypeAlias = Callable[[Tensor, Batch], tuple[Tensor, Tensor]]  # (process_reward_T, batch) -> loss, slope_T


class ImplicitReward:
    """The annotator: a model, and its trainer."""

    def __init__(self, trainer: Trainer, materials: Materials, loss: SlopeLoss, beta: float) -> None:
        self.model = trainer.policy
        self._trainer = trainer
        self._materials = materials
        self._loss = loss
        self._beta = beta

    def annotate(self, batch: Batch, groups: Sequence[Group]) -> Batch:
        """The batch with the process rewards of the model as it is."""
        scored = score(
            self.model, batch, temperature=self._materials.temperature, max_tokens=self._materials.max_tokens
        )
        log_ratio_T = scored.logprob_T - batch.behavior_logprob_T
        return replace(batch, process_reward_T=torch.where(batch.action_T, self._beta * log_ratio_T, 0))

    def update(self, batch: Batch) -> Mapping[str, float]:
        """One step of the model on the batch that it has scored.

        The loss compares whole trajectories, which need not be in memory together: what it changes by, per token, is
        known from the scores, and is given to each token before the batch is cut up.
        """
        assert batch.process_reward_T is not None
        loss, slope_T = self._loss(batch.process_reward_T.double(), batch)
        advantage_T = -self._beta * slope_T.to(batch.sampled_logprob_T.dtype)
        weighed = replace(batch, advantage_T=advantage_T, weight_T=token_sum(batch))
        metrics = self._trainer.step(weighed)
        return {
            "learn/process_reward_loss": float(loss),
            "learn/process_reward_gradient_norm": metrics["learn/gradient_norm"],
            "learn/process_reward_skipped_total": metrics["learn/skipped_total"],
        }

    def save(self, directory: Path) -> None:
        """Write the model and its optimizer."""
        save_trainer(self._trainer, directory)

    def load(self, directory: Path) -> None:
        """Go on with the model and the optimizer that were saved."""
        load_trainer(self._trainer, directory)


def _trajectory_dpo(process_reward_T: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
    loss = trajectory_dpo(turn_mean_score(process_reward_T, batch), batch)
    return loss.loss, turn_mean_weight(loss.weight_B, batch)


def _cross_entropy(process_reward_T: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
    score_B = segment_sum(process_reward_T, batch.trajectory_T, batch.num_trajectories)
    loss = outcome_cross_entropy(score_B, batch)
    return loss.loss, torch.where(batch.action_T, loss.weight_B[batch.trajectory_T], 0)


LOSSES: Mapping[LossName, SlopeLoss] = MappingProxyType(
    {"trajectory_dpo": _trajectory_dpo, "cross_entropy": _cross_entropy}
)
