"""Credit by what a process reward model says of each turn or token, beside the outcome; and losses to train it by.

The model's reward for a token is implicit: beta times the log ratio of the model to who sampled the token
(`Batch.process_reward_T`).
"""

from typing import Literal, NamedTuple, TypeAlias

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from agentrl.errors import ConfigError
from agentrl.learning.batch import Batch
from agentrl.learning.credit.comparison import Statistics, heard, leave_one_out, relative, statistics, whiten
from agentrl.learning.credit.returns import trajectory_return
from agentrl.learning.segments import (
    discounted_sum,
    ranges,
    segment_count,
    segment_first,
    segment_mean,
    segment_sum,
)

_ROUNDING = 1e-4  # process rewards of which the largest is below this come from a model that has learnt nothing yet

Comparison: TypeAlias = Literal["rloo", "grpo", "dr_grpo", "reinforce++"]
ProcessScale: TypeAlias = Literal["max", "none"]
StepStatistics: TypeAlias = Literal["turns", "trajectories", "first_turns"]


class ProcessCredit(NamedTuple):
    """The two parts of OPRL's advantage, before they are weighted."""

    episode_U: Tensor  # by the trajectory's return, within the group
    step_U: Tensor  # by the turn's process reward, within the group


class TokenCredit(NamedTuple):
    """The two parts of PRIME's advantage, before it is whitened."""

    outcome_T: Tensor  # by the trajectory's return, within the group
    process_T: Tensor  # by the process rewards from the token on, within the group


class ScoreLoss(NamedTuple):
    """A loss of a process reward model, as a function of its scores."""

    loss: Tensor  # scalar
    weight_B: Tensor  # its derivative by each trajectory's score


def oprl(
    batch: Batch,
    *,
    episode_weight: float = 1.0,
    step_weight: float = 1.0,
    comparison: Comparison = "rloo",
    scale: ProcessScale = "max",
    statistics_over: StepStatistics = "turns",
    epsilon: float = 1e-6,
) -> Tensor:
    """Advantage of each turn: that of its trajectory's return plus that of its own process reward, within the group.

    Args:
        batch: With `process_reward_T`; a turn's process reward is the sum over its tokens.
        episode_weight: Of the first part; 0 leaves the process rewards alone.
        step_weight: Of the second part (alpha).
        comparison: How both parts compare: "rloo", with the mean of the others; "dr_grpo", with the mean of all;
            "grpo", that over the standard deviation; "reinforce++", with the mean of all, then whitened over all tokens
            of the batch.
        scale: "max": process rewards are divided by the largest of the batch, so that none is beyond 1; where that is
            below 1e-4, which a model that is still the sampler's makes by rounding, they are 0.
        statistics_over: What a process reward is compared with: "turns", those of all turns of the group, a
            trajectory's own among them; "trajectories", the mean over trajectories of their turns' mean;
            "first_turns", the trajectories' first ones (a slip of the reference code).
        epsilon: Added to the standard deviations.

    Raises:
        ConfigError: The batch has no process rewards.

    Shapes: returns advantage_T [T]; constant inside a turn, 0 off-action.
    Source: arXiv 2509.19199 (iStar); CharacterRL-iStar core_istar.py and rm_utils.py (istar_norm).
    Differs: process rewards are compared with those of all turns that the policy sampled, as the paper says; the
        largest is that of the whole batch, not of one process's share, and rounding is not scaled up; a group of one
        gives 0, where the reference code gives the raw rewards, and neither it nor a group without spread is shifted by
        whitening; what invalid actions cost is for the environment's rewards to say.
    """
    parts = process_credit(batch, comparison=comparison, scale=scale, statistics_over=statistics_over, epsilon=epsilon)
    return batch.turn_to_token(episode_weight * parts.episode_U + step_weight * parts.step_U)


def process_credit(
    batch: Batch, *, comparison: Comparison, scale: ProcessScale, statistics_over: StepStatistics, epsilon: float
) -> ProcessCredit:
    """The parts of OPRL's advantage; arguments as there.

    Shapes: columns of [U].
    Source: arXiv 2509.19199.
    """
    return_B, reward_U = trajectory_return(batch), turn_process_reward(batch, scale=scale)
    num_tokens_U = segment_count(batch.turn_T[batch.action_T], batch.num_turns)
    episode_peers = statistics(return_B, batch.group_B, batch.num_groups)
    step_peers = _step_statistics(batch, reward_U, num_tokens_U > 0, statistics_over)
    episode_U = _compare(return_B, batch.group_B, episode_peers, comparison, epsilon)[batch.trajectory_U]
    step_U = _compare(reward_U, batch.group_U, step_peers, comparison, epsilon)
    step_U = torch.where((num_tokens_U == 0) | _alone_U(batch), 0, step_U)
    if comparison != "reinforce++":
        return ProcessCredit(episode_U, step_U)
    counted = [heard(part_U, batch.group_U, batch.num_groups) * num_tokens_U for part_U in (episode_U, step_U)]
    return ProcessCredit(whiten(episode_U, counted[0]), whiten(step_U, counted[1]))


def turn_process_reward(batch: Batch, *, scale: ProcessScale = "max") -> Tensor:
    """The process reward of each turn: the sum over its tokens, over the largest of the batch unless `scale="none"`.

    Raises:
        ConfigError: The batch has no process rewards.

    Shapes: returns [U] f64.
    Source: arXiv 2509.19199; CharacterRL-iStar dp_rm.py, rm_utils.py (istar_norm), "step" granularity.
    """
    reward_U = segment_sum(_process_reward_T(batch), batch.turn_T, batch.num_turns)
    return _scaled(reward_U, reward_U.abs().max()) if scale == "max" else reward_U


def prime(batch: Batch, *, process_weight: float = 5.0, scale: ProcessScale = "max", whitened: bool = True) -> Tensor:
    """Advantage of each token: that of its trajectory's return, plus the process rewards from it on, each compared.

    A process reward is compared with the mean, over the group's trajectories, of their tokens' mean. That is taken off
    each token before they are summed, so that each further token costs it.

    Args:
        batch: With `process_reward_T`.
        process_weight: Of the second part (rm_coef).
        scale: "max": process rewards are divided by the largest sum of them from a token on, of the batch; where that
            is below 1e-4, they are 0.
        whitened: Standardise over all sampled tokens of the batch, save those of groups without any advantage.

    Raises:
        ConfigError: The batch has no process rewards.

    Shapes: returns advantage_T [T]; 0 off-action.
    Source: arXiv 2502.01456; PRIME core_algos.py, compute_rloo_returns.
    Differs: a group of one, or without spread, gives 0, and whitening does not shift it; rounding is not scaled up. As
        in the reference code, the token's distance is taken from the mean of all, and multiplied by n / (n - 1).
    """
    parts = prime_credit(batch, process_weight=process_weight, scale=scale)
    advantage_T = parts.outcome_T + parts.process_T
    if whitened:
        group_T = batch.group_B[batch.trajectory_T]
        advantage_T = whiten(advantage_T, heard(advantage_T, group_T, batch.num_groups) & batch.action_T)
    return advantage_T.to(batch.sampled_logprob_T.dtype)


def prime_credit(batch: Batch, *, process_weight: float, scale: ProcessScale) -> TokenCredit:
    """The parts of PRIME's advantage; arguments as there.

    Shapes: columns of [T] f64.
    Source: arXiv 2502.01456.
    """
    reward_N, trajectory_N = _process_reward_T(batch)[batch.action_T], batch.trajectory_T[batch.action_T]
    if scale == "max" and reward_N.numel():
        reward_N = _scaled(reward_N, discounted_sum(reward_N, trajectory_N, 1.0).abs().max())
    mean_B = segment_mean(reward_N, trajectory_N, batch.num_trajectories)
    acted_B = segment_count(trajectory_N, batch.num_trajectories) > 0
    peers = statistics(mean_B[acted_B], batch.group_B[acted_B], batch.num_groups)
    compared_N = _compare(reward_N, batch.group_B[trajectory_N], peers, "rloo", 0.0)
    process_T = torch.zeros_like(batch.sampled_logprob_T, dtype=torch.float64)
    process_T[batch.action_T] = process_weight * discounted_sum(compared_N, trajectory_N, 1.0)
    outcome_B = leave_one_out(trajectory_return(batch), batch.group_B, batch.num_groups)
    return TokenCredit(torch.where(batch.action_T, outcome_B[batch.trajectory_T], 0), process_T)


def turn_mean_score(process_reward_T: Tensor, batch: Batch) -> Tensor:
    """The score of each trajectory: the mean over its turns of their process rewards. What the trajectory DPO compares.

    Turns without a sampled token do not count.

    Shapes: process_reward_T [T]; returns score_B [B].
    Source: arXiv 2509.19199; CharacterRL-iStar rm_utils.py, compute_eto_loss_rm (a mean, not a sum).
    """
    masked_T = torch.where(batch.action_T, process_reward_T, 0)
    return segment_sum(masked_T, batch.trajectory_T, batch.num_trajectories) / _num_acting_turns(batch)


def turn_mean_weight(weight_B: Tensor, batch: Batch) -> Tensor:
    """The derivative of a loss by each token's process reward, from that by `turn_mean_score`.

    A column like any other: filled on the whole batch, before that is split into what fits a forward pass.

    Shapes: weight_B [B]; returns [T]; 0 off-action.
    Source: the derivative of `turn_mean_score`.
    """
    return torch.where(batch.action_T, (weight_B / _num_acting_turns(batch))[batch.trajectory_T], 0)


def trajectory_dpo(score_B: Tensor, batch: Batch) -> ScoreLoss:
    """The mean of -log sigmoid(score of a success - score of a failure) over all such pairs of siblings.

    Without a pair the loss is 0.

    Args:
        score_B: `turn_mean_score`, say; not normalised.
        batch: With `success_B`.

    Shapes: score_B [B]; returns a scalar and weight_B [B].
    Source: arXiv 2509.19199; CharacterRL-iStar rm_utils.py, compute_eto_loss_rm.
    Differs: success is what the suite says, where the reference code takes any reward above 0. Its training step cuts
        the gradient before this loss, so that its model never learns.
    """
    success_B = _success(batch)
    won, lost = success_B.nonzero().squeeze(1), (~success_B).nonzero().squeeze(1)
    num_lost_G = segment_count(batch.group_B[lost], batch.num_groups)
    first_lost_G = num_lost_G.cumsum(0) - num_lost_G
    group_M = batch.group_B[won]
    better_P = won.repeat_interleave(num_lost_G[group_M])  # P: pairs
    worse_P = lost[ranges(first_lost_G[group_M], num_lost_G[group_M])]
    margin_P = score_B[better_P] - score_B[worse_P]
    num_pairs = max(margin_P.numel(), 1)
    pull_P = torch.sigmoid(-margin_P) / num_pairs
    weight_B = torch.zeros_like(score_B).index_add_(0, worse_P, pull_P).index_add_(0, better_P, -pull_P)
    return ScoreLoss(-logsigmoid(margin_P).sum() / num_pairs, weight_B)


def outcome_cross_entropy(score_B: Tensor, batch: Batch) -> ScoreLoss:
    """The mean over trajectories of the cross entropy between success and sigmoid(score).

    Args:
        score_B: The sum of a trajectory's process rewards.
        batch: With `success_B`.

    Shapes: score_B [B]; returns a scalar and weight_B [B].
    Source: arXiv 2502.01456; CharacterRL-iStar rm_utils.py, compute_ce_dpo_loss_rm.
    """
    sign_B = torch.where(_success(batch), 1, -1)
    loss_B = -logsigmoid(sign_B * score_B)
    return ScoreLoss(loss_B.mean(), -sign_B * torch.sigmoid(-sign_B * score_B) / score_B.numel())


def _process_reward_T(batch: Batch) -> Tensor:
    if batch.process_reward_T is None:
        raise ConfigError(
            "Process rewards are needed, and the batch has none: add the annotator that asks a process reward model, "
            "or choose an algorithm that needs none, such as 'grpo' or 'turn_return'."
        )
    return torch.where(batch.action_T, batch.process_reward_T.double(), 0)


def _scaled(reward_N: Tensor, largest: Tensor) -> Tensor:
    return torch.where(largest < _ROUNDING, 0, reward_N / (largest + 1e-6))


def _success(batch: Batch) -> Tensor:
    if batch.success_B is None:
        raise ConfigError("Whether each trajectory succeeded must be known: make the batch with pack().")
    return batch.success_B


def _alone_U(batch: Batch) -> Tensor:
    return (segment_count(batch.group_B, batch.num_groups) < 2)[batch.group_U]


def _num_acting_turns(batch: Batch) -> Tensor:
    """How many turns of each trajectory hold a sampled token; at least 1."""
    acted_U = segment_count(batch.turn_T[batch.action_T], batch.num_turns) > 0
    return segment_sum(acted_U, batch.trajectory_U, batch.num_trajectories).clamp(min=1)


def _step_statistics(batch: Batch, reward_U: Tensor, acted_U: Tensor, over: StepStatistics) -> Statistics:
    if over == "trajectories":
        mean_B = segment_sum(reward_U, batch.trajectory_U, batch.num_trajectories) / _num_acting_turns(batch)
        acted_B = segment_sum(acted_U, batch.trajectory_U, batch.num_trajectories) > 0
        return statistics(mean_B[acted_B], batch.group_B[acted_B], batch.num_groups)
    counted_U = segment_first(batch.trajectory_U) if over == "first_turns" else acted_U
    return statistics(reward_U[counted_U], batch.group_U[counted_U], batch.num_groups)


def _compare(x_N: Tensor, index_N: Tensor, peers: Statistics, comparison: Comparison, epsilon: float) -> Tensor:
    """Each value against the statistics of its segment."""
    compared_N = relative(x_N, index_N, peers, std=comparison == "grpo", epsilon=epsilon)
    if comparison != "rloo":
        return compared_N
    return compared_N * (peers.count_M.double() / (peers.count_M - 1).clamp(min=1))[index_N]
