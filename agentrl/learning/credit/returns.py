"""What a trajectory earned, and what it still earned from a turn on; in double precision."""

from torch import Tensor

from agentrl.learning.batch import Batch
from agentrl.learning.segments import discounted_sum, segment_count, segment_sum


def trajectory_return(batch: Batch) -> Tensor:
    """The undiscounted sum of each trajectory's rewards.

    Shapes: returns return_B [B] f64.
    """
    return segment_sum(batch.reward_U.double(), batch.trajectory_U, batch.num_trajectories)


def return_to_go(batch: Batch, discount: float) -> Tensor:
    """Each turn's reward plus `discount` times the return-to-go of its trajectory's next turn.

    Nothing follows a trajectory's last turn, whether the environment ended it or a limit did.

    Shapes: returns return_U [U] f64.
    """
    return discounted_sum(batch.reward_U.double(), batch.trajectory_U, discount)


def reward_of_steps(batch: Batch, turn_N: Tensor) -> Tensor:
    """What each step earned: its turn's reward if it is the turn's last step, and that of the next turns without any.

    What a trajectory earned before its first step is no step's.

    Shapes: turn_N [N] int64, non-decreasing, the turn of each step; returns reward_N [N] f64.
    """
    num_B = segment_count(batch.trajectory_U[turn_N], batch.num_trajectories)
    num_U = segment_count(turn_N, batch.num_turns).cumsum(0)  # steps up to the end of the turn
    earned_U = num_U > (num_B.cumsum(0) - num_B)[batch.trajectory_U]
    return segment_sum(batch.reward_U.double()[earned_U], num_U[earned_U] - 1, turn_N.numel())
