"""Credit where trajectories branched off each other, so that one decision stands in several of them."""

from typing import Literal, NamedTuple, TypeAlias

import torch
from torch import Tensor

from agentrl.learning.batch import Batch
from agentrl.learning.credit.comparison import heard, relative, statistics, whiten
from agentrl.learning.credit.returns import trajectory_return
from agentrl.learning.segments import renumber, segment_count, segment_mean, segment_sum

Attribution: TypeAlias = Literal["soft", "hard"]


class BranchCredit(NamedTuple):
    """What a decision is worth, to one trajectory that it stands in and to all of them."""

    own_U: Tensor  # by the return of the turn's own trajectory, within the group
    shared_U: Tensor  # the mean of that over all trajectories in which the decision stands
    num_copies_U: Tensor  # int64  in how many of them the policy is trained on it; 0 where it is on none
    decision_U: Tensor  # int64  turns with the same number are copies of one decision


def arpo(batch: Batch, *, attribution: Attribution = "soft", std: bool = True, epsilon: float = 1e-6) -> Tensor:
    """Advantage of each turn: GRPO's of its trajectory, or of all the trajectories that the decision stands in.

    A decision that d trajectories share was taken once, and stands in the loss d times.

    - "soft": each copy has the advantage of its own trajectory. Where all tokens weigh the same, the gradient is the
      decision's score times the *sum* of the d advantages: it weighs d times what a decision of one trajectory does,
      and a first step counts for more, the more often what followed was branched.
    - "hard": each copy has the mean of the d advantages, divided by d. The gradient is the score times their *mean*,
      the estimate of what the decision is worth: it counts once, as it was taken once, in however many trajectories it
      stands. So branching changes how often a state is learnt from, but no longer how much the steps before it weigh.

    Args:
        batch: With `origin_U`; without it, no decision is shared, and both are GRPO.
        attribution: As above.
        std: Divide by the standard deviation of the group's returns.
        epsilon: Added to the standard deviation.

    Shapes: returns advantage_T [T]; constant inside a turn, 0 off-action.
    Source: arXiv 2507.19849; the reference code (verl_arpo_entropy) has the soft setting alone: plain GRPO
        over all trajectories. Checked: hard from the paper's text alone.
    Differs: as GRPO; in the paper's hard setting each copy has the undivided mean, which makes the gradient that of the
        soft one: the decision counts d times.
    """
    parts = branch_credit(batch, std=std, epsilon=epsilon)
    return batch.turn_to_token(parts.own_U if attribution == "soft" else hard_attribution(parts))


def branch_credit(batch: Batch, *, std: bool = True, epsilon: float = 1e-6) -> BranchCredit:
    """What each decision is worth; arguments as of `arpo`.

    Shapes: columns of [U].
    Source: arXiv 2507.19849.
    """
    return_B = trajectory_return(batch)
    peers = statistics(return_B, batch.group_B, batch.num_groups)
    own_U = relative(return_B, batch.group_B, peers, std=std, epsilon=epsilon)[batch.trajectory_U]
    decision_U = decisions(batch)
    acted_U = segment_count(batch.turn_T[batch.action_T], batch.num_turns) > 0
    return BranchCredit(
        own_U=own_U,
        shared_U=segment_mean(own_U, decision_U, batch.num_turns)[decision_U],
        num_copies_U=segment_sum(acted_U, decision_U, batch.num_turns)[decision_U],
        decision_U=decision_U,
    )


def hard_attribution(parts: BranchCredit) -> Tensor:
    """Each decision's mean advantage, dealt out evenly to the copies that the policy is trained on.

    Shapes: returns [U].
    Source: arXiv 2507.19849; see `arpo`.
    """
    return parts.shared_U / parts.num_copies_U.clamp(min=1)


def treepo(batch: Batch, *, weighted_by: Literal["average", "size"] = "average", whitened: bool = True) -> Tensor:
    """Advantage of each trajectory: its return minus the mean of those that share its first n turns, for all n.

    The comparison for n = 0 is with the whole group. Those for which nobody else is left do not count; the others are
    averaged.

    Args:
        batch: With `origin_U`; without it, there is only the comparison with the group.
        weighted_by: What a comparison counts: "average", each the same; "size", as much as it has trajectories.
        whitened: Standardise over all sampled tokens of the batch, save those of groups without any advantage.

    Shapes: returns advantage_T [T]; constant inside a trajectory, 0 off-action.
    Source: arXiv 2508.17445; TreePO core_algos.py,
        compute_tree_reinforce_plus_plus_baseline_outcome_advantage.
    Differs: a turn is what a segment is there; groups of one or without spread give 0 and are not shifted by whitening.
    """
    return_B = trajectory_return(batch)
    group_B = relative(return_B, batch.group_B, statistics(return_B, batch.group_B, batch.num_groups), std=False)
    decision_U, return_U = decisions(batch), return_B[batch.trajectory_U]
    peers = statistics(return_U, decision_U, batch.num_turns)
    compared_U = relative(return_U, decision_U, peers, std=False)
    size_U = torch.where(peers.count_M > 1, peers.count_M, 0)[decision_U].double()
    size_B = segment_count(batch.group_B, batch.num_groups)[batch.group_B].double()
    if weighted_by == "average":
        size_U, size_B = (size_U > 0).double(), torch.ones_like(size_B)
    below_B, weight_B = (
        segment_sum(x_U, batch.trajectory_U, batch.num_trajectories) for x_U in (size_U * compared_U, size_U)
    )
    advantage_U = ((size_B * group_B + below_B) / (size_B + weight_B))[batch.trajectory_U]
    if whitened:
        num_tokens_U = segment_count(batch.turn_T[batch.action_T], batch.num_turns)
        advantage_U = whiten(advantage_U, heard(advantage_U, batch.group_U, batch.num_groups) * num_tokens_U)
    return batch.turn_to_token(advantage_U)


def decisions(batch: Batch) -> Tensor:
    """The decision of each turn: copies share a number; without `origin_U` each turn has its own.

    Shapes: returns decision_U [U] int64, below the number of turns.
    Source: our own.
    """
    if batch.origin_U is None:
        return torch.arange(batch.num_turns, device=batch.trajectory_U.device)
    return renumber(batch.origin_U)
