"""Credit by what followed a turn, compared with what followed the same turn of the siblings."""

import torch
from torch import Tensor

from agentrl.learning.batch import Batch
from agentrl.learning.credit.comparison import NO_SPREAD
from agentrl.learning.credit.returns import return_to_go
from agentrl.learning.segments import segment_count, segment_last, segment_position, segment_sum


def turn_return(batch: Batch, *, discount: float = 1.0) -> Tensor:
    """Advantage of each turn: its return-to-go minus what the siblings' trajectories say one may expect there.

    Shapes: returns advantage_T [T]; constant inside a turn, 0 off-action. Where two or more siblings reached the
        n-th turn, the sum over them is 0.
    Source: our own; the return-to-go of arXiv 1506.02438, section 2, with the leave-one-out baseline of 2402.14740.
    Differs: see `sibling_baseline`. Nothing is divided by a standard deviation, and a group of one gives 0.
    """
    return_U = return_to_go(batch, discount)
    difference_U = return_U - sibling_baseline(batch, return_U)
    group_size_G = segment_count(batch.group_B, batch.num_groups)
    silent_U = (difference_U.abs() < NO_SPREAD) | (group_size_G < 2)[batch.group_U]
    return batch.turn_to_token(torch.where(silent_U, 0, difference_U))


def sibling_baseline(batch: Batch, return_U: Tensor) -> Tensor:
    """What one may expect at a turn: the mean return-to-go of the *other* trajectories of the group at their n-th turn.

    Those that had ended by then have no n-th turn and do not count; where all had, it is the mean of what they
    earned with their last one. In a group of one it is 0.

    The baseline of a turn depends on the siblings and on n, never on what the trajectory itself did from there on. So
    the gradient is unbiased also where the policy chooses when to stop: whether a sibling counts is decided by its own
    actions. A mean that includes the trajectory itself would shrink the gradient by (k - 1) / k with k trajectories
    left, a factor that depends on n. Normalised *rewards* of the n-th turns, summed up afterwards, lose the signal:
    those who went on are then compared among each other alone, and going on is worth nothing.

    Shapes: return_U [U]; returns baseline_U [U].
    """
    number_U = segment_position(batch.trajectory_U)
    num_numbers = int(number_U.max()) + 1
    peers_U = batch.group_U * num_numbers + number_U
    others_U = _mean_of_others(return_U, peers_U, batch.num_groups * num_numbers)
    num_peers_U = segment_count(peers_U, batch.num_groups * num_numbers)[peers_U]
    ended_B = _mean_of_others(return_U[segment_last(batch.trajectory_U)], batch.group_B, batch.num_groups)
    return torch.where(num_peers_U > 1, others_U, ended_B[batch.trajectory_U])


def _mean_of_others(x_N: Tensor, index_N: Tensor, num: int) -> Tensor:
    """The mean of the other elements of each element's segment; 0 where there are none."""
    num_others_N = (segment_count(index_N, num)[index_N] - 1).clamp(min=1)
    return (segment_sum(x_N, index_N, num)[index_N] - x_N) / num_others_N
