"""Credit by a trajectory's whole return: every turn of it gets the same."""

from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor

from agentrl.learning.batch import Batch
from agentrl.learning.credit.comparison import NO_SPREAD, leave_one_out, relative, statistics
from agentrl.learning.credit.returns import return_to_go, trajectory_return
from agentrl.learning.segments import segment_count, segment_last, segment_sum


def reinforce(batch: Batch, *, discount: float = 1.0, to_go: bool = True) -> Tensor:
    """Advantage of each turn: its return-to-go, or with `to_go=False` its trajectory's return. No baseline.

    Shapes: returns advantage_T [T]; constant inside a turn, 0 off-action.
    Source: Williams 1992, Machine Learning 8 (REINFORCE).
    Differs: per turn; with `to_go`, what was earned before a turn is left out, which changes no expectation.
        `discount` counts turns, and applies to the return-to-go alone.
    """
    return batch.turn_to_token(return_to_go(batch, discount) if to_go else trajectory_return(batch)[batch.trajectory_U])


def rloo(batch: Batch) -> Tensor:
    """Advantage of each turn: its trajectory's return minus the mean return of the group's other trajectories.

    Shapes: returns advantage_T [T]; constant inside a trajectory, 0 off-action; sums to 0 over a group's trajectories.
    Source: arXiv 2402.14740 (RLOO); verl core_algos.py, compute_rloo_outcome_advantage.
    Differs: a group of one gives 0, where the reference code gives the raw return.
    """
    advantage_B = leave_one_out(trajectory_return(batch), batch.group_B, batch.num_groups)
    return batch.turn_to_token(advantage_B[batch.trajectory_U])


def grpo(
    batch: Batch,
    *,
    std: bool = True,
    statistics_over: Literal["trajectories", "turns"] = "trajectories",
    epsilon: float = 1e-6,
) -> Tensor:
    """Advantage of each turn: its trajectory's return minus the group's mean, over the group's standard deviation.

    A trajectory counts once, however many sequences it was rewritten into (Memory-as-Action's DCPO).

    Args:
        batch: As collected.
        std: Divide by the standard deviation; False is Dr.GRPO's.
        statistics_over: What a group's mean and spread are taken over: its "trajectories", or their "turns" (that hold
            a sampled token), so that long trajectories count more (the code of Flow-GRPO).
        epsilon: Added to the standard deviation.

    Shapes: returns advantage_T [T]; constant inside a trajectory, 0 off-action; sums to 0 over a group's trajectories,
        or turns.
    Source: arXiv 2402.03300 section 4.1.2, 2503.20783 section 3; verl core_algos.py, compute_grpo_outcome_advantage.
        Over turns: arXiv 2510.05592; AgentFlow daemon.py. Sequences: arXiv 2510.12635; MemAct core_algos.py.
    Differs: a group of one gives 0, where the reference code gives the raw return; so does one whose returns spread
        by less than 1e-8, where the reference code would divide rounding by `epsilon`.
    """
    return_B = trajectory_return(batch)
    if statistics_over == "turns":
        acted_U = segment_count(batch.turn_T[batch.action_T], batch.num_turns) > 0
        return_M, group_M = return_B[batch.trajectory_U[acted_U]], batch.group_U[acted_U]
    else:
        return_M, group_M = return_B, batch.group_B
    peers = statistics(return_M, group_M, batch.num_groups)
    advantage_B = relative(return_B, batch.group_B, peers, std=std, epsilon=epsilon)
    return batch.turn_to_token(advantage_B[batch.trajectory_U])


def opo(batch: Batch) -> Tensor:
    """Advantage of each turn: its trajectory's return minus the group's mean return, in which each token counts once.

    That baseline has the least variance, if the gradients of tokens are independent and of one size.

    Shapes: returns advantage_T [T]; constant inside a trajectory, 0 off-action; its sum over a group's tokens is 0.
    Source: arXiv 2505.23585, section 3; verl core_algos.py, compute_opo_outcome_advantage.
    Differs: a group of one gives 0, where the reference code gives the raw return.
    """
    return_B = trajectory_return(batch)
    length_B = segment_count(batch.trajectory_T[batch.action_T], batch.num_trajectories)
    length_G = segment_sum(length_B, batch.group_B, batch.num_groups).clamp(min=1)
    mean_G = segment_sum(length_B * return_B, batch.group_B, batch.num_groups) / length_G
    peers = statistics(return_B, batch.group_B, batch.num_groups)._replace(mean_M=mean_G)
    advantage_B = relative(return_B, batch.group_B, peers, std=False)
    return batch.turn_to_token(advantage_B[batch.trajectory_U])


def gpg(batch: Batch, *, divisor: float = 1.0) -> Tensor:
    """Advantage of each turn: its trajectory's return minus the group's mean, times trajectories per return not 0.

    Of rewards 0 and 1: the fewer trajectories of the batch succeed, the larger the step.

    Args:
        batch: As collected.
        divisor: Of every advantage (f_norm).

    Shapes: returns advantage_T [T]; constant inside a trajectory, 0 off-action; sums to 0 over a group's trajectories.
    Source: arXiv 2504.02546, section 3; verl core_algos.py, compute_gpg_outcome_advantage.
    Differs: a group of one gives 0, where the reference code gives the raw return. As the reference code does, and
        unlike the paper, the factor counts returns that are not 0, instead of trajectories whose group has a spread.
    """
    return_B = trajectory_return(batch)
    peers = statistics(return_B, batch.group_B, batch.num_groups)
    num_nonzero = (return_B.abs() >= NO_SPREAD).sum().clamp(min=1)
    factor = batch.num_trajectories / num_nonzero / divisor
    advantage_B = factor * relative(return_B, batch.group_B, peers, std=False)
    return batch.turn_to_token(advantage_B[batch.trajectory_U])


def dapo(
    batch: Batch,
    *,
    epsilon: float = 1e-6,
    max_tokens: int | None = None,
    buffer_tokens: int = 4096,
    overlong_factor: float = 1.0,
) -> Tensor:
    """GRPO's advantage after overlong reward shaping; without `max_tokens` there is none.

    Shapes: returns advantage_T [T]; as GRPO's.
    Source: arXiv 2503.14476, eq. 9 and 13; verl dapo.py (reward manager).
    Differs: the length is that of all tokens the policy sampled in the trajectory.
    """
    if max_tokens is None:
        return grpo(batch, epsilon=epsilon)
    length_B = segment_sum(batch.action_T, batch.trajectory_T, batch.num_trajectories)
    penalty_B = overlong_penalty(
        length_B, max_tokens=max_tokens, buffer_tokens=buffer_tokens, overlong_factor=overlong_factor
    )
    penalty_U = torch.where(segment_last(batch.trajectory_U), penalty_B[batch.trajectory_U], 0)
    return grpo(replace(batch, reward_U=batch.reward_U + penalty_U), epsilon=epsilon)


def overlong_penalty(
    length_B: Tensor, *, max_tokens: int, buffer_tokens: int = 4096, overlong_factor: float = 1.0
) -> Tensor:
    """What length adds to a trajectory's reward: 0 up to the buffer, then down to -`overlong_factor` at `max_tokens`.

    Shapes: length_B [B] int64; returns [B] f64, none positive.
    Source: arXiv 2503.14476, eq. 13; verl dapo.py (reward manager).
    Differs: from the paper, as the reference code does: beyond `max_tokens` it goes on falling.
    """
    excess_B = length_B - (max_tokens - buffer_tokens)
    return -(excess_B.clamp(min=0).double() / buffer_tokens * overlong_factor)
