from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from agentrl.errors import ConfigError
from agentrl.learning.credit.distribution import bnpo, mc_grpo, ngrpo
from agentrl.learning.credit.outcome import grpo

CREDIT = {"NGRPO": ngrpo, "BNPO (Beta normalization)": bnpo, "MC-GRPO": mc_grpo}
RETURNS = st.lists(st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]), min_size=1, max_size=6), min_size=1, max_size=4)
ANY = settings(deadline=None, max_examples=25)


def advantages(tiny_batch, credit, groups):
    """Of trajectories of one turn, with these returns."""
    batch = tiny_batch([[[reward] for reward in group] for group in groups])
    return batch.token_to_turn(credit(batch)).tolist()


def test_the_retyped_advantages_are_matched(tiny_batch, vectors, agree):
    stored = vectors("variants_retyped")
    cases = [case for case in stored["cases"] if case["algorithm"] in CREDIT]
    assert len(cases) == 6
    for case in cases:
        rewards = case["input"]["rewards"]
        names = case["input"].get("group_id", ["A"] * len(rewards))
        groups: dict[str, list[float]] = {}
        for name, reward in zip(names, rewards, strict=True):
            groups.setdefault(name, []).append(reward)
        expected = torch.tensor(case["expected"].get("advantages") or case["expected"]["advantages_with_pivot"])
        expected[torch.tensor([names.count(name) == 1 for name in names])] = 0.0  # groups of one: their raw reward
        got = advantages(tiny_batch, CREDIT[case["algorithm"]], groups.values())
        agree(got, expected, stored["tolerance"])
        if "pivot_index_dropped" in case["expected"]:
            assert got[case["expected"]["pivot_index_dropped"]] == 0


def test_a_group_that_failed_is_signal_by_the_virtual_success(tiny_batch):
    got = advantages(tiny_batch, ngrpo, [[0.0, 0.0], [1.0, 1.0], [0.0]])
    assert got == pytest.approx([-(3**-0.5)] * 2 + [0, 0, 0], abs=1e-5)  # mean 1/3, spread 1/sqrt(3)
    assert got[2:] == [0, 0, 0]


def test_no_group_is_praised_for_being_better_than_the_largest_return_that_was_named(tiny_batch):
    assert advantages(tiny_batch, ngrpo, [[3.0, 3.0, 3.0]]) == [0, 0, 0]
    assert max(advantages(tiny_batch, partial(ngrpo, num_virtual=3), [[3.0, 2.0]])) > 0


@ANY
@given(groups=RETURNS)
def test_without_virtual_trajectories_it_is_grpo(tiny_batch, groups):
    plain = advantages(tiny_batch, grpo, groups)
    assert advantages(tiny_batch, partial(ngrpo, num_virtual=0), groups) == pytest.approx(plain, abs=1e-12)
    for group, low in zip(groups, by_group(groups, advantages(tiny_batch, ngrpo, groups)), strict=True):
        assert sum(low) <= 1e-9
        assert (len(group) == 1) <= (low == [0])


def by_group(groups, values):
    values = iter(values)
    return [[next(values) for _ in group] for group in groups]


@ANY
@given(groups=RETURNS, low=st.sampled_from([0.0, -1.0, 10.0]), width=st.sampled_from([1.0, 0.5, 4.0]))
def test_bnpo_knows_no_units_and_sums_to_0_over_a_group(tiny_batch, groups, low, width):
    moved = [[low + width * reward for reward in group] for group in groups]
    plain = advantages(tiny_batch, partial(bnpo, min_return=0.0, max_return=1.0), groups)
    scaled = partial(bnpo, min_return=low, max_return=low + width)
    assert advantages(tiny_batch, scaled, moved) == pytest.approx(plain, rel=1e-6, abs=1e-6)
    assert all(abs(sum(values)) < 1e-6 for values in by_group(groups, plain))
    assert all(torch.isfinite(torch.tensor(plain)).tolist())


def test_bnpo_where_no_distribution_can_be_fitted_is_the_plain_difference(tiny_batch):
    assert advantages(tiny_batch, bnpo, [[1.0, 0.0]]) == [0.5, -0.5]
    assert advantages(tiny_batch, bnpo, [[1.0, 0.0], [0.0, 1.0]]) == [0.5, -0.5, -0.5, 0.5]
    assert advantages(tiny_batch, bnpo, [[1.0, 0.0], [1.0]]) == [0.5, -0.5, 0.0]


def test_a_group_of_one_does_not_count_for_the_density(tiny_batch):
    groups = [[1.0, 0.0, 0.0, 0.0], [1.0, 1.0, 1.0, 0.0]]
    assert advantages(tiny_batch, bnpo, [*groups, [0.0]]) == [*advantages(tiny_batch, bnpo, groups), 0.0]


def test_bnpo_finds_the_range_of_returns_itself_or_is_told(tiny_batch):
    groups = [[-1.0, 1.0, -1.0], [1.0, 1.0, -1.0], [0.0]]
    told = partial(bnpo, min_return=-1.0, max_return=1.0)
    assert advantages(tiny_batch, bnpo, groups) == advantages(tiny_batch, told, groups)
    assert advantages(tiny_batch, bnpo, [[0.5, 0.5], [0.5, 0.5]]) == [0, 0, 0, 0]
    with pytest.raises(ConfigError, match=r"told that returns lie in 0 \.\.\. 1"):
        advantages(tiny_batch, partial(bnpo, min_return=0, max_return=1), groups)


def test_the_only_success_of_a_group_is_not_worth_a_thousand(tiny_batch):
    rewards = [[1.0, *[0.0] * 6]]
    assert advantages(tiny_batch, mc_grpo, rewards) == [5, *[0] * 6]
    assert advantages(tiny_batch, partial(mc_grpo, cap=2.0), rewards) == [2, *[0] * 6]
    assert advantages(tiny_batch, partial(mc_grpo, cap=None), rewards)[0] == pytest.approx(7000)


def test_the_lower_of_two_middle_returns_is_the_median(tiny_batch):
    # distances 1, 0, 1, 3: the lower middle one is 1; three of four are off the median
    got = advantages(tiny_batch, partial(mc_grpo, epsilon=0.0), [[0.0, 1.0, 2.0, 4.0], [3.0]])
    assert got == pytest.approx([-4 / 3, 0, 4 / 3, 4, 0])


@ANY
@given(groups=RETURNS, cap=st.sampled_from([0.5, 5.0]))
def test_the_median_trajectory_gets_nothing_and_nobody_more_than_the_cap(tiny_batch, groups, cap):
    for group, values in zip(
        groups, by_group(groups, advantages(tiny_batch, partial(mc_grpo, cap=cap), groups)), strict=True
    ):
        median = sorted(group)[(len(group) - 1) // 2]
        assert all((value > 0) == (x > median) for x, value in zip(group, values, strict=True))
        assert all((value == 0) == (x == median) for x, value in zip(group, values, strict=True))
        assert max(map(abs, values)) <= cap
