"""Trainer: one optimizer step on a batch, by reinforcement or by imitation."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch import Tensor

from agentrl.errors import ConfigError
from agentrl.learning.algorithms import Algorithm
from agentrl.learning.batch import Batch, drop_idle, split
from agentrl.learning.imitation import Demonstrations, demonstration_weights
from agentrl.learning.losses import LossSums
from agentrl.learning.losses.total import survey_metrics
from agentrl.learning.optimizer import Optimizer, Schedule, apply_gradients, constant
from agentrl.learning.policy import Policy
from agentrl.learning.score import score


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

    def step(self, batch: Batch, demonstrations: Demonstrations | None = None) -> dict[str, float]:
        """Metrics of one step on a batch that has its advantages and weights, and on what is imitated beside it.

        A step whose gradient is not finite, or on a batch in which nothing has an advantage, leaves the policy and the
        optimizer as they are; it is counted, and is a step all the same.
        """
        if self._algorithm is None:
            raise ConfigError("This trainer was made without an algorithm; give it one, or use sft_step.")
        batch = self._surveyed(self._algorithm, batch)
        useful = batch if self._algorithm.needs_idle else drop_idle(batch)
        sums: LossSums | None = None
        self._optimizer.zero_grad()
        for part in self._parts(useful):
            loss, part_sums = self._loss(self._algorithm, part)
            loss.backward()
            sums = part_sums if sums is None else sums + part_sums
        metrics = {} if sums is None else sums.metrics()
        metrics |= survey_metrics(batch)
        metrics["learn/idle_token_fraction"] = 1 - useful.num_tokens / batch.num_tokens
        if demonstrations is not None:
            _, metrics["learn/imitation_action_loss"] = self._imitate(demonstrations)
        return metrics | self._apply()

    def sft_step(self, batch: Batch, *, observation_weight: float = 0.0) -> dict[str, float]:
        """Metrics of one step towards saying what the batch says: mean cross-entropy of the tokens.

        Args:
            batch: Demonstrations; log-probabilities and rewards do not matter. Turns that are not valid are only
                context: what failed to be an action is nothing to imitate.
            observation_weight: What a token that the policy would not write counts, beside 1 for one that it would.
        """
        self._optimizer.zero_grad()
        weight_T = demonstration_weights(batch, observation_weight=observation_weight)
        loss, action_loss = self._imitate(Demonstrations(replace(batch, weight_T=weight_T)))
        return {"learn/loss": loss, "learn/action_loss": action_loss} | self._apply()

    def state_dict(self) -> dict[str, Any]:
        """What is needed to go on, beside the policy's weights."""
        return {"version": self.version, "num_skipped": self.num_skipped, "optimizer": self._optimizer.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        self._optimizer.load_state_dict(state["optimizer"])
        self.version = state["version"]
        self.num_skipped = state["num_skipped"]

    def _surveyed(self, algorithm: Algorithm, batch: Batch) -> Batch:
        """The batch with what the surrogate must know of the whole of it, before anything is left out or split."""
        if algorithm.needs_step_logprobs:
            output = score(self.policy, batch, temperature=self._temperature, max_tokens=self._max_tokens)
            batch = replace(batch, step_logprob_T=output.logprob_T)
        return batch if algorithm.survey is None else algorithm.survey(batch)

    def _parts(self, batch: Batch) -> list[Batch]:
        return [part.to(self.policy.device) for part in split(batch, self._max_tokens)]

    def _loss(self, algorithm: Algorithm, part: Batch) -> tuple[Tensor, LossSums]:
        wants_entropy = algorithm.entropy_coefficient != 0
        output = self.policy.logprobs(part, temperature=self._temperature, entropy=wants_entropy)
        return algorithm.loss(output.logprob_T, part, output.entropy_T)

    def _imitate(self, demonstrations: Demonstrations) -> tuple[float, float]:
        """Add the gradient of the weighted cross-entropy: its value, and the mean over the imitated actions."""
        loss_sum, action_sum, num_actions = 0.0, 0.0, 0
        for part in self._parts(demonstrations.batch):
            assert part.weight_T is not None
            imitated_T = part.weight_T > 0
            logprob_T = self.policy.logprobs(part, at_T=imitated_T).logprob_T
            loss = -(logprob_T * part.weight_T * demonstrations.token_factor(logprob_T)).sum()
            loss.backward()
            loss_sum += loss.item()
            action_sum -= logprob_T.detach()[part.action_T & imitated_T].sum().item()
            num_actions += int((part.action_T & imitated_T).sum())
        return loss_sum, action_sum / max(num_actions, 1)

    def _apply(self) -> dict[str, float]:
        """Apply the gradient that has been added up, unless there is none or it is not finite."""
        factor = self._schedule(self.version)
        parameters = (value for _, value in self.policy.parameters())
        norm, applied = apply_gradients(self._optimizer, parameters, max_norm=self._max_norm, factor=factor)
        self.num_skipped += not applied
        self.version += 1
        return {
            "learn/gradient_norm": norm,
            "learn/learning_rate_factor": factor,
            "learn/skipped": float(not applied),
            "learn/skipped_total": float(self.num_skipped),
        }
