"""Imitation beside reinforcement: how much demonstrations count in a step, and which of their tokens."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TypeAlias

import torch
from torch import Tensor

from agentrl.choice import checked_arguments, choose
from agentrl.errors import ConfigError
from agentrl.learning.algorithms import Algorithm
from agentrl.learning.batch import Batch
from agentrl.learning.optimizer import Schedule, constant
from agentrl.learning.policy import Policy
from agentrl.learning.score import score

TokenFactor: TypeAlias = Callable[[Tensor], Tensor]  # logprob_T -> factor_T of the loss of each token, without a graph


def all_alike(logprob_T: Tensor) -> Tensor:
    """1 for every token.

    Shapes: logprob_T [T]; returns [T].
    """
    return torch.ones_like(logprob_T)


def uncertain(logprob_T: Tensor) -> Tensor:
    """The probability of the token times its complement: little for what the policy knows, or cannot yet say.

    Shapes: logprob_T [T]; returns [T].
    Source: arXiv 2508.11408 (CHORD), section 4; Trinity-RFT chord_policy_loss.py, phi_function. Checked: the code was
        read, not run.
    """
    probability_T = logprob_T.detach().exp()
    return probability_T * (1 - probability_T)


@dataclass(frozen=True, slots=True, kw_only=True)
class Imitation:
    """How demonstrations join a step: L = reinforcement x L_reinforcement + share x scale x L_imitation."""

    script: str  # who demonstrates: a script of the suite
    trajectories: int  # of it, a step
    share: Schedule  # of the imitation, by the steps taken
    reinforcement: Schedule = constant
    scale: Callable[[float], float] | None = None  # by the policy's mean entropy on the demonstrations, if it matters
    token_factor: TokenFactor = all_alike


def chord(
    *,
    script: str = "expert",
    trajectories: int = 8,
    peak: float = 0.1,
    floor: float = 0.1,
    warmup_steps: int = 0,
    decay_steps: int = 0,
    phi: bool = True,
) -> Imitation:
    """Imitation counts mu, reinforcement 1 - mu; mu rises to `peak`, then falls to `floor` along half a cosine.

    Args:
        script: Who demonstrates.
        trajectories: How many of the script's are imitated a step.
        peak: The largest mu.
        floor: The last one.
        warmup_steps: Over which it rises from 0.
        decay_steps: Over which it falls after that.
        phi: Weigh each token by p (1 - p), so that neither what the policy knows nor what would tear it apart counts.

    Source: arXiv 2508.11408 (CHORD), section 4; Trinity-RFT chord_policy_loss.py, mu_schedule_function, SFTPhiLossFn.
        Checked: the code was read, not run.
    Differs: the loss is a mean over the tokens of an optimizer step, whatever fits a forward pass; demonstrations are
        played while training, by a script.
    """
    if not (0 <= floor <= 1 and 0 <= peak <= 1 and warmup_steps >= 0 and decay_steps >= 0):
        raise ConfigError(
            f"chord needs shares between 0 and 1 and steps that are not negative; got peak = {peak}, floor = {floor}, "
            f"warmup_steps = {warmup_steps}, decay_steps = {decay_steps}."
        )

    def share(step: int) -> float:
        if step < warmup_steps:
            return step / warmup_steps * peak
        if step >= warmup_steps + decay_steps:
            return floor
        return floor + (peak - floor) * 0.5 * (1 + math.cos(math.pi * (step - warmup_steps) / decay_steps))

    return Imitation(
        script=script,
        trajectories=trajectories,
        share=share,
        reinforcement=lambda step: 1 - share(step),
        token_factor=uncertain if phi else all_alike,
    )


def srft(*, script: str = "expert", trajectories: int = 8, factor: float = 0.5) -> Imitation:
    """Imitation counts `factor` x exp(-entropy), beside all of reinforcement: less where it would cost more certainty.

    Args:
        script: Who demonstrates.
        trajectories: How many of the script's are imitated a step.
        factor: Of the imitation.

    Source: arXiv 2506.19767 (SRFT), section 4.
    Differs: demonstrations are imitated and are no members of the groups that are compared; the factor that the paper
        gives to successful samples of the policy itself is not offered. Checked: from the paper's text alone.
    """
    return Imitation(
        script=script,
        trajectories=trajectories,
        share=constant,
        scale=lambda entropy: factor * math.exp(-entropy),
    )


IMITATION: Mapping[str, Callable[..., Imitation]] = MappingProxyType({"chord": chord, "srft": srft})


def imitation_of(recipe: Algorithm) -> Imitation | None:
    """What is imitated beside reinforcement; None where nothing is.

    Raises:
        ConfigError: There is no such imitation, it takes no such argument, or a number makes no sense.
    """
    if recipe.imitation is None:
        return None
    name, arguments = recipe.imitation.name, recipe.imitation.arguments
    make = choose(IMITATION, name, "imitation")
    imitation: Imitation = make(**checked_arguments(make, arguments, f"The imitation {name!r}"))
    if imitation.trajectories < 1:
        raise ConfigError(f"The imitation {name!r} needs at least one trajectory a step; got {imitation.trajectories}.")
    return imitation


@dataclass(frozen=True, slots=True)
class Demonstrations:
    """What is imitated in one optimizer step."""

    batch: Batch  # with what each token counts for in the step's loss; log-probabilities and rewards do not matter
    token_factor: TokenFactor = all_alike


def demonstration_weights(batch: Batch, *, observation_weight: float = 0.0) -> Tensor:
    """What each token counts for in a mean over those that are imitated.

    Turns that are not valid are only context: what failed to be an action is nothing to imitate.

    Args:
        batch: Demonstrations.
        observation_weight: What a token that the policy would not write counts, beside 1 for one that it would.

    Shapes: returns weight_T [T]; adds up to 1.
    Source: our own.
    """
    imitated_T = batch.action_T & batch.valid_U[batch.turn_T]
    weight_T = torch.where(imitated_T, 1.0, observation_weight).masked_fill(batch.action_T & ~imitated_T, 0.0)
    weight_T = torch.where(batch.position_T == 0, 0.0, weight_T)
    return weight_T / weight_T.sum().clamp(min=1e-9)


def blend(
    imitation: Imitation, batch: Batch, shown: Batch, *, step: int, policy: Policy, max_tokens: int = 8192
) -> tuple[Batch, Demonstrations]:
    """The batch and the demonstrations of one optimizer step, weighted by what the loss of either counts.

    Args:
        imitation: What says so.
        batch: With its weights.
        shown: What was demonstrated.
        step: How many were taken before this one.
        policy: Asked for its entropy, where it matters.
        max_tokens: Most tokens in one forward pass of that.
    """
    assert batch.weight_T is not None
    share, weight_T = imitation.share(step), demonstration_weights(shown)
    if imitation.scale:
        entropy_T = score(policy, shown, max_tokens=max_tokens, entropy=True).entropy_T
        assert entropy_T is not None
        share *= imitation.scale(float((weight_T * entropy_T).sum()))
    batch = replace(batch, weight_T=imitation.reinforcement(step) * batch.weight_T)
    return batch, Demonstrations(replace(shown, weight_T=share * weight_T), imitation.token_factor)
