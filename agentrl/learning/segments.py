"""Sums, means and spreads over the segments of a flat axis.

A segment is the set of elements that share an index: `index_N[n]` says to which of `num` segments element n belongs.
An empty segment has sum, mean and spread 0. Nothing here loops over elements.
"""

import torch
from torch import Tensor


def segment_count(index_N: Tensor, num: int) -> Tensor:
    """How many elements each segment has.

    Shapes: index_N [N] int64; returns [num] int64.
    """
    return torch.bincount(index_N, minlength=num)


def segment_sum(x_N: Tensor, index_N: Tensor, num: int) -> Tensor:
    """The sum of each segment; of a bool column, how many are true.

    Shapes: x_N [N], index_N [N] int64; returns [num].
    """
    values_N = x_N.long() if x_N.dtype == torch.bool else x_N
    return values_N.new_zeros(num).index_add_(0, index_N, values_N)


def segment_mean(x_N: Tensor, index_N: Tensor, num: int) -> Tensor:
    """The mean of each segment.

    Shapes: x_N [N] float, index_N [N] int64; returns [num].
    """
    return segment_sum(x_N, index_N, num) / segment_count(index_N, num).clamp(min=1)


def segment_std(x_N: Tensor, index_N: Tensor, num: int) -> Tensor:
    """The unbiased (n - 1) standard deviation of each segment; 0 for a segment of one.

    Shapes: x_N [N] float, index_N [N] int64; returns [num].
    """
    deviation_N = x_N - segment_mean(x_N, index_N, num)[index_N]
    freedom = (segment_count(index_N, num) - 1).clamp(min=1)
    return (segment_sum(deviation_N.square(), index_N, num) / freedom).sqrt()


def segment_max(x_N: Tensor, index_N: Tensor, num: int) -> Tensor:
    """The maximum of each segment; -inf, or an integer column's least value, for an empty one.

    Shapes: x_N [N], index_N [N] int64; returns [num].
    """
    lowest = float("-inf") if x_N.is_floating_point() else torch.iinfo(x_N.dtype).min
    return x_N.new_full((num,), lowest).scatter_reduce_(0, index_N, x_N, "amax")


def segment_position(index_N: Tensor) -> Tensor:
    """The place of each element within its segment: 0, 1, 2, ...

    Shapes: index_N [N] int64, non-decreasing; returns [N] int64.
    """
    first_N = segment_first(index_N)
    start_M = first_N.nonzero().squeeze(1)
    return torch.arange(index_N.numel(), device=index_N.device) - start_M[first_N.cumsum(0) - 1]


def segment_first(index_N: Tensor) -> Tensor:
    """Which elements are the first of their segment.

    Shapes: index_N [N] int64, non-decreasing; returns [N] bool.
    """
    first_N = torch.ones_like(index_N, dtype=torch.bool)
    first_N[1:] = index_N[1:] != index_N[:-1]
    return first_N


def segment_last(index_N: Tensor) -> Tensor:
    """Which elements are the last of their segment.

    Shapes: index_N [N] int64, non-decreasing; returns [N] bool.
    """
    last_N = torch.ones_like(index_N, dtype=torch.bool)
    last_N[:-1] = index_N[1:] != index_N[:-1]
    return last_N


def renumber(key_N: Tensor) -> Tensor:
    """The rank of each key among the distinct ones: 0, 1, 2, ... without a gap.

    Shapes: key_N [N] int64; returns [N] int64.
    """
    sorted_N, order_N = key_N.sort()
    return torch.empty_like(key_N).index_copy_(0, order_N, segment_first(sorted_N).cumsum(0) - 1)


def segment_order(x_N: Tensor, index_N: Tensor) -> Tensor:
    """The order in which the segments come one after the other, and in each the elements from the least to the largest.

    Shapes: x_N [N], index_N [N] int64; returns [N] int64, into N.
    """
    by_value_N = x_N.argsort(stable=True)
    return by_value_N[index_N[by_value_N].argsort(stable=True)]


def discounted_sum(x_N: Tensor, index_N: Tensor, discount: float) -> Tensor:
    """Each element plus `discount` times the discounted sum from the next element of its segment on.

    Computed in about log2(longest segment) passes: after pass k an element holds the sum of the 2**k elements
    that begin with it, and adds the sum that the element 2**k places further on holds.

    Shapes: x_N [N] float, index_N [N] int64, non-decreasing; returns [N].
    """
    num = x_N.numel()
    sum_N = x_N.clone()
    reach = 1
    while True:
        same_N = index_N[reach:] == index_N[:-reach] if reach < num else index_N.new_zeros(0, dtype=torch.bool)
        if not bool(same_N.any()):
            return sum_N
        further_N = torch.where(same_N, sum_N[reach:], 0) * discount**reach
        sum_N = torch.cat([sum_N[: num - reach] + further_N, sum_N[num - reach :]])
        reach *= 2


def ranges(first_M: Tensor, count_M: Tensor) -> Tensor:
    """The integers first, first + 1, ..., first + count - 1 of each range, one range after the other.

    Shapes: first_M [M] int64, count_M [M] int64; returns [sum of count_M] int64.
    """
    before_M = count_M.cumsum(0) - count_M
    return torch.arange(int(count_M.sum()), device=count_M.device) + (first_M - before_M).repeat_interleave(count_M)
