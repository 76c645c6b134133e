from dataclasses import replace
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from agentrl.learning.credit import CREDIT, EXPLAIN, explain
from agentrl.learning.credit.anchor import anchor_groups

ANY = settings(deadline=None, max_examples=15)
TURN = st.fixed_dictionaries(
    {
        "reward": st.sampled_from([-0.5, 0.0, 1.0]),
        "state_key": st.sampled_from("ab"),
        "valid": st.booleans(),
        "num_actions": st.integers(1, 2),
    }
)
GROUPS = st.lists(st.lists(st.lists(TURN, min_size=1, max_size=3), min_size=1, max_size=3), min_size=1, max_size=2)
BOUND = {
    "arpo": {"attribution": "hard", "std": False},
    "gae": {"discount": 0.9, "gae_lambda": 0.5, "over": "turns", "bootstrap": True},
    "gigpo": {"discount": 0.9, "step_weight": 0.5, "std": True, "statistics_over": "turns"},
    "grpo": {"std": False},
    "igpo": {"discount": 0.9, "normalisation": "joint", "gain_weight": 2.0},
    "oprl": {"episode_weight": 0.5, "step_weight": 2.0, "comparison": "reinforce++"},
    "rloo": {},
    "turn_return": {"discount": 0.5},
    "ui_s1": {"discount": 0.5, "episode_weight": 2.0, "std": True, "statistics_over": "turns"},
}


def filled(batch):
    """With what models may have said, and with decisions of which some are shared."""
    noise_T = torch.sin(torch.arange(batch.num_tokens, dtype=torch.float64))
    return replace(
        batch,
        value_T=torch.where(batch.action_T, noise_T, 0),
        process_reward_T=torch.where(batch.action_T, 0.1 * noise_T, 0),
        information_gain_U=torch.cos(torch.arange(batch.num_turns, dtype=torch.float64)),
        origin_U=torch.arange(batch.num_turns) // 2,
        terminated_B=torch.arange(batch.num_trajectories) % 2 == 0,
    )


def test_every_function_that_is_taken_apart_is_tested():
    assert set(BOUND) == set(EXPLAIN)
    assert set(EXPLAIN) <= set(CREDIT)


@pytest.mark.parametrize("name", sorted(EXPLAIN))
@pytest.mark.parametrize("is_bound", [False, True])
@ANY
@given(groups=GROUPS)
def test_the_parts_add_up_to_the_advantage(tiny_batch, name, is_bound, groups):
    batch = filled(tiny_batch(groups))
    credit = partial(CREDIT[name], **BOUND[name]) if is_bound else CREDIT[name]
    explanation = explain(credit, batch)
    parts = {
        part: batch.turn_to_token(column) if part.endswith("_U") else column
        for part, column in explanation.parts.items()
    }
    sum_T = torch.stack(list(parts.values())).sum(0)
    torch.testing.assert_close(torch.where(batch.action_T, sum_T, 0), credit(batch), rtol=0, atol=1e-12)
    assert all(part.endswith(("_U", "_T")) for part in parts)
    if explanation.peers_U is not None:
        assert explanation.peers_U.shape == (batch.num_turns,)
        assert explanation.peers_U.dtype == torch.int64


def test_turns_are_compared_with_those_that_they_are_said_to_be_compared_with(tiny_batch):
    group = [[{"state_key": "a"}, {"state_key": "b", "reward": 1.0}], [{"state_key": "a"}]]
    batch = filled(tiny_batch([group, [[{"state_key": "a"}]]]))
    assert torch.equal(explain(CREDIT["gigpo"], batch).peers_U, anchor_groups(batch))
    assert explain(CREDIT["grpo"], batch).peers_U.tolist() == [0, 0, 0, 1]
    assert explain(CREDIT["turn_return"], batch).peers_U.tolist() == [0, 1, 0, 2]
    assert explain(CREDIT["arpo_hard"], batch).peers_U.tolist() == [0, 0, 1, 1]
    assert explain(CREDIT["gae"], batch).peers_U is None


def test_the_parts_say_what_they_are_of(tiny_batch):
    batch = tiny_batch([[[{"state_key": "a"}, {"state_key": "b", "reward": 1.0}], [{"state_key": "a"}]]])
    gigpo = explain(partial(CREDIT["gigpo"], step_weight=2.0), batch).parts
    assert gigpo["episode_U"].tolist() == [0.5, 0.5, -0.5]
    assert gigpo["step_U"].tolist() == [1, 0, -1]
    turn_return = explain(CREDIT["turn_return"], batch).parts
    assert turn_return["return_to_go_U"].tolist() == [1, 1, 0]
    assert turn_return["expected_U"].tolist() == [0, 0, -1]


def test_a_function_without_an_entry_is_one_part(tiny_batch):
    batch = tiny_batch([[[1.0], [0.0, 0.5]]])
    for credit in (CREDIT["reinforce"], lambda batch: batch.turn_to_token(2 * batch.reward_U)):
        explanation = explain(credit, batch)
        assert list(explanation.parts) == ["advantage_T"]
        assert torch.equal(explanation.parts["advantage_T"], credit(batch))
        assert explanation.peers_U is None


def test_what_is_bound_to_a_row_is_what_is_explained(tiny_batch):
    batch = tiny_batch([[[1.0], [0.0]]])
    assert explain(CREDIT["dr_grpo"], batch).parts["episode_U"].tolist() == [0.5, -0.5]
