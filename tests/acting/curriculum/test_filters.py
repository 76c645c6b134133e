import logging
import random

import pytest

from agentrl.acting.curriculum import Draw
from agentrl.acting.curriculum.dynamic import Dynamic
from agentrl.acting.curriculum.intact import Intact
from agentrl.acting.curriculum.keep_top import KeepTop
from agentrl.acting.curriculum.table import make_curriculum
from agentrl.errors import ConfigError
from agentrl.trajectory import Group, Outcome, Task

TASKS = [Task(f"t{n}") for n in range(20)]


@pytest.fixture
def groups_of(group_of):
    return lambda *rewards: [group_of(TASKS[0], entry) for entry in rewards]


def test_groups_without_spread_are_left_out(groups_of):
    groups = groups_of([1, 1], [0, 1], [0, 0], [0.5, 0.5 + 1e-10], [1, 0, 1], [0.1 + 0.2, 0.3])
    assert Dynamic(TASKS).select(groups) == [groups[1], groups[4]]


def test_a_group_of_one_is_kept(groups_of):
    groups = groups_of([1], [0])
    assert Dynamic(TASKS).select(groups) == groups


def test_too_many_left_out_in_a_row_are_said_and_end_the_filtering(groups_of, caplog):
    curriculum = Dynamic(TASKS, max_left_out=3)
    silent, telling = groups_of([1, 1], [0, 1])
    with caplog.at_level(logging.WARNING):
        kept = [len(curriculum.select([silent])) for _ in range(6)]
    assert kept == [0, 0, 0, 1, 1, 1]
    assert [record.getMessage()[:46] for record in caplog.records] == ["3 groups in a row had no spread of rewards: fr"]
    assert curriculum.select([telling, silent, silent]) == [telling]  # and begins anew


def test_too_many_left_out_in_a_row_may_end_the_run(groups_of):
    curriculum = Dynamic(TASKS, max_left_out=3, stops=True)
    silent, telling = groups_of([1, 1], [0, 1])
    curriculum.select([silent, silent, telling, silent, silent])
    with pytest.raises(ConfigError, match="3 groups in a row had no spread of rewards: there is nothing to train on"):
        curriculum.select([silent])


@pytest.mark.parametrize("filter_of", [Dynamic, Intact, KeepTop])
def test_what_was_left_out_in_a_row_is_remembered(filter_of, group_of, trajectory_of):
    cut_off = trajectory_of(TASKS[0], 1.0, Outcome.TURN_LIMIT)
    dull = Group(id="g", task=TASKS[0], trajectories=(cut_off, cut_off))
    first, resumed = filter_of(TASKS, max_left_out=3), filter_of(TASKS, max_left_out=3)
    first.select([group_of(TASKS[0], [0, 1])] * 60)
    assert first.select([dull, dull]) == []
    resumed.load_state_dict(first.state_dict())
    assert resumed.select([dull, dull]) == [dull]


def test_a_filter_inside_learns_from_what_is_left_out(groups_of):
    curriculum = make_curriculum("dynamic", TASKS[:1], arguments={"inner": "history"})
    curriculum.draw()
    assert curriculum.select(groups_of([1, 1])) == []
    assert curriculum.draw() == Draw(task=TASKS[0], prior={"mean": 1.0, "std": 0.0, "count": 1.0})


def spread_groups(group_of, num, seed):
    rng = random.Random(seed)
    return [group_of(TASKS[0], [0.0, rng.random()]) for _ in range(num)]


@pytest.mark.parametrize("share", [0.25, 0.75])
def test_of_groups_that_come_together_exactly_the_top_share_is_kept(share, group_of):
    groups = spread_groups(group_of, 64, seed=1)
    kept = KeepTop(TASKS, share=share, window=64).select(groups)
    by_spread = sorted(groups, key=lambda group: -group.trajectories[1].total_reward)
    assert {id(group) for group in kept} == {id(group) for group in by_spread[: int(64 * share)]}
    assert kept == [group for group in groups if any(group is other for other in kept)]  # in order


def test_of_groups_that_come_one_by_one_about_the_top_share_is_kept(group_of):
    curriculum = KeepTop(TASKS, share=0.75, window=64)
    groups = spread_groups(group_of, 1000, seed=2)
    kept = [group for group in groups if curriculum.select([group])]
    assert len(kept) == pytest.approx(750, abs=40)
    mean = sum(group.trajectories[1].total_reward for group in kept) / len(kept)
    assert mean == pytest.approx(0.625, abs=0.02)  # of the upper three quarters of [0, 1]


def test_chance_decides_between_groups_of_equal_spread(groups_of):
    groups = groups_of(*[[1, 1]] * 600, *[[0, 1]] * 400)
    kept = KeepTop(TASKS, share=0.5, window=1000, max_left_out=1000).select(groups)
    assert all(any(group is other for other in kept) for group in groups[600:])
    assert len(kept) - 400 == pytest.approx(100, abs=30)


def test_all_are_kept_where_the_share_is_one(group_of):
    groups = spread_groups(group_of, 50, seed=3)
    assert KeepTop(TASKS, share=1.0, window=8).select(groups) == groups


def test_groups_that_were_cut_off_or_acted_on_nothing_are_left_out(trajectory_of):
    def group(*trajectories):
        return Group(id="g", task=TASKS[0], trajectories=trajectories)

    good = trajectory_of(TASKS[0], 1.0)
    long = trajectory_of(TASKS[0], 0.0, Outcome.TOKEN_LIMIT)
    late = trajectory_of(TASKS[0], 0.0, Outcome.TIME_LIMIT)
    void = trajectory_of(TASKS[0], 0.0, valid=False)
    groups = [group(good, long), group(long, late, good), group(void, good), group(void, void, good), group(good)]
    assert Intact(TASKS).select(groups) == [groups[0], groups[2], groups[4]]  # at most half may be so
    assert Intact(TASKS, max_cut_off=0.0, max_void=1.0).select(groups) == groups[2:]
