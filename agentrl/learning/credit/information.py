"""Credit by how much a turn told of the answer (information gain), and by the outcome."""

from typing import Literal, NamedTuple, TypeAlias

import torch
from torch import Tensor

from agentrl.errors import ConfigError
from agentrl.learning.batch import Batch
from agentrl.learning.credit.comparison import Statistics, relative
from agentrl.learning.credit.returns import trajectory_return
from agentrl.learning.segments import discounted_sum, segment_count, segment_last, segment_mean, segment_sum

_VARIANCE_FLOOR = 1e-8  # added to a variance before its root is taken

BeliefScale: TypeAlias = Literal["probability", "log"]
Normalisation: TypeAlias = Literal["separate", "joint"]


class InformationCredit(NamedTuple):
    """The two parts of IGPO's advantage."""

    gain_U: Tensor  # by the gains of the turn and of those after it
    outcome_U: Tensor  # by the trajectory's return


def igpo(
    batch: Batch,
    *,
    discount: float = 1.0,
    normalisation: Normalisation = "separate",
    std: bool = True,
    gain_weight: float = 1.0,
    statistics_over: Literal["turns", "trajectories"] = "turns",
    epsilon: float = 1e-6,
) -> Tensor:
    """Advantage of each turn: the normalised rewards from it on; a turn's is its gain, the last one's the outcome.

    What is normalised is the rewards, before they are summed: each further turn costs what the mean gain of a turn is
    worth. So the gradient is biased where the policy chooses when to stop, save where gains are 0 in the mean.

    Args:
        batch: With `information_gain_U`.
        discount: Of a turn's reward by turns (gamma).
        normalisation: Gains and outcomes of a group each by their own mean and spread (the authors' training script),
            or all of them by one (the reference code's default), where outcomes that are all the same are signal still.
        std: Divide by the standard deviations; else rewards are only centred.
        gain_weight: Of gains against outcomes, before they are normalised (the curriculum of the reference code is to
            lower it from 2 to 1/2); it cancels out where each kind is divided by its own spread.
        statistics_over: What means and spreads are taken over: "turns", all rewards; "trajectories", so that one
            with many turns counts no more than one with few.
        epsilon: Added to the standard deviations.

    Raises:
        ConfigError: The batch has no information gains.

    Shapes: returns advantage_T [T]; constant inside a turn, 0 off-action.
    Source: arXiv 2510.14967; IGPO core_algos.py (February 2026), compute_grpo_outcome_advantage and
        _compute_turn_level_advantage.
    Differs: turns are data, where the reference code infers them from rewards that are not 0; all that the environment
        paid is the outcome, whenever it did; a group of one gives 0, and so do gains that one trajectory alone has,
        where the reference code compares the turns of a trajectory with each other.
    """
    parts = information_credit(
        batch,
        discount=discount,
        normalisation=normalisation,
        std=std,
        gain_weight=gain_weight,
        statistics_over=statistics_over,
        epsilon=epsilon,
    )
    return batch.turn_to_token(parts.gain_U + parts.outcome_U)


def information_credit(
    batch: Batch,
    *,
    discount: float,
    normalisation: Normalisation,
    std: bool,
    gain_weight: float,
    statistics_over: Literal["turns", "trajectories"],
    epsilon: float,
) -> InformationCredit:
    """The parts of IGPO's advantage; arguments as there.

    Shapes: columns of [U].
    Source: arXiv 2510.14967.
    """
    if batch.information_gain_U is None:
        raise ConfigError(
            "IGPO needs information gains, and the batch has none: add the annotator that measures them, or choose an "
            "algorithm that needs none, such as 'grpo' or 'turn_return'."
        )
    last_U = segment_last(batch.trajectory_U)
    return_U = trajectory_return(batch)[batch.trajectory_U]
    reward_U = torch.where(last_U, return_U, gain_weight * batch.information_gain_U.double())
    kind_U = last_U.long() if normalisation == "separate" else torch.zeros_like(batch.trajectory_U)
    own_U = 2 * batch.trajectory_U + kind_U
    share_U = 1 / segment_count(own_U, 2 * batch.num_trajectories)[own_U].double()  # adds up to 1 a trajectory
    weight_U = share_U if statistics_over == "trajectories" else torch.ones_like(share_U)
    peers_U = 2 * batch.group_U + kind_U
    peers = _statistics(reward_U, peers_U, 2 * batch.num_groups, weight_U, share_U)
    relative_U = relative(reward_U, peers_U, peers, std=std, epsilon=epsilon)
    return InformationCredit(
        gain_U=discounted_sum(torch.where(last_U, 0, relative_U), batch.trajectory_U, discount),
        outcome_U=discounted_sum(torch.where(last_U, relative_U, 0), batch.trajectory_U, discount),
    )


def belief(answer_logprob_N: Tensor, turn_N: Tensor, num_turns: int, *, scale: BeliefScale = "probability") -> Tensor:
    """What the policy believed of the right answer before each turn: the geometric mean probability of its tokens.

    Args:
        answer_logprob_N: Of the answer's tokens, if the policy had to give it instead of taking the turn, in nats.
        turn_N: Which turn that is.
        num_turns: How many turns there are.
        scale: "probability", or "log" for its logarithm.

    Shapes: answer_logprob_N [N], turn_N [N] int64; returns belief_U [num_turns] f64; NaN where the answer has no token.
    Source: arXiv 2510.14967; IGPO prealigned_vectorized.py, compute_vectorized_gt_logprob.
    """
    mean_U = segment_mean(answer_logprob_N.double(), turn_N, num_turns)
    mean_U = torch.where(segment_count(turn_N, num_turns) > 0, mean_U, torch.nan)
    return mean_U.exp() if scale == "probability" else mean_U


def information_gain(belief_U: Tensor, trajectory_U: Tensor) -> Tensor:
    """How much each turn raised the belief: that before the next turn minus that before it.

    0 on a trajectory's last turn, whose worth is the outcome, and where either belief is not a finite number.

    Shapes: belief_U [U], trajectory_U [U] int64, non-decreasing; returns information_gain_U [U].
    Source: arXiv 2510.14967; IGPO prealigned_vectorized.py, compute_vectorized_gt_logprob.
    Differs: where a belief could not be measured, two turns have no gain; the reference code drops the trajectory's.
    """
    gain_U = belief_U.roll(-1) - belief_U
    return torch.where(segment_last(trajectory_U) | ~gain_U.isfinite(), 0, gain_U)


def _statistics(x_U: Tensor, index_U: Tensor, num: int, weight_U: Tensor, share_U: Tensor) -> Statistics:
    """How many trajectories each segment has rewards of, and the weighted mean and standard deviation of these."""
    weight_M = segment_sum(weight_U, index_U, num).clamp(min=1)
    mean_M = segment_sum(weight_U * x_U, index_U, num) / weight_M
    variance_M = segment_sum(weight_U * (x_U - mean_M[index_U]).square(), index_U, num) / weight_M
    count_M = segment_sum(share_U, index_U, num).round()
    return Statistics(count_M, mean_M, (variance_M + _VARIANCE_FLOOR).sqrt())
