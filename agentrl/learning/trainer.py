"""Trainer: one optimizer step on a batch, by reinforcement or by imitation."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from agentrl.errors import ConfigError
from agentrl.learning.algorithms import Algorithm
from agentrl.learning.batch import Batch, drop_idle, split
from agentrl.learning.losses import LossSums
from agentrl.learning.optimizer import Optimizer, Schedule, constant
from agentrl.learning.policy import Policy


class Trainer:
    """Changes a policy in place.

    Args:
        policy: What is trained.
        optimizer: Made from `policy.parameters()`.
        algorithm: What `step` minimises; imitation needs none.
        schedule: Factor of the learning rates, as a function of the steps taken.
        max_tokens: Most tokens in one forward and backward pass; a longer sequence goes alone.
        max_norm: The gradient is scaled down to this norm.
        temperature: The one the batches are sampled at.
    """

    def __init__(
        self,
        policy: Policy,
        optimizer: Optimizer,
        algorithm: Algorithm | None = None,
        *,
        schedule: Schedule = constant,
        max_tokens: int = 8192,
        max_norm: float = 1.0,
        temperature: float = 1.0,
    ) -> None:
        self.policy = policy
        self.version = 0  # steps taken, those that were skipped included
        self.num_skipped = 0
        self._optimizer = optimizer
        self._algorithm = algorithm
        self._schedule = schedule
        self._max_tokens = max_tokens
        self._max_norm = max_norm
        self._temperature = temperature

    def step(self, batch: Batch) -> dict[str, float]:
        """Metrics of one step on a batch that has its advantages and weights.

        A step whose gradient is not finite, or on a batch in which nothing has an advantage, leaves the policy and the
        optimizer as they are; it is counted, and is a step all the same.
        """
        if self._algorithm is None:
            raise ConfigError("This trainer was made without an algorithm; give it one, or use sft_step.")
        useful = batch if self._algorithm.needs_idle else drop_idle(batch)
        sums: LossSums | None = None
        for part in self._parts(useful):
            loss, part_sums = self._loss(self._algorithm, part)
            loss.backward()
            sums = part_sums if sums is None else sums + part_sums
        metrics = {} if sums is None else sums.metrics()
        metrics["learn/idle_token_fraction"] = 1 - useful.num_tokens / batch.num_tokens
        return metrics | self._apply()

    def sft_step(self, batch: Batch, *, observation_weight: float = 0.0) -> dict[str, float]:
        """Metrics of one step towards saying what the batch says: mean cross-entropy of the tokens.

        Args:
            batch: Demonstrations; log-probabilities and rewards do not matter. Turns that are not valid are only
                context: what failed to be an action is nothing to imitate.
            observation_weight: What a token that the policy would not write counts, beside 1 for one that it would.
        """
        imitated_T = batch.action_T & batch.valid_U[batch.turn_T]
        weight_T = torch.where(imitated_T, 1.0, observation_weight).masked_fill(batch.action_T & ~imitated_T, 0.0)
        weight_T = torch.where(batch.position_T == 0, 0.0, weight_T)
        num_actions = int(imitated_T.sum())
        loss_sum, action_sum = 0.0, 0.0
        for part in self._parts(replace(batch, weight_T=weight_T / weight_T.sum())):
            assert part.weight_T is not None
            cross_entropy_T = -self.policy.logprobs(part, at_T=part.weight_T > 0).logprob_T
            loss = (cross_entropy_T * part.weight_T).sum()
            loss.backward()
            loss_sum += loss.item()
            action_sum += cross_entropy_T.detach()[part.action_T & (part.weight_T > 0)].sum().item()
        return {"learn/loss": loss_sum, "learn/action_loss": action_sum / max(num_actions, 1)} | self._apply()

    def state_dict(self) -> dict[str, Any]:
        """What is needed to go on, beside the policy's weights."""
        return {"version": self.version, "num_skipped": self.num_skipped, "optimizer": self._optimizer.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        self._optimizer.load_state_dict(state["optimizer"])
        self.version = state["version"]
        self.num_skipped = state["num_skipped"]

    def _parts(self, batch: Batch) -> list[Batch]:
        self._optimizer.zero_grad()
        return [part.to(self.policy.device) for part in split(batch, self._max_tokens)]

    def _loss(self, algorithm: Algorithm, part: Batch) -> tuple[Tensor, LossSums]:
        wants_entropy = algorithm.entropy_coefficient != 0
        output = self.policy.logprobs(part, temperature=self._temperature, entropy=wants_entropy)
        return algorithm.loss(output.logprob_T, part, output.entropy_T)

    def _apply(self) -> dict[str, float]:
        """Apply the gradient that has been added up, unless there is none or it is not finite."""
        parameters = [value for _, value in self.policy.parameters() if value.grad is not None]
        norm = clip_grad_norm_(parameters, self._max_norm).item() if parameters else 0.0
        factor = self._schedule(self.version)
        applied = bool(parameters) and norm < float("inf")  # False for a norm that is no number
        if applied:
            self._optimizer.step(factor)
        self._optimizer.zero_grad()
        self.num_skipped += not applied
        self.version += 1
        return {
            "learn/gradient_norm": norm,
            "learn/learning_rate_factor": factor,
            "learn/skipped": float(not applied),
            "learn/skipped_total": float(self.num_skipped),
        }
