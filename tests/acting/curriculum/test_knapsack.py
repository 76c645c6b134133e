from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentrl.acting.curriculum.knapsack import Knapsack, group_sizes, worth
from agentrl.trajectory import Task

TASKS = [Task(f"t{n}", n) for n in range(16)]
RATE = st.floats(0.02, 0.98)
ANY_RATE = st.one_of(st.none(), st.sampled_from([0.0, 1.0]), RATE)


def total_worth(sizes, rates):
    return sum(worth(size, rate) for size, rate in zip(sizes, rates, strict=True))


def best_of_all(rates, smallest, mean, largest):
    sums = (
        sizes for sizes in product(range(smallest, largest + 1), repeat=len(rates)) if sum(sizes) == mean * len(rates)
    )
    return max(total_worth(sizes, rates) for sizes in sums)


@settings(deadline=None, max_examples=60)
@given(rates=st.lists(RATE, min_size=1, max_size=5), mean=st.integers(2, 5))
def test_no_other_sizes_teach_more(rates, mean):
    sizes = group_sizes(rates, 2, mean, 5)  # three more than the smallest are never surplus
    assert total_worth(sizes, rates) == pytest.approx(best_of_all(rates, 2, mean, 5), abs=1e-12)


@settings(deadline=None, max_examples=40)
@given(
    rates=st.lists(st.one_of(st.floats(0.01, 0.1), st.floats(0.9, 0.99)), min_size=2, max_size=3),
    mean=st.integers(3, 9),
)
def test_nor_where_the_sizes_may_be_very_different(rates, mean):
    sizes = group_sizes(rates, 1, mean, 20)
    assert total_worth(sizes, rates) == pytest.approx(best_of_all(rates, 1, mean, 20), abs=1e-12)


@settings(deadline=None, max_examples=200)
@given(
    rates=st.lists(ANY_RATE, min_size=1, max_size=12),
    smallest=st.integers(1, 4),
    more=st.integers(0, 6),
    still_more=st.integers(0, 20),
)
def test_the_budget_is_spent_within_the_bounds(rates, smallest, more, still_more):
    mean, largest = smallest + more, smallest + more + still_more
    sizes = group_sizes(rates, smallest, mean, largest)
    assert sum(sizes) == mean * len(rates)
    assert all(smallest <= size <= largest for size in sizes)
    assert all(size >= mean for size, rate in zip(sizes, rates, strict=True) if rate is None)


def test_worth_by_hand():
    assert worth(2, 0.5) == pytest.approx(0.5 * 0.125)
    assert worth(3, 0.2) == pytest.approx((1 - 0.008 - 0.512) * 0.2 * 0.64)
    assert worth(8, 0.0) == worth(8, 1.0) == worth(1, 0.3) == 0


def test_what_nobody_else_can_use_goes_to_tasks_that_were_never_solved():
    # 24 in all, two for each at first; seeing both outcomes of the first takes three more: 15 are surplus.
    assert group_sizes([0.5, 0.0, 0.0], 2, 8, 128) == [5, 10, 9]
    # Without such tasks the others have it.
    assert group_sizes([0.5, 1.0], 2, 8, 128) == [5, 11]
    # And where all are at their largest, it goes back to where there is room.
    assert group_sizes([0.5, 0.5, 0.0], 2, 6, 7) == [6, 5, 7]


def test_tasks_of_which_nothing_is_known_or_all_solved_have_the_mean_size():
    assert group_sizes([None] * 3, 2, 8, 128) == [8, 8, 8]
    assert group_sizes([1.0, None, 1.0], 2, 8, 128) == [8, 8, 8]


def test_a_block_spends_its_budget_by_what_was_seen_before(group_of):
    curriculum = Knapsack(TASKS, mean_size=8, block_size=16)
    first = [curriculum.draw() for _ in range(16)]
    assert [draw.group_size for draw in first] == [8] * 16
    for draw in first:  # one hard task, one never solved, all others solved
        num_solved = {0: 1, 1: 0}.get(draw.task.seed, 8)
        curriculum.select([group_of(draw.task, [1.0] * num_solved + [0.0] * (8 - num_solved))])
    second = {draw.task.id: draw.group_size for draw in (curriculum.draw() for _ in range(16))}
    assert sum(second.values()) == 16 * 8
    assert all(second[f"t{n}"] == 2 for n in range(2, 16))
    assert second["t0"] == 2 + 17  # what it takes to see a success with a chance of 1/8 nine times in ten
    assert second["t1"] == 128 - 19 - 14 * 2
