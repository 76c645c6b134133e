"""Credit for trajectories in which an expert stepped in where the policy's own action was not the expert's."""

from typing import Literal, NamedTuple

import torch
from torch import Tensor

from agentrl.errors import ConfigError
from agentrl.learning.batch import Batch
from agentrl.learning.credit.comparison import relative, statistics
from agentrl.learning.credit.returns import trajectory_return
from agentrl.learning.segments import discounted_sum, segment_first, segment_position


class SemiOnlineCredit(NamedTuple):
    """The two parts of UI-S1's advantage, before they are weighted, and which turns the second one compared."""

    episode_U: Tensor  # by the trajectory's return, within the group
    step_U: Tensor  # by the return up to the next turn that did not match, within the group's turns of that number
    place_U: Tensor  # int64  turns with the same number are the n-th ones of one group


def ui_s1(
    batch: Batch,
    *,
    discount: float = 1.0,
    episode_weight: float = 1.0,
    step_weight: float = 1.0,
    std: bool = False,
    statistics_over: Literal["trajectories", "turns"] = "trajectories",
    epsilon: float = 1e-6,
) -> Tensor:
    """Advantage of each turn: that of its trajectory within the group plus that of the turn among the n-th ones.

    Args:
        batch: With `matched_U`.
        discount: Of the returns-to-go, by turns (gamma; 0.5 in the authors' scripts).
        episode_weight: Of the first part.
        step_weight: Of the second part.
        std: Divide both parts by their standard deviations (the reference code's mean_std_norm; False is mean_norm).
        statistics_over: What the first part's mean and spread are taken over: the returns of the trajectories, or of
            the trajectory of every turn, so that long ones count more (the reference code).
        epsilon: Added to the standard deviations.

    Raises:
        ConfigError: The batch does not say which turns matched.

    Shapes: returns advantage_T [T]; constant inside a turn, 0 off-action.
    Source: arXiv 2509.11543; MobileAgent UI-S1 core_uis1.py.
    Differs: the first part's statistics are over trajectories unless asked otherwise; a group of one gives 0, where the
        reference code gives the raw return; spreads below 1e-8 are none.
    """
    parts = semi_online_credit(batch, discount=discount, std=std, statistics_over=statistics_over, epsilon=epsilon)
    return batch.turn_to_token(episode_weight * parts.episode_U + step_weight * parts.step_U)


def semi_online_credit(
    batch: Batch, *, discount: float, std: bool, statistics_over: Literal["trajectories", "turns"], epsilon: float
) -> SemiOnlineCredit:
    """The parts of UI-S1's advantage; arguments as there.

    Shapes: columns of [U].
    Source: arXiv 2509.11543.
    """
    return_B, return_U = trajectory_return(batch), semi_online_return(batch, discount)
    number_U = segment_position(batch.trajectory_U)
    num_numbers = int(number_U.max()) + 1
    place_U = batch.group_U * num_numbers + number_U
    counted = (return_B, batch.group_B)
    if statistics_over == "turns":
        counted = (return_B[batch.trajectory_U], batch.group_U)
    episode_B = relative(return_B, batch.group_B, statistics(*counted, batch.num_groups), std=std, epsilon=epsilon)
    step_peers = statistics(return_U, place_U, batch.num_groups * num_numbers)
    alone_G = torch.bincount(batch.group_B, minlength=batch.num_groups) < 2
    return SemiOnlineCredit(
        episode_U=torch.where(alone_G[batch.group_U], 0, episode_B[batch.trajectory_U]),
        step_U=relative(return_U, place_U, step_peers, std=std, epsilon=epsilon),
        place_U=place_U,
    )


def semi_online_return(batch: Batch, discount: float) -> Tensor:
    """Each turn's reward plus `discount` times the return of the next turn, as long as both matched the expert.

    What a turn that did not match earned is its own alone: what came after it is the expert's doing, and what came
    before it had no part in it.

    Raises:
        ConfigError: The batch does not say which turns matched.

    Shapes: returns return_U [U] f64.
    Source: arXiv 2509.11543; MobileAgent UI-S1 core_uis1.py.
    """
    if batch.matched_U is None:
        raise ConfigError(
            "Semi-online returns need to know which turns did what an expert would have done, and no turn of the batch "
            "says so: choose an explorer that asks an expert, or another algorithm, such as 'grpo' or 'turn_return'."
        )
    missed_U = ~batch.matched_U
    starts_U = segment_first(batch.trajectory_U) | missed_U | missed_U.roll(1)
    return discounted_sum(batch.reward_U.double(), starts_U.cumsum(0), discount)
