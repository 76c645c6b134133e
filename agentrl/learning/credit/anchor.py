"""Credit by comparing decisions that siblings took in one and the same state (anchor states)."""

from typing import Literal, NamedTuple, TypeAlias

import torch
from torch import Tensor

from agentrl.errors import ConfigError
from agentrl.learning.batch import Batch
from agentrl.learning.credit.comparison import relative, statistics
from agentrl.learning.credit.returns import return_to_go, trajectory_return
from agentrl.learning.segments import renumber, segment_first

StatisticsOver: TypeAlias = Literal["trajectories", "turns", "first_turns"]


class AnchorCredit(NamedTuple):
    """The two parts of GiGPO's advantage, and which turns the second one compared."""

    episode_U: Tensor  # by the trajectory's return, within the group
    step_U: Tensor  # by the return-to-go, within the anchor group
    anchor_U: Tensor  # int64  turns with the same number were taken in the same state of the same group


def gigpo(
    batch: Batch,
    *,
    discount: float = 1.0,
    step_weight: float = 1.0,
    std: bool = False,
    invalid_penalty: float = 0.1,
    statistics_over: StatisticsOver = "trajectories",
    epsilon: float = 1e-6,
) -> Tensor:
    """Advantage of each turn: that of its trajectory within the group plus that of the turn among those in its state.

    Args:
        batch: With `state_key_U`; the annotator "similar_anchors" merges the keys of states that are alike.
        discount: Of the returns-to-go (gamma).
        step_weight: Of the second part (omega).
        std: Divide both parts by their standard deviations (the reference code's mean_std_norm; False is mean_norm).
        invalid_penalty: Taken off both scores of a turn that held no action that could be tried; it does not
            propagate to earlier turns.
        statistics_over: What a group's mean and spread are taken over: "trajectories", their returns, and the penalty
            comes off what results; "turns", the penalised score of every turn, so that long trajectories count more
            (the reference code's default); "first_turns", that of each trajectory's first turn (its other setting).
        epsilon: Added to the standard deviations.

    Raises:
        ConfigError: The batch has no state keys.

    Shapes: returns advantage_T [T]; constant inside a turn, 0 off-action.
    Source: arXiv 2505.10978, section 4; verl-agent core_gigpo.py, ray_trainer.py (apply_invalid_action_penalty).
    Differs: group statistics are over trajectories unless asked otherwise, and then no penalty shifts the baseline of
        others or is blown up by a small spread; a group of one gives 0, where the reference code gives the raw return;
        spreads below 1e-8 are none; no row is ever duplicated to fill a batch.
    """
    parts = anchor_credit(
        batch,
        discount=discount,
        std=std,
        invalid_penalty=invalid_penalty,
        statistics_over=statistics_over,
        epsilon=epsilon,
    )
    return batch.turn_to_token(parts.episode_U + step_weight * parts.step_U)


def anchor_credit(
    batch: Batch,
    *,
    discount: float,
    std: bool,
    invalid_penalty: float,
    statistics_over: StatisticsOver,
    epsilon: float,
) -> AnchorCredit:
    """The parts of GiGPO's advantage; arguments as there.

    Shapes: columns of [U].
    Source: arXiv 2505.10978, section 4.
    """
    penalty_U = invalid_penalty * (~batch.valid_U).double()
    step_score_U = return_to_go(batch, discount) - penalty_U
    anchor_U = anchor_groups(batch)
    step_peers = statistics(step_score_U, anchor_U, batch.num_turns)
    return AnchorCredit(
        episode_U=_episode_credit(batch, penalty_U, std, epsilon, statistics_over),
        step_U=relative(step_score_U, anchor_U, step_peers, std=std, epsilon=epsilon),
        anchor_U=anchor_U,
    )


def anchor_groups(batch: Batch) -> Tensor:
    """The anchor group of each turn: turns of one group with the same state key share it; one without a key is alone.

    A state that a trajectory returns to counts as often as it was visited.

    Raises:
        ConfigError: The batch has no state keys.

    Shapes: returns anchor_U [U] int64, in 0 ... number of anchor groups - 1.
    Source: arXiv 2505.10978, section 4; verl-agent core_gigpo.py, build_step_group.
    """
    if batch.state_key_U is None:
        raise ConfigError(
            "Anchor groups need state keys, and no turn of the batch has one: give the environment a state_key() "
            "method, or choose an algorithm that needs none, such as 'grpo' or 'turn_return'."
        )
    num_keys = int(batch.state_key_U.max()) + 1
    shared_U = batch.group_U * num_keys + batch.state_key_U
    alone_U = batch.num_groups * num_keys + torch.arange(batch.num_turns, device=shared_U.device)
    return renumber(torch.where(batch.state_key_U < 0, alone_U, shared_U))


def _episode_credit(batch: Batch, penalty_U: Tensor, std: bool, epsilon: float, over: StatisticsOver) -> Tensor:
    return_B = trajectory_return(batch)
    if over == "trajectories":
        peers = statistics(return_B, batch.group_B, batch.num_groups)
        compared_B = relative(return_B, batch.group_B, peers, std=std, epsilon=epsilon)
        return compared_B[batch.trajectory_U] - torch.where((peers.count_M < 2)[batch.group_U], 0, penalty_U)
    score_U = return_B[batch.trajectory_U] - penalty_U
    counted_U = segment_first(batch.trajectory_U) if over == "first_turns" else torch.ones_like(batch.valid_U)
    peers = statistics(score_U[counted_U], batch.group_U[counted_U], batch.num_groups)
    return relative(score_U, batch.group_U, peers, std=std, epsilon=epsilon)
