"""Credit standardised over the tokens of the whole batch, instead of within groups (REINFORCE++)."""

import torch
from torch import Tensor

from agentrl.learning.batch import Batch
from agentrl.learning.credit.comparison import heard, relative, statistics, whiten
from agentrl.learning.credit.returns import reward_of_steps, trajectory_return
from agentrl.learning.segments import discounted_sum, segment_count


def reinforce_plus_plus(batch: Batch, *, discount: float = 1.0, epsilon: float = 1e-8) -> Tensor:
    """Advantage of each token: its return-to-go, standardised over all sampled tokens of the batch. No groups.

    Args:
        batch: As collected.
        discount: Of the returns-to-go, per sampled token (gamma); context tokens are no step.
        epsilon: Added to the variance.

    Shapes: returns advantage_T [T]; 0 off-action; its mean over the sampled tokens is 0. With `discount=1` it is
        constant inside a turn.
    Source: arXiv 2501.03262, section 3; verl core_algos.py, compute_reinforce_plus_plus_outcome_advantage.
    Differs: a turn's reward is earned with its last sampled token, or with the last one before it, if it has none.
        Older versions of the reference code reset the return at context tokens: then only what follows the last
        observation gets any credit.
    """
    turn_N = batch.turn_T[batch.action_T]  # N: sampled tokens
    return_N = discounted_sum(reward_of_steps(batch, turn_N), batch.trajectory_U[turn_N], discount)
    whitened_N = whiten(return_N, torch.ones_like(turn_N), epsilon=epsilon)
    advantage_T = torch.zeros_like(batch.sampled_logprob_T)
    advantage_T[batch.action_T] = whitened_N.to(advantage_T.dtype)
    return advantage_T


def reinforce_plus_plus_baseline(batch: Batch, *, whiten_silent: bool = False, epsilon: float = 1e-8) -> Tensor:
    """Advantage of each turn: its trajectory's return minus the group's mean, standardised over all sampled tokens.

    Long trajectories dominate the mean and the variance.

    Args:
        batch: As collected.
        whiten_silent: The tokens of groups of one, and of groups without spread, count with a difference of 0, and get
            what standardising makes of that (the reference code); otherwise they do not count, and get 0.
        epsilon: Added to the variance.

    Shapes: returns advantage_T [T]; constant inside a trajectory, 0 off-action; its mean over the sampled tokens is 0.
    Source: arXiv 2501.03262, section 3; verl core_algos.py, compute_reinforce_plus_plus_baseline_outcome_advantage.
    Differs: groups that say nothing give 0 unless `whiten_silent`; the difference of a group of one is 0, where the
        reference code has the raw return.
    """
    return_B = trajectory_return(batch)
    peers = statistics(return_B, batch.group_B, batch.num_groups)
    difference_B = relative(return_B, batch.group_B, peers, std=False)
    counted_B = heard(difference_B, batch.group_B, batch.num_groups) | whiten_silent
    num_tokens_B = segment_count(batch.trajectory_T[batch.action_T], batch.num_trajectories)
    advantage_B = whiten(difference_B, num_tokens_B * counted_B, epsilon=epsilon)
    return batch.turn_to_token(advantage_B[batch.trajectory_U])
