from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from agentrl.errors import ConfigError
from agentrl.learning.credit.returns import return_to_go
from agentrl.learning.credit.semi_online import semi_online_credit, semi_online_return, ui_s1
from agentrl.learning.segments import segment_sum

ANY = settings(deadline=None, max_examples=25)
TURN = st.fixed_dictionaries({"reward": st.sampled_from([0.0, 0.1, 0.5, 1.0]), "matched": st.booleans()})
GROUPS = st.lists(st.lists(st.lists(TURN, min_size=1, max_size=5), min_size=1, max_size=4), min_size=1, max_size=2)


def from_case(tiny_batch, case):
    groups: dict[str, list] = {}
    for trajectory in case["input"]["trajectories"]:
        assert trajectory["episode_score"] == 1.0
        turns = [{"reward": turn["reward"], "matched": turn["match"]} for turn in trajectory["turns"]]
        groups.setdefault(trajectory["group_id"], []).append(turns)
    return tiny_batch(list(groups.values()))


def test_the_official_returns_and_advantages_are_matched(tiny_batch, vectors, agree):
    stored = vectors("uis1")
    assert len(stored["cases"]) == 3
    for case in stored["cases"]:
        config, batch = case["config"], from_case(tiny_batch, case)
        returns, advantages = ([x for row in case["expected"][name] for x in row] for name in ("return", "advantage"))
        agree(semi_online_return(batch, config["gamma"]), returns, stored["tolerance"])
        # The episode scores of all cases are equal, and no sum of rewards: the first part is nothing there.
        got_U = batch.token_to_turn(
            ui_s1(batch, discount=config["gamma"], std=config["mode"] == "mean_std_norm", episode_weight=0)
        )
        agree(got_U, advantages, stored["tolerance"])


def test_ui_s1_by_hand(tiny_batch):
    missed = {"reward": 0.5, "matched": False}
    batch = tiny_batch([[[0.0, missed, 1.0], [0.0, 1.0]]])
    parts = semi_online_credit(batch, discount=0.5, std=False, statistics_over="trajectories", epsilon=1e-6)
    assert semi_online_return(batch, 0.5).tolist() == [0, 0.5, 1, 0.5, 1]
    assert parts.episode_U.tolist() == [0.25, 0.25, 0.25, -0.25, -0.25]  # returns 1.5 and 1
    assert parts.step_U.tolist() == [-0.25, -0.25, 0, 0.25, 0.25]
    assert parts.place_U.tolist() == [0, 1, 2, 0, 1]
    advantage_U = batch.token_to_turn(ui_s1(batch, discount=0.5, step_weight=2))
    assert advantage_U.tolist() == [-0.25, -0.25, 0.25, 0.25, 0.25]
    over_turns_U = batch.token_to_turn(ui_s1(batch, step_weight=0, statistics_over="turns"))
    assert over_turns_U.tolist() == pytest.approx([0.2, 0.2, 0.2, -0.3, -0.3])  # about (3 x 1.5 + 2 x 1) / 5


@ANY
@given(groups=GROUPS, discount=st.sampled_from([1.0, 0.5]))
def test_a_turn_s_return_is_what_its_run_of_matches_earned_from_it_on(tiny_batch, groups, discount):
    batch = tiny_batch(groups)
    got = iter(semi_online_return(batch, discount).tolist())
    for turns in (t for group in groups for t in group):
        for u, turn in enumerate(turns):
            run = [turn["reward"]]
            for later in turns[u + 1 :] if turn["matched"] else []:
                if not later["matched"]:
                    break
                run.append(later["reward"])
            assert next(got) == pytest.approx(sum(r * discount**n for n, r in enumerate(run)))


@ANY
@given(groups=GROUPS)
def test_where_all_matched_it_is_the_return_to_go(tiny_batch, groups):
    batch = tiny_batch([[[turn | {"matched": None} for turn in t] for t in group] for group in groups])
    assert torch.equal(semi_online_return(batch, 0.9), return_to_go(batch, 0.9))


@ANY
@given(groups=GROUPS, std=st.booleans())
def test_steps_sum_to_0_over_the_n_th_turns_of_a_group(tiny_batch, groups, std):
    batch = tiny_batch(groups)
    parts = semi_online_credit(batch, discount=0.9, std=std, statistics_over="trajectories", epsilon=1e-6)
    sum_M = segment_sum(parts.step_U, parts.place_U, 10)
    torch.testing.assert_close(sum_M, torch.zeros_like(sum_M), rtol=0, atol=1e-9)


@ANY
@given(trajectories=st.lists(st.lists(TURN, min_size=1, max_size=4), min_size=1, max_size=3))
def test_a_group_of_one_gets_exactly_0_over_turns_too(tiny_batch, trajectories):
    batch = tiny_batch([[trajectory] for trajectory in trajectories])
    assert not ui_s1(batch, statistics_over="turns", std=True).any()


def test_a_batch_that_does_not_say_what_matched_is_told_so(tiny_batch):
    with pytest.raises(ConfigError, match="no turn of the batch says so"):
        ui_s1(replace(tiny_batch([[[1.0]]]), matched_U=None))
