import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from agentrl.learning.segments import (
    discounted_sum,
    ranges,
    renumber,
    segment_count,
    segment_first,
    segment_last,
    segment_max,
    segment_mean,
    segment_order,
    segment_position,
    segment_std,
    segment_sum,
)

INDEX = torch.tensor([2, 0, 2, 0, 2, 3])
X = torch.tensor([1.0, 4.0, 3.0, 6.0, 8.0, 7.0], dtype=torch.float64)


def test_sums_means_and_maxima_of_unordered_segments_with_an_empty_one():
    assert segment_count(INDEX, 4).tolist() == [2, 0, 3, 1]
    assert segment_sum(X, INDEX, 4).tolist() == [10, 0, 12, 7]
    assert segment_mean(X, INDEX, 4).tolist() == [5, 0, 4, 7]
    assert segment_max(X, INDEX, 4).tolist() == [6, float("-inf"), 8, 7]
    assert segment_max(INDEX, INDEX, 4)[1] == torch.iinfo(torch.int64).min


def test_the_sum_of_a_bool_column_counts():
    assert segment_sum(X > 3, INDEX, 4).tolist() == [2, 0, 1, 1]


def test_the_spread_is_unbiased_and_0_for_one():
    assert segment_std(X, INDEX, 4).tolist() == pytest.approx([2**0.5, 0, 13**0.5, 0])


def test_first_last_and_position():
    index = torch.tensor([0, 0, 1, 4, 4, 4])
    assert segment_first(index).tolist() == [True, False, True, True, False, False]
    assert segment_last(index).tolist() == [False, True, True, False, False, True]
    assert segment_position(index).tolist() == [0, 1, 0, 0, 1, 2]


def test_renumber_closes_the_gaps_and_keeps_the_order_of_the_keys():
    assert renumber(torch.tensor([7, 2, 7, 40, 2])).tolist() == [1, 0, 1, 2, 0]


def test_segments_are_ordered_by_number_and_each_by_value():
    assert segment_order(X, INDEX).tolist() == [1, 3, 0, 2, 4, 5]
    assert segment_order(-X, INDEX).tolist() == [3, 1, 4, 2, 0, 5]


def test_ranges_follow_each_other():
    assert ranges(torch.tensor([5, 0, 9]), torch.tensor([2, 0, 3])).tolist() == [5, 6, 9, 10, 11]


def test_nothing_in_nothing_out():
    nothing = torch.zeros(0, dtype=torch.int64)
    assert segment_position(nothing).numel() == 0
    assert renumber(nothing).numel() == 0
    assert ranges(nothing, nothing).numel() == 0
    assert discounted_sum(nothing.double(), nothing, 0.9).numel() == 0


def test_discounted_sum_by_hand():
    x = torch.tensor([1.0, 2.0, 3.0, 10.0], dtype=torch.float64)
    assert discounted_sum(x, torch.tensor([0, 0, 0, 1]), 0.5).tolist() == [2.75, 3.5, 3.0, 10.0]


@settings(deadline=None)
@given(
    st.lists(st.lists(st.floats(-10, 10), min_size=1, max_size=9), min_size=1, max_size=6),
    st.sampled_from([0.0, 0.5, 0.95, 1.0]),
)
def test_discounted_sum_is_that_of_a_loop(segments: list[list[float]], discount: float):
    expected: list[float] = []
    for segment in segments:
        later = 0.0
        backwards = [later := x + discount * later for x in reversed(segment)]
        expected += reversed(backwards)
    index_N = torch.arange(len(segments)).repeat_interleave(torch.tensor([len(segment) for segment in segments]))
    got_N = discounted_sum(
        torch.tensor([x for segment in segments for x in segment], dtype=torch.float64), index_N, discount
    )
    torch.testing.assert_close(got_N, torch.tensor(expected, dtype=torch.float64), rtol=0, atol=1e-12)
