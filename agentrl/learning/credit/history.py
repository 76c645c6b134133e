"""Credit by a comparison with the task's past, which the curriculum keeps; one trajectory of a task may then do."""

import torch
from torch import Tensor

from agentrl.errors import ConfigError
from agentrl.learning.batch import Batch
from agentrl.learning.credit.comparison import NO_SPREAD, Statistics, relative, statistics
from agentrl.learning.credit.returns import trajectory_return
from agentrl.learning.segments import segment_count


def spo(batch: Batch, *, standardised: bool = True, epsilon: float = 1e-8) -> Tensor:
    """Advantage of each turn: its trajectory's return minus what the task's past promised, standardised over the batch.

    No siblings are needed: the spread is that of the trajectories of all tasks.

    Args:
        batch: With `prior_value_B`, as it was before these trajectories.
        standardised: Or else the difference as it is, which may be positive everywhere, as with replayed successes.
        epsilon: Added to the standard deviation.

    Raises:
        ConfigError: The batch has no `prior_value_B`.

    Shapes: returns advantage_T [T]; constant inside a trajectory, 0 off-action; standardised, it sums to 0 over the
        trajectories.
    Source: arXiv 2509.13232, section 3; verl-recipe spo, spo_ray_trainer.py.
    Differs: the tracker of the values is a curriculum.
    """
    surprise_B = trajectory_return(batch) - _prior(batch.prior_value_B, "value")
    if not standardised:
        return batch.turn_to_token(surprise_B[batch.trajectory_U])
    whole_B = torch.zeros_like(batch.group_B)
    advantage_B = relative(surprise_B, whole_B, statistics(surprise_B, whole_B, 1), std=True, epsilon=epsilon)
    return batch.turn_to_token(advantage_B[batch.trajectory_U])


def dcpo(batch: Batch) -> Tensor:
    """Advantage of each turn: its trajectory's return, standardised by the group and by all groups of the task so far.

    Of two mixtures of these, in which either counts as often as the past holds groups and the other once, the smaller
    one is taken. So a group without spread is signal, once the task's past differs from it.

    Args:
        batch: With `prior_mean_B`, `prior_std_B` and `prior_count_B`, as they were before these groups.

    Raises:
        ConfigError: The batch lacks one of these.

    Shapes: returns advantage_T [T]; constant inside a trajectory, 0 off-action.
    Source: arXiv 2509.02333, section 3 (smooth advantage standardisation); DCPO core_algos.py,
        compute_dcpo_outcome_advantage.
    Differs: a group of one gives 0, whatever the past; spreads below 1e-8 are none.
    """
    return_B = trajectory_return(batch)
    num_groups_B = _prior(batch.prior_count_B, "count")
    group = statistics(return_B, batch.group_B, batch.num_groups)
    mean_B, std_B = cumulative(batch, group)
    new_B = _standard(return_B, group.mean_M[batch.group_B], group.std_M[batch.group_B])
    all_B = _standard(return_B, mean_B, std_B)
    towards_new_B = (all_B + num_groups_B * new_B) / (num_groups_B + 1)
    towards_all_B = (new_B + num_groups_B * all_B) / (num_groups_B + 1)
    smaller_B = torch.where(towards_new_B.abs() < towards_all_B.abs(), towards_new_B, towards_all_B)
    alone_G = segment_count(batch.group_B, batch.num_groups) < 2
    return batch.turn_to_token(torch.where(alone_G[batch.group_B], 0, smaller_B)[batch.trajectory_U])


def cumulative(batch: Batch, group: Statistics) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of the returns of the task's groups so far, this one among them.

    Every group counts the same, however many trajectories it has.

    Raises:
        ConfigError: The batch has no `prior_mean_B`, `prior_std_B` or `prior_count_B`.

    Shapes: group columns of [G]; returns mean_B [B], std_B [B].
    Source: arXiv 2509.02333, section 3; DCPO core_algos.py, compute_dcpo_outcome_advantage.
    """
    num_B = _prior(batch.prior_count_B, "count")
    old_mean_B, old_std_B = _prior(batch.prior_mean_B, "mean"), _prior(batch.prior_std_B, "std")
    new_mean_B, new_std_B = group.mean_M[batch.group_B], group.std_M[batch.group_B]
    mean_B = (num_B * old_mean_B + new_mean_B) / (num_B + 1)
    between_B = num_B / (num_B + 1) * (new_mean_B - old_mean_B).square()
    variance_B = (num_B * old_std_B.square() + new_std_B.square() + between_B) / (num_B + 1)
    return mean_B, variance_B.sqrt()


def _standard(x_B: Tensor, mean_B: Tensor, std_B: Tensor) -> Tensor:
    difference_B = x_B - mean_B
    return torch.where((difference_B.abs() < NO_SPREAD) | (std_B < NO_SPREAD), 0, difference_B / std_B)


def _prior(column: Tensor | None, name: str) -> Tensor:
    if column is None:
        raise ConfigError(
            f"The {name} of the returns in each task's past is needed, and the batch has none: choose a curriculum "
            f"that keeps it (it fills Group.prior[{name!r}] for every group), or an algorithm that needs no past."
        )
    return column
