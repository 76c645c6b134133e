import random
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentrl.errors import ConfigError
from agentrl.learning.algorithms import ALGORITHMS, Part
from agentrl.learning.batch import Batch, pack
from agentrl.learning.recompute import source, steps_of
from agentrl.trajectory import Group, Outcome, StoredTrajectory, Trajectory

Groups = Callable[..., list[Group]]

TWO_GROUPS = [
    [[{"state_key": "a"}, {"state_key": "b", "reward": 1.0}], [{"state_key": "a", "num_actions": 3}]],
    [[{"state_key": "a", "reward": 0.5}], [{"state_key": "a", "valid": False}, 0.0], [2.0]],
]


def stored(groups: list[Group], *, step: int = 1, **more: Any) -> list[StoredTrajectory]:
    return [
        StoredTrajectory(trajectory=trajectory, step=step, group=group.id, prior=group.prior, **more)
        for group in groups
        for trajectory in (*group.trajectories, *group.excluded)
    ]


def columns(batch: Batch) -> dict[str, Any]:
    named = {field.name: getattr(batch, field.name) for field in fields(batch)}
    return {name: column.tolist() for name, column in named.items() if column is not None}


def failed(group: Group) -> Trajectory:
    return replace(group.trajectories[0], id=f"{group.id}-x", turns=(), outcome=Outcome.INFRA_ERROR)


def test_the_batch_of_a_step_is_the_one_that_was_learnt_from(tiny_groups: Groups) -> None:
    groups = tiny_groups(TWO_GROUPS)
    groups = [replace(group, prior={"value": 0.25 * number}) for number, group in enumerate(groups)]
    spoilt = [replace(groups[0], excluded=(failed(groups[0]),)), groups[1]]
    (step,) = steps_of(stored(spoilt))
    assert columns(step.batch()) == columns(pack(groups))
    assert step.batch().prior_value_B is not None
    assert [entry.trajectory.id for entry in step.excluded] == ["group-0-x"]


def test_steps_are_apart_and_in_order_though_they_have_groups_of_the_same_name(tiny_groups: Groups) -> None:
    groups = tiny_groups(TWO_GROUPS)
    steps = steps_of([*stored(groups[:1], step=7), *stored(groups, step=3), *stored(groups[1:], step=7)])
    assert [step.number for step in steps] == [3, 7]
    assert [columns(step.batch()) for step in steps] == [columns(pack(groups))] * 2


@given(order=st.randoms(use_true_random=False), rewards=st.lists(st.floats(-2, 2), min_size=6, max_size=6))
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_credit_depends_on_no_order_of_the_lines(
    tiny_groups: Groups, order: random.Random, rewards: list[float]
) -> None:
    turns = [{"state_key": str(n % 2), "reward": reward} for n, reward in enumerate(rewards)]
    entries = stored(tiny_groups([[turns[:2], turns[2:3]], [turns[3:4], turns[4:]]]))
    shuffled = list(entries)
    order.shuffle(shuffled)
    (one,), (other,) = steps_of(entries), steps_of(shuffled)
    assigned = [
        dict(zip([f"{e.group}/{e.trajectory.id}" for e in step.scored], advantage_U.split(lengths), strict=True))
        for step in (one, other)
        for lengths in [[len(e.trajectory.turns) for e in step.scored]]
        for advantage_U in [source(Part("gigpo")).advantages(step)]
    ]
    assert assigned[0].keys() == assigned[1].keys()
    for name, advantage_U in assigned[0].items():
        torch.testing.assert_close(advantage_U, assigned[1][name])


@pytest.mark.parametrize("name", ["grpo", "gigpo", "turn_return", "reinforce"])
def test_each_turn_gets_what_credit_gives_the_batch(tiny_groups: Groups, name: str) -> None:
    groups = tiny_groups(TWO_GROUPS)
    batch = pack(groups)
    (step,) = steps_of(stored(groups))
    expected_U = batch.token_to_turn(ALGORITHMS[name].credit(batch))
    assert source(Part(name)).advantages(step).tolist() == pytest.approx(expected_U.tolist())
    assert expected_U.abs().max() > 0


def test_arguments_are_those_of_the_algorithm_and_stand_in_the_title(tiny_groups: Groups) -> None:
    (step,) = steps_of(stored(tiny_groups([[[0.0, 1.0], [0.0, 0.0]]])))
    chosen = source(Part("turn_return", {"discount": 0.5}))
    assert chosen.title == "turn_return(discount=0.5)"
    assert chosen.advantages(step).tolist() == [0.5, 1, -0.5, -1]


def test_what_the_run_stored_is_a_source_like_others(tiny_groups: Groups) -> None:
    groups = tiny_groups([[[0.0, 1.0], [0.0, 0.0]]])
    (step,) = steps_of(stored(groups, advantages=(0.5, -0.25)))
    assert source(Part("stored")).advantages(step).tolist() == [0.5, -0.25, 0.5, -0.25]
    (step,) = steps_of(stored(groups))
    with pytest.raises(ConfigError, match="step 1 were stored without advantages"):
        source(Part("stored")).advantages(step)
    with pytest.raises(ConfigError, match="takes no argument 'discount'"):
        source(Part("stored", {"discount": 0.5}))


def test_a_column_that_a_model_fills_is_named_with_who_fills_it(tiny_groups: Groups) -> None:
    (step,) = steps_of(stored(tiny_groups(TWO_GROUPS)))
    arguments = {"credit": "agentrl.learning.credit.information:igpo", "annotators": ["information_gain"]}
    with pytest.raises(ConfigError) as caught:
        source(Part("grpo", arguments)).advantages(step)
    assert " cannot be assigned again: IGPO needs information gains" in str(caught.value)
    assert "a model fills such columns (annotators: information_gain); they are not stored" in str(caught.value)


def test_a_divergence_that_was_taken_off_the_rewards_is_not_left_out_in_silence(tiny_groups: Groups) -> None:
    (step,) = steps_of(stored(tiny_groups(TWO_GROUPS)))
    with pytest.raises(ConfigError, match=r"takes a KL term off the rewards .* Set kl_coefficient = 0"):
        source(Part("grpo", {"kl_in_reward": True, "kl_coefficient": 0.1})).advantages(step)
    source(Part("grpo", {"kl_coefficient": 0.1})).advantages(step)


def test_an_annotator_that_needs_no_model_is_asked_again(tiny_groups: Groups) -> None:
    keys = ["You stand before the oven, at noon.", "You stand before the oven, at ten.", "You are outside."]
    turns = [[[{"state_key": key, "reward": float(n)}, 0.0] for n, key in enumerate(keys)]]
    (step,) = steps_of(stored(tiny_groups(turns)))
    part = Part("gigpo", {"discount": 1.0, "annotators": [{"name": "similar_anchors", "threshold": 0.8}]})
    (alone_U, alike_U) = (source(each).advantages(step) for each in (Part("gigpo", {"discount": 1.0}), part))
    assert (alone_U - alike_U).abs().tolist() == pytest.approx([2**-0.5, 0, 2**-0.5, 0, 0, 0], abs=1e-5)


def test_trajectories_without_tokens_are_refused(tiny_groups: Groups) -> None:
    (group,) = tiny_groups([[[0.0], [1.0]]])
    bare = [
        replace(trajectory, turns=tuple(replace(turn, action_ids=(), logprobs=()) for turn in trajectory.turns))
        for trajectory in group.trajectories
    ]
    (step,) = steps_of(stored([replace(group, trajectories=tuple(bare))]))
    with pytest.raises(ConfigError, match=r"'0\.0' of step 1 holds no token ids"):
        source(Part("grpo")).advantages(step)


def test_a_reward_that_is_no_number_is_named(tiny_groups: Groups) -> None:
    (step,) = steps_of(stored(tiny_groups([[[float("nan")], [1.0]]])))
    with pytest.raises(ConfigError, match=r"Step 1 cannot be packed: Turn 0 of trajectory '0\.0' has the reward nan"):
        source(Part("grpo")).advantages(step)
