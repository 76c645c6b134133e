from functools import partial
from itertools import combinations
from statistics import pvariance

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from agentrl.errors import ConfigError
from agentrl.learning.credit.anchor import gigpo
from agentrl.learning.credit.filters import cppo, d3s, simple_tir
from agentrl.learning.credit.outcome import grpo, reinforce

ANY = settings(deadline=None, max_examples=25)
VALUE = st.sampled_from([-1.0, -0.5, 0.0, 0.1, 0.5, 2.0])
VALUES = st.lists(st.lists(VALUE, min_size=1, max_size=6), min_size=1, max_size=3)


def of_one_turn(tiny_batch, groups, credit):
    """What the only turn of each trajectory gets, if its base advantage is its reward."""
    batch = tiny_batch([[[value] for value in group] for group in groups])
    return batch.token_to_turn(credit(batch, base=reinforce)).tolist()


def test_a_void_turn_silences_its_trajectory_which_others_are_still_compared_with(tiny_batch):
    void = [{"reward": 1.0}, {"valid": False}]
    batch = tiny_batch([[void, [0.0, 0.0], [0.25]]])
    base_U, got_U = (batch.token_to_turn(credit(batch)).tolist() for credit in (grpo, simple_tir))
    assert got_U == [0, 0, *base_U[2:]]
    assert got_U[2] < 0
    keyed = tiny_batch([[[{"state_key": "a", "reward": 1.0}], [{"state_key": "a", "valid": False}]]])
    assert keyed.token_to_turn(simple_tir(keyed, base=gigpo))[0] == keyed.token_to_turn(gigpo(keyed))[0] > 0


@ANY
@given(
    groups=st.lists(
        st.lists(st.lists(st.tuples(VALUE, st.booleans()), min_size=1, max_size=3), min_size=1, max_size=4),
        min_size=1,
        max_size=3,
    )
)
def test_trajectories_without_a_void_turn_are_left_alone(tiny_batch, groups):
    batch = tiny_batch([[[{"reward": r, "valid": v} for r, v in turns] for turns in group] for group in groups])
    void_B = torch.tensor([not all(v for _, v in turns) for group in groups for turns in group])
    base_T, advantage_T = grpo(batch), simple_tir(batch)
    assert not advantage_T[void_B[batch.trajectory_T]].any()
    assert torch.equal(advantage_T[~void_B[batch.trajectory_T]], base_T[~void_B[batch.trajectory_T]])


def test_the_largest_advantages_of_the_batch_are_kept(tiny_batch):
    groups = [[0.1, -2.0, 0.3], [0.4, -0.2]]
    assert of_one_turn(tiny_batch, groups, cppo) == [0, -2, 0, 0.4, 0]  # half of five: two
    assert of_one_turn(tiny_batch, groups, partial(cppo, keep=0.6)) == [0, -2, 0.3, 0.4, 0]
    assert of_one_turn(tiny_batch, groups, partial(cppo, keep=0.01)) == [0, -2, 0, 0, 0]
    assert of_one_turn(tiny_batch, groups, partial(cppo, keep=1.0)) == [0.1, -2, 0.3, 0.4, -0.2]


@ANY
@given(groups=VALUES, keep=st.sampled_from([0.1, 0.5, 0.7, 1.0]))
def test_whoever_is_kept_has_no_smaller_an_advantage_than_who_is_not(tiny_batch, groups, keep):
    base = [value for group in groups for value in group]
    got = of_one_turn(tiny_batch, groups, partial(cppo, keep=keep))
    kept = [abs(b) for b, g in zip(base, got, strict=True) if g != 0]
    lost = [abs(b) for b, g in zip(base, got, strict=True) if g == 0 and b != 0]
    assert all(g in (0, b) for b, g in zip(base, got, strict=True))
    assert min(kept, default=9) > max(lost, default=0)
    assert len(kept) + base.count(0) >= max(1, int(keep * len(base) + 1e-6))


@ANY
@given(values=st.lists(st.integers(-40, 40), min_size=2, max_size=7, unique=True), keep=st.floats(0.05, 1.0))
def test_no_subset_of_a_group_varies_more_than_what_is_kept(tiny_batch, values, keep):
    marked = [value + 100.0 for value in values]  # so that none is 0
    got = of_one_turn(tiny_batch, [marked], partial(d3s, keep_group=keep, keep_batch=1.0))
    kept = [value for value in got if value != 0]
    size = min(len(values), max(2, int(keep * len(values) + 1e-6)))
    assert len(kept) == size
    assert pvariance(kept) == pytest.approx(max(map(pvariance, combinations(marked, size))))
    assert of_one_turn(tiny_batch, [marked], partial(d3s, keep_group=1.0, keep_batch=keep)) == got


def test_groups_that_say_nothing_are_the_first_to_go(tiny_batch):
    groups = [[1.0, -1.0], [0.01, 0.02], [-2.0, 1.5]]
    assert of_one_turn(tiny_batch, groups, partial(d3s, keep_batch=0.67)) == [1, -1, 0, 0, -2, 1.5]


def test_of_equal_choices_the_better_trajectories_are_kept(tiny_batch):
    group = [[-1.0, -0.9, 0.9, 1.0]]  # two and one, or one and two
    assert of_one_turn(tiny_batch, group, partial(d3s, keep_group=0.75, keep_batch=1.0)) == [-1, 0, 0.9, 1]


def test_of_the_tokens_those_are_kept_that_were_unsure_and_matter(tiny_batch):
    won = [{"reward": 1.0, "num_actions": 3, "entropies": (0.1, 2.0, 0.5)}]
    lost = [{"num_actions": 2, "entropies": (1.0, 0.2)}]
    batch = tiny_batch([[won, lost]])
    base = grpo(batch)[batch.action_T].tolist()
    got = d3s(batch, keep_tokens=0.4)[batch.action_T].tolist()
    assert got == [0, base[1], 0, base[3], 0]
    assert d3s(batch, keep_tokens=0.01)[batch.action_T].tolist() == [0, base[1], 0, 0, 0]


def test_tokens_cannot_be_chosen_without_entropies(tiny_batch):
    batch = tiny_batch([[[1.0], [0.0]]])
    assert d3s(batch).any()
    with pytest.raises(ConfigError, match="entropy of each sampled token is needed"):
        d3s(batch, keep_tokens=0.5)


@pytest.mark.parametrize(
    ("credit", "message"),
    [
        (partial(cppo, keep=0.0), "keep is a fraction above 0 and up to 1; got 0"),
        (partial(d3s, keep_batch=1.5), "keep_batch is a fraction above 0 and up to 1; got 1.5"),
    ],
)
def test_a_fraction_is_one(tiny_batch, credit, message):
    with pytest.raises(ConfigError, match=message):
        credit(tiny_batch([[[1.0], [0.0]]]))
