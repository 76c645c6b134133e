"""Credit by how sure the policy was when it acted: of each token, of each turn, or of the answer as a whole."""

from typing import Literal, TypeAlias

import torch
from torch import Tensor

from agentrl.errors import ConfigError
from agentrl.learning.batch import Batch
from agentrl.learning.credit.comparison import heard, relative, statistics
from agentrl.learning.credit.composition import Credit, sampling_entropy
from agentrl.learning.credit.outcome import grpo
from agentrl.learning.credit.returns import trajectory_return
from agentrl.learning.segments import renumber, segment_count, segment_mean, segment_position, segment_sum

Decline: TypeAlias = Literal["reciprocal", "linear", "exponential"]


def aepo(batch: Batch, *, base: Credit = grpo, strength: float = 0.2) -> Tensor:
    """Another credit's advantages, larger on tokens that were sampled from a wide distribution, smaller on the others.

    Args:
        batch: With `entropy_T`.
        base: The other credit.
        strength: By how much an advantage is raised per standard deviation of the entropy, over the batch's sampled
            tokens.

    Raises:
        ConfigError: The batch has no entropies.

    Shapes: returns advantage_T [T]; 0 off-action and where `base` is; never of another sign than there.
    Source: arXiv 2510.14545, section 3.3; ARPO repository, AEPO core_algos.py,
        compute_policy_loss_entropy_balanced_clipping (factor 0.2).
    Differs: mean and spread are those of the whole batch and of the policy that sampled, where the reference code has
        each micro-batch's, at the policy as it is then (and none at all, in the shipped recipes, which compute no
        entropy). A factor below 0 is 0.
    """
    entropy_N = sampling_entropy(batch)[batch.action_T]
    whole_N = torch.zeros_like(batch.turn_T[batch.action_T])
    standard_N = relative(entropy_N, whole_N, statistics(entropy_N, whole_N, 1), std=True, epsilon=0.0)
    advantage_T = base(batch)
    factor_T = torch.zeros_like(advantage_T)
    factor_T[batch.action_T] = (1 + strength * standard_N).clamp(min=0).to(factor_T.dtype)
    return advantage_T * factor_T


def empg(
    batch: Batch, *, base: Credit = grpo, sharpness: float = 1.0, bonus: float = 0.05, bonus_sharpness: float = 1.0
) -> Tensor:
    """Another credit's advantages, larger on turns that were sure, plus a bonus for a next turn that is; centred.

    A turn's entropy is the mean of its tokens'; it is mapped to 0 ... 1 over the batch.

    Args:
        batch: With `entropy_T`.
        base: The other credit; of a turn, its mean over the tokens.
        sharpness: A turn of entropy h has weight exp(-sharpness h), over the mean of that (k).
        bonus: What a turn gets if the next one has entropy 0; the last one gets none (zeta).
        bonus_sharpness: With entropy h it is exp(-bonus_sharpness h) times that (k').

    Raises:
        ConfigError: The batch has no entropies.

    Shapes: returns advantage_T [T]; constant inside a turn, 0 off-action; sums to 0 over the turns.
    Source: arXiv 2509.09265, eq. 7 to 12. Checked: against a third party's code (ARLArena core_algos.py,
        compute_EMPG_advantage); the authors' was not found.
    Differs: groups in which `base` gives nothing count for nothing and get 0, bonus and centring included; so do turns
        without a sampled token.
    """
    entropy_U = batch.token_to_turn(sampling_entropy(batch))
    base_U = batch.token_to_turn(base(batch)).double()
    acted_U = segment_count(batch.turn_T[batch.action_T], batch.num_turns) > 0
    counted_U = heard(base_U, batch.group_U, batch.num_groups) & acted_U
    advantage_U = torch.zeros_like(base_U)
    if not bool(counted_U.any()):
        return batch.turn_to_token(advantage_U)
    entropy_N, trajectory_N = entropy_U[counted_U], batch.trajectory_U[counted_U]
    low, high = entropy_N.aminmax()
    unsure_N = (entropy_N - low) / (high - low + 1e-8)
    weight_N = torch.exp(-sharpness * unsure_N)
    clear_N = torch.exp(-bonus_sharpness * unsure_N)
    has_next_N = torch.zeros_like(clear_N)
    has_next_N[:-1] = (trajectory_N[1:] == trajectory_N[:-1]).double()
    modulated_N = base_U[counted_U] * weight_N / (weight_N.mean() + 1e-8) + bonus * has_next_N * clear_N.roll(-1)
    advantage_U[counted_U] = modulated_N - modulated_N.mean()
    return batch.turn_to_token(advantage_U)


def gtpo(
    batch: Batch,
    *,
    entropy_weight: float = 0.1,
    success_above: float = 0.5,
    separate: bool = False,
    min_entropy: float = 1e-3,
    epsilon: float = 1e-6,
) -> Tensor:
    """Advantage of each token: its share of 1 or -1, for success or failure, standardised over the group's tokens.

    The n-th sampled tokens of the group's successes share what they have in proportion to their entropies, those of
    its failures in inverse proportion: being unsure on the way to success is rewarded, and being sure on the way to
    failure punished.

    Args:
        batch: With `entropy_T`.
        entropy_weight: How much of it is shared so; the rest is 1 or -1 for each (alpha_2, and 1 - alpha_1).
        success_above: A trajectory with a larger return is a success.
        separate: Standardise successes and failures each by themselves. Then a mean success is worth as much as a mean
            failure: nothing.
        min_entropy: In nats; what is below is taken for this much.
        epsilon: Added to the standard deviation.

    Raises:
        ConfigError: The batch has no entropies.

    Shapes: returns advantage_T [T]; 0 off-action; sums to 0 over a group's sampled tokens.
    Source: arXiv 2508.04349, section 2. Checked: against a third party's reading of equations 3 to 6 (textpolicy
        grpo.py), which standardises separately; the authors' code was not found.
    Differs: `separate`, which is the paper's only way. A group without both successes and failures gives 0.
    """
    entropy_N = sampling_entropy(batch)[batch.action_T].clamp(min=min_entropy)
    trajectory_N = batch.trajectory_T[batch.action_T]
    group_N, success_N = batch.group_B[trajectory_N], (trajectory_return(batch) > success_above)[trajectory_N]
    side_N = 2 * group_N + success_N.long()  # the group's failures, its successes
    place_N = segment_position(trajectory_N)
    num_places = int(place_N.max()) + 1 if place_N.numel() else 1
    shaped_N = _shaped(entropy_N, success_N, renumber(side_N * num_places + place_N), entropy_weight)
    peers_N = side_N if separate else group_N
    peers = statistics(shaped_N, peers_N, 2 * batch.num_groups)
    compared_N = relative(shaped_N, peers_N, peers, std=True, epsilon=epsilon)
    advantage_T = torch.zeros_like(batch.sampled_logprob_T)
    told_N = torch.where(_is_mixed(success_N, group_N, batch.num_groups), compared_N, 0)
    advantage_T[batch.action_T] = told_N.to(advantage_T.dtype)
    return advantage_T


def grpo_s(
    batch: Batch,
    *,
    entropy_weight: float = 0.1,
    success_above: float = 0.5,
    min_entropy: float = 1e-3,
    epsilon: float = 1e-6,
) -> Tensor:
    """Advantage of each turn: its trajectory's share of 1 or -1, for success or failure, standardised over the group.

    As `gtpo`, with trajectories for tokens, and the mean over its tokens for a trajectory's entropy.

    Args:
        batch: With `entropy_T`.
        entropy_weight: How much of it is shared by entropy (beta_2, and 1 - beta_1).
        success_above: A trajectory with a larger return is a success.
        min_entropy: In nats; what is below is taken for this much.
        epsilon: Added to the standard deviation.

    Raises:
        ConfigError: The batch has no entropies.

    Shapes: returns advantage_T [T]; constant inside a trajectory, 0 off-action; sums to 0 over a group's trajectories
        (that hold a sampled token).
    Source: arXiv 2508.04349, section 3. Checked: from the paper's summary alone.
    Differs: failures share in inverse proportion to their entropies, as in `gtpo`; successes and failures are
        standardised together. A group without both gives 0.
    """
    trajectory_N = batch.trajectory_T[batch.action_T]
    entropy_B = segment_mean(sampling_entropy(batch)[batch.action_T], trajectory_N, batch.num_trajectories)
    acted_B = segment_count(trajectory_N, batch.num_trajectories) > 0
    entropy_M = entropy_B[acted_B].clamp(min=min_entropy)  # M: trajectories that hold a sampled token
    group_M, success_M = batch.group_B[acted_B], trajectory_return(batch)[acted_B] > success_above
    shaped_M = _shaped(entropy_M, success_M, renumber(2 * group_M + success_M.long()), entropy_weight)
    peers = statistics(shaped_M, group_M, batch.num_groups)
    compared_M = relative(shaped_M, group_M, peers, std=True, epsilon=epsilon)
    advantage_B = torch.zeros_like(entropy_B)
    advantage_B[acted_B] = torch.where(_is_mixed(success_M, group_M, batch.num_groups), compared_M, 0)
    return batch.turn_to_token(advantage_B[batch.trajectory_U])


def seed_grpo(
    batch: Batch, *, base: Credit = grpo, strength: float = 0.0417, decline: Decline = "reciprocal"
) -> Tensor:
    """Another credit's advantages, smaller in groups whose trajectories end with many different answers.

    With x the entropy of the group's answers, over the largest it can have, and s the strength, they are multiplied by
    1 / (1 + s x), or by 1 - s x, at least 0, or by exp(-s x).

    Args:
        batch: With `answer_B`.
        base: The other credit.
        strength: Of the reduction (alpha). What is known of the authors' settings is this small number; with free text
            for last messages, all answers differ, and it reduces every group alike.
        decline: Which of the three it is.

    Raises:
        ConfigError: The batch has no answers.

    Shapes: returns advantage_T [T]; 0 off-action and where `base` is.
    Source: arXiv 2505.12346, section 3. Checked: against a third party's port (maxent-grpo rewards.py) with the
        reciprocal; the authors' repository is empty.
    Differs: answers are equal iff the last messages are, and each counts the same, where the port weighs them by their
        likelihoods; the paper's base is `grpo` with `std=False`.
    """
    if batch.answer_B is None:
        raise ConfigError("SEED-GRPO needs to know which trajectories end with the same answer: use pack().")
    cluster_B = renumber(batch.group_B * (int(batch.answer_B.max()) + 1) + batch.answer_B)
    num_alike_B = segment_count(cluster_B, batch.num_trajectories)[cluster_B]
    num_B = segment_count(batch.group_B, batch.num_groups)[batch.group_B]
    surprise_B = -(num_alike_B / num_B).double().log()  # its mean over a group is the entropy
    entropy_G = segment_mean(surprise_B, batch.group_B, batch.num_groups)
    max_G = segment_count(batch.group_B, batch.num_groups).clamp(min=2).double().log()
    x_G = strength * entropy_G / max_G
    factor_G = {"reciprocal": 1 / (1 + x_G), "linear": (1 - x_G).clamp(min=0), "exponential": torch.exp(-x_G)}[decline]
    return base(batch) * batch.turn_to_token(factor_G[batch.group_U])


def _shaped(entropy_N: Tensor, success_N: Tensor, cell_N: Tensor, entropy_weight: float) -> Tensor:
    """1 for a success and -1 for a failure, a part of which is shared within the cell, by entropy or inversely."""
    share_N = torch.where(success_N, entropy_N, 1 / entropy_N)
    num = int(cell_N.max()) + 1 if cell_N.numel() else 0
    relative_N = share_N / segment_mean(share_N, cell_N, num)[cell_N]
    return torch.where(success_N, 1.0, -1.0) * (1 - entropy_weight + entropy_weight * relative_N)


def _is_mixed(success_N: Tensor, group_N: Tensor, num_groups: int) -> Tensor:
    """Which elements lie in a group that holds both successes and failures."""
    num_won_G = segment_sum(success_N, group_N, num_groups)
    return ((num_won_G > 0) & (num_won_G < segment_count(group_N, num_groups)))[group_N]
