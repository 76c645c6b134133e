"""How much better than its peers something did: the comparisons that the credit functions share.

Whoever has no peer, or no different from its peers, gets exactly 0: rounding is never a signal.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from agentrl.learning.segments import segment_count, segment_mean, segment_std, segment_sum

NO_SPREAD = 1e-8  # a difference, or a standard deviation, below this is none


class Statistics(NamedTuple):
    """Of the samples of each segment."""

    count_M: Tensor
    mean_M: Tensor
    std_M: Tensor  # unbiased


def statistics(x_N: Tensor, index_N: Tensor, num: int) -> Statistics:
    """Count, mean and standard deviation of each segment.

    Shapes: x_N [N] f64, index_N [N] int64; returns columns of [num].
    """
    return Statistics(segment_count(index_N, num), segment_mean(x_N, index_N, num), segment_std(x_N, index_N, num))


def relative(x_N: Tensor, index_N: Tensor, peers: Statistics, *, std: bool, epsilon: float = 1e-6) -> Tensor:
    """Each value minus the mean of its segment's peers, divided by their standard deviation + `epsilon` if `std`.

    0 where the peers are fewer than two, and, if `std`, where they do not differ.

    Shapes: x_N [N], index_N [N] int64 into the columns of `peers`; returns [N].
    """
    difference_N = x_N - peers.mean_M[index_N]
    silent_N = (difference_N.abs() < NO_SPREAD) | (peers.count_M < 2)[index_N]
    if not std:
        return torch.where(silent_N, 0, difference_N)
    std_N = peers.std_M[index_N]
    return torch.where(silent_N | (std_N < NO_SPREAD), 0, difference_N / (std_N + epsilon))


def leave_one_out(x_N: Tensor, index_N: Tensor, num: int) -> Tensor:
    """Each value minus the mean of the others in its segment; 0 where there are none.

    Shapes: x_N [N], index_N [N] int64; returns [N].
    """
    peers = statistics(x_N, index_N, num)
    scale_M = peers.count_M.double() / (peers.count_M - 1).clamp(min=1)
    return relative(x_N, index_N, peers, std=False) * scale_M[index_N]


def heard(x_N: Tensor, index_N: Tensor, num: int) -> Tensor:
    """Which elements lie in a segment where any is not 0: those of which a comparison had something to say.

    Shapes: x_N [N], index_N [N] int64; returns [N] bool.
    """
    return (segment_sum(x_N != 0, index_N, num) > 0)[index_N]


def whiten(x_N: Tensor, count_N: Tensor, *, epsilon: float = 1e-8) -> Tensor:
    """Each value minus the mean of the samples, over their standard deviation (unbiased; `epsilon` under the root).

    Element n stands for count_N[n] equal samples. 0 where that is 0; everywhere, where the samples do not differ.

    Shapes: x_N [N], count_N [N] of any number or bool type; returns [N] f64.
    """
    count_N = count_N.double()
    num = count_N.sum().clamp(min=1)
    difference_N = x_N - (count_N * x_N).sum() / num
    variance = (count_N * difference_N.square()).sum() / (num - 1).clamp(min=1)
    silent_N = (count_N == 0) | (variance < NO_SPREAD**2)
    return torch.where(silent_N, 0, difference_N * (variance + epsilon).rsqrt())
