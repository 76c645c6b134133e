"""Credit by how the returns of a group, or the groups of a batch, are distributed: other centres, other spreads."""

import torch
from torch import Tensor
from torch.distributions import Beta

from agentrl.errors import ConfigError
from agentrl.learning.batch import Batch
from agentrl.learning.credit.comparison import NO_SPREAD, relative, statistics
from agentrl.learning.credit.returns import trajectory_return
from agentrl.learning.segments import segment_count, segment_max, segment_order, segment_sum


def ngrpo(batch: Batch, *, max_return: float = 1.0, num_virtual: int = 1, epsilon: float = 1e-6) -> Tensor:
    """Advantage of each turn: GRPO's, in a group with virtual trajectories of the largest return there is.

    So a group in which all failed alike is signal: its advantages are negative.

    Args:
        batch: As collected.
        max_return: Of the virtual trajectories, or the group's best, if that is better still.
        num_virtual: How many there are in each group.
        epsilon: Added to the standard deviation.

    Shapes: returns advantage_T [T]; constant inside a trajectory, 0 off-action; sums to at most 0 over a group's
        trajectories.
    Source: arXiv 2509.18851, section 3; NGRPO core_algos.py, compute_ngrpo_outcome_advantage.
    Differs: a group of one gives 0, where the reference code gives the raw return; a group better than `max_return`
        does not get credit for that alone. Clipping positive advantages less is the surrogate's part.
    """
    return_B = trajectory_return(batch)
    best_G = segment_max(return_B, batch.group_B, batch.num_groups).clamp(min=max_return)
    virtual_group_N = torch.arange(batch.num_groups, device=best_G.device).repeat(num_virtual)
    return_N = torch.cat([return_B, best_G.repeat(num_virtual)])
    peers = statistics(return_N, torch.cat([batch.group_B, virtual_group_N]), batch.num_groups)
    advantage_B = relative(return_B, batch.group_B, peers, std=True, epsilon=epsilon)
    alone_G = segment_count(batch.group_B, batch.num_groups) < 2
    return batch.turn_to_token(torch.where(alone_G[batch.group_B], 0, advantage_B)[batch.trajectory_U])


def bnpo(
    batch: Batch, *, min_return: float | None = None, max_return: float | None = None, max_weight: float = 1e6
) -> Tensor:
    """Advantage of each turn: its trajectory's return minus the group's mean, over how usual such a mean is.

    Returns are first mapped to 0 ... 1. The density of the groups' means is that of a Beta distribution, whose
    parameters are 1 plus a third of those that fit the means of the batch, and at least 1.

    Args:
        batch: As collected.
        min_return: What is mapped to 0; None: the least return of the batch.
        max_return: What is mapped to 1; None: the largest.
        max_weight: What one over the density is cut off at.

    Raises:
        ConfigError: A group's mean return lies outside `min_return` ... `max_return`.

    Shapes: returns advantage_T [T]; constant inside a trajectory, 0 off-action; sums to 0 over a group's trajectories.
    Source: arXiv 2506.02864, section 4; BNPO bnpo_ray_trainer.py, compute_bnpo_outcome_advantage.
    Differs: a group of one gives 0 and does not count for the density, where the reference code takes its mean for 0
        in both. With fewer than two groups, or where their means do not differ, the density is 1 (in the latter case
        the reference code divides by 0). The reference code must be told the range of the returns, or takes 0 ... 1.
    """
    return_B = trajectory_return(batch)
    low = float(return_B.min()) if min_return is None else min_return
    high = float(return_B.max()) if max_return is None else max_return
    return_B = (return_B - low) / max(high - low, NO_SPREAD)
    peers = statistics(return_B, batch.group_B, batch.num_groups)
    counted_G = peers.count_M > 1
    mean_G = peers.mean_M
    if bool((counted_G & ((mean_G < -NO_SPREAD) | (mean_G > 1 + NO_SPREAD))).any()):
        raise ConfigError(
            f"BNPO was told that returns lie in {low:g} ... {high:g}, and a group's mean does not: leave min_return "
            "and max_return out, or give what no return can pass."
        )
    density_G = _fitted(mean_G[counted_G]).log_prob(mean_G.clamp(0, 1)).exp()
    weight_G = (1 / density_G).clamp(max=max_weight)
    advantage_B = weight_G[batch.group_B] * relative(return_B, batch.group_B, peers, std=False)
    return batch.turn_to_token(advantage_B[batch.trajectory_U])


def mc_grpo(batch: Batch, *, cap: float | None = 5.0, epsilon: float = 1e-3) -> Tensor:
    """Advantage of each turn: its trajectory's return minus the group's median, over the median distance from that.

    Then times the group's size per trajectory that is not at the median; whoever is there gets 0. Where most
    trajectories earned the same, as rewards of 0 and 1 have it, the median distance is 0, and the others are divided by
    `epsilon`: the reference code gives them advantages of about 1000.

    Args:
        batch: As collected, best with groups of odd size: of two middle ones, the lower is the median.
        cap: The largest absolute advantage. None: there is none, as in the reference code.
        epsilon: Added to the median distance.

    Shapes: returns advantage_T [T]; constant inside a trajectory, 0 off-action.
    Source: arXiv 2601.22582, section 3; MC-GRPO grpo_trainer_gsm.py, _generate_and_score_completions.
    Differs: `cap`. The trajectory at the median stays in the batch, where an aggregation may count its tokens.
    """
    return_B = trajectory_return(batch)
    num_G = segment_count(batch.group_B, batch.num_groups)
    difference_B = return_B - _median(return_B, batch.group_B, num_G)[batch.group_B]
    difference_B = torch.where(difference_B.abs() < NO_SPREAD, 0, difference_B)
    spread_G = _median(difference_B.abs(), batch.group_B, num_G)
    num_off_G = segment_sum(difference_B != 0, batch.group_B, batch.num_groups)
    factor_G = num_G / num_off_G.clamp(min=1) / (spread_G + epsilon)
    advantage_B = torch.where(difference_B == 0, 0, difference_B * factor_G[batch.group_B])
    if cap is not None:
        advantage_B = advantage_B.clamp(-cap, cap)
    return batch.turn_to_token(advantage_B[batch.trajectory_U])


def _fitted(mean_M: Tensor) -> Beta:
    """BNPO's distribution, for the means of these groups."""
    one = torch.ones((), dtype=torch.float64, device=mean_M.device)
    if mean_M.numel() < 2 or float(mean_M.std()) < NO_SPREAD:
        return Beta(one, one, validate_args=False)
    mean, variance = mean_M.mean(), mean_M.var()
    concentration = mean * (1 - mean) / variance - 1
    alpha, beta = (1 + concentration * share / 3 for share in (mean, 1 - mean))
    return Beta(alpha.clamp(min=1), beta.clamp(min=1), validate_args=False)


def _median(x_B: Tensor, group_B: Tensor, num_G: Tensor) -> Tensor:
    """The median of each group; of two middle elements, the lower."""
    sorted_B = x_B[segment_order(x_B, group_B)]
    return sorted_B[num_G.cumsum(0) - num_G + (num_G - 1) // 2]
