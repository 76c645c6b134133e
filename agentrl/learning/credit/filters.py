"""Credit for some trajectories or tokens only: what is filtered out is compared with still, but not learned from.

Aggregations count the tokens that are filtered out: a mean over tokens is over all of them.
"""

import torch
from torch import Tensor

from agentrl.errors import ConfigError
from agentrl.learning.batch import Batch
from agentrl.learning.credit.composition import Credit, sampling_entropy
from agentrl.learning.credit.outcome import grpo
from agentrl.learning.segments import ranges, segment_count, segment_max, segment_mean, segment_order, segment_sum

_TIE = 1e-6  # relative; advantages that differ less are the same: they are kept or left out together


def simple_tir(batch: Batch, *, base: Credit = grpo) -> Tensor:
    """Another credit's advantages, and 0 for trajectories with a void turn: one without an action that could be tried.

    They remain among those that the others are compared with.

    Args:
        batch: As collected.
        base: The other credit.

    Shapes: returns advantage_T [T]; as of `base`, where it is not 0.
    Source: arXiv 2509.02479, section 3.2; SimpleTIR simpletir_ray_trainer.py, mask_void_turns.
    Differs: void is what the environment calls invalid.
    """
    is_void_B = segment_sum(~batch.valid_U, batch.trajectory_U, batch.num_trajectories) > 0
    return torch.where(is_void_B[batch.trajectory_T], 0, base(batch))


def cppo(batch: Batch, *, base: Credit = grpo, keep: float = 0.5) -> Tensor:
    """Another credit's advantages, and 0 but for the trajectories of the batch with the largest ones.

    Args:
        batch: As collected.
        base: The other credit; of a trajectory, the mean absolute value over its tokens.
        keep: The fraction of trajectories that is kept, at least one; ties at the border are all kept.

    Raises:
        ConfigError: `keep` is not in (0, 1].

    Shapes: returns advantage_T [T]; as of `base`, where it is not 0.
    Source: arXiv 2503.22342, section 3; CPPO cppo_ray_trainer.py (metric "smallest" is what is pruned).
    Differs: ties; the paper prunes within groups, the reference code within the batch (or what a device has of it).
        What is saved is the pass over trajectories without advantages; nothing fills their place.
    """
    _check_fraction("keep", keep)
    advantage_T = base(batch)
    score_B = _trajectory_mean(advantage_T.abs(), batch)
    border = score_B.topk(max(1, int(keep * score_B.numel() + _TIE))).values[-1]
    return torch.where(_reaches(score_B, border)[batch.trajectory_T], advantage_T, 0)


def d3s(
    batch: Batch, *, base: Credit = grpo, keep_group: float = 0.5, keep_batch: float = 0.5, keep_tokens: float = 1.0
) -> Tensor:
    """Another credit's advantages, and 0 but for trajectories that vary most, and for their most telling tokens.

    Of each group, and then of what remains of the batch, those trajectories are kept whose advantages have the largest
    variance: some of the best and some of the worst. Of their tokens, those with the largest |advantage| x entropy.

    Args:
        batch: With `entropy_T`, if `keep_tokens` is below 1.
        base: The other credit; of a trajectory, the mean over its tokens.
        keep_group: The fraction of each group's trajectories that is kept, at least two; ties at a border are all kept.
        keep_batch: The fraction of the remaining trajectories that is kept, likewise.
        keep_tokens: The fraction of the sampled tokens of these that is kept, at least one.

    Raises:
        ConfigError: A fraction is not in (0, 1], or the batch has no entropies.

    Shapes: returns advantage_T [T]; as of `base`, where it is not 0.
    Source: arXiv 2509.22115, section 3. Checked: from summaries of the paper alone; its fractions are not known.
    Differs: ties. The paper relaxes the fractions during training; here they are what they are told to be.
    """
    for name, fraction in (("keep_group", keep_group), ("keep_batch", keep_batch), ("keep_tokens", keep_tokens)):
        _check_fraction(name, fraction)
    advantage_T = base(batch)
    score_B = _trajectory_mean(advantage_T, batch)
    kept_B = _most_varied(score_B, batch.group_B, batch.num_groups, keep_group)
    left_N = kept_B.nonzero().squeeze(1)
    kept_B[left_N] = _most_varied(score_B[left_N], torch.zeros_like(left_N), 1, keep_batch)
    kept_T = kept_B[batch.trajectory_T] & batch.action_T
    if keep_tokens < 1 and bool(kept_T.any()):
        score_N = (advantage_T.abs() * sampling_entropy(batch))[kept_T]
        border = score_N.topk(max(1, int(keep_tokens * score_N.numel() + _TIE))).values[-1]
        kept_T[kept_T.clone()] = _reaches(score_N, border)
    return torch.where(kept_T, advantage_T, 0)


def _check_fraction(name: str, fraction: float) -> None:
    if not 0 < fraction <= 1:
        raise ConfigError(f"{name} is a fraction above 0 and up to 1; got {fraction}.")


def _trajectory_mean(x_T: Tensor, batch: Batch) -> Tensor:
    """The mean of each trajectory over the tokens it sampled."""
    return segment_mean(x_T[batch.action_T].double(), batch.trajectory_T[batch.action_T], batch.num_trajectories)


def _reaches(x_N: Tensor, border: Tensor) -> Tensor:
    return x_N >= border - _TIE * (1 + x_N.abs())


def _most_varied(x_N: Tensor, index_N: Tensor, num: int, keep: float) -> Tensor:
    """Which elements of each segment (M) are in its subset of largest variance; ties at a border are all in.

    Such a subset is made of the i largest elements and of the rest from the other end: every i is tried (P).
    """
    num_M = segment_count(index_N, num)
    size_M = torch.minimum((keep * num_M + _TIE).long().clamp(min=2), num_M)
    end_M = num_M.cumsum(0)
    sorted_N = x_N[segment_order(x_N, index_N)]
    sum_N, square_N = (torch.cat([x.new_zeros(1), x.cumsum(0)]) for x in (sorted_N, sorted_N.square()))
    segment_P = torch.arange(num, device=x_N.device).repeat_interleave(size_M + 1)
    num_low_P = ranges(torch.zeros_like(size_M), size_M + 1)
    start_P, end_P, size_P = (end_M - num_M)[segment_P], end_M[segment_P], size_M[segment_P]
    low_P, high_P = start_P + num_low_P, end_P - (size_P - num_low_P)  # the lowest end here, the highest begin here
    total_P, square_P = (s[low_P] - s[start_P] + s[end_P] - s[high_P] for s in (sum_N, square_N))
    variance_P = square_P / size_P.clamp(min=1) - (total_P / size_P.clamp(min=1)).square()
    best_M = segment_max(variance_P, segment_P, num)
    is_best_P = variance_P >= (best_M - _TIE * (1 + best_M.abs()))[segment_P]
    num_low_M = -segment_max(torch.where(is_best_P, -num_low_P, -num_low_P.numel()), segment_P, num)  # the fewest
    low_M, high_M = end_M - num_M + num_low_M - 1, end_M - (size_M - num_low_M)  # the borders' places
    lowest_N = torch.where(num_low_M > 0, sorted_N[low_M.clamp(min=0)], float("-inf"))[index_N]
    highest_N = torch.where(num_low_M < size_M, sorted_N[high_M.clamp(max=x_N.numel() - 1)], float("inf"))[index_N]
    return _reaches(-x_N, -lowest_N) | _reaches(x_N, highest_N)
