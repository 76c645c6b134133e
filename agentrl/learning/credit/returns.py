"""What a trajectory earned, and what it still earned from a turn on; in double precision."""

from torch import Tensor

from agentrl.learning.batch import Batch
from agentrl.learning.segments import discounted_sum, segment_sum


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
