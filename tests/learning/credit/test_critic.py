from dataclasses import replace
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from agentrl.errors import ConfigError
from agentrl.learning.credit.critic import critic_credit, gae
from agentrl.learning.credit.outcome import reinforce

ANY = settings(deadline=None, max_examples=25)
TURN = st.fixed_dictionaries(
    {
        "reward": st.sampled_from([-0.5, 0.0, 1.0]),
        "num_context": st.integers(1, 2),
        "num_actions": st.integers(0, 3),
    }
)
GROUPS = st.lists(st.lists(st.lists(TURN, min_size=1, max_size=4), min_size=1, max_size=3), min_size=1, max_size=2)


def with_values(batch, seed=0):
    value_T = torch.randn(batch.num_tokens, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return replace(batch, value_T=torch.where(batch.action_T, value_T, 0))


def rows(tiny_batch, data):
    """Each row as a trajectory of one-token turns: an observation token is a turn's context."""
    trajectories = [
        [{"reward": r, "num_context": int(1 - m), "num_actions": int(m)} for r, m in zip(rewards, mask, strict=True)]
        for rewards, mask in zip(data["token_rewards"], data["response_mask"], strict=True)
    ]
    batch = tiny_batch([[trajectory] for trajectory in trajectories])
    return replace(batch, value_T=torch.tensor(data["values"], dtype=torch.float64).flatten())


@pytest.mark.parametrize("over", ["tokens", "turns"])
def test_the_official_advantages_and_returns_are_matched(tiny_batch, vectors, agree, over):
    stored = vectors("gae")
    assert len(stored["cases"]) == 3
    for case in stored["cases"]:
        config, expected = case["config"], case["expected"]
        batch = rows(tiny_batch, case["input"])
        options = {"discount": config["gamma"], "gae_lambda": config["lam"], "over": over}
        target_T = critic_credit(batch, **options).target_T
        for got_T, name in (
            (gae(batch, **options), "advantages_raw"),
            (gae(batch, **options, whitened=True), "advantages_whitened"),
            (target_T, "returns"),
        ):
            want_T = torch.tensor(expected[name]).flatten()
            agree(got_T[batch.action_T], want_T[batch.action_T], stored["tolerance"])
            assert not got_T[~batch.action_T].any()


def test_gae_by_hand(tiny_batch):
    batch = tiny_batch([[[{"reward": 1.0, "num_actions": 2}, {"reward": 2.0, "num_context": 3}]]])
    assert batch.action_T.tolist() == [False, True, True, False, False, False, True]
    batch = replace(batch, value_T=torch.tensor([0, 0.5, 1.0, 0, 0, 0, 3.0]).double())
    third = 2 - 3.0
    second = 1 + 0.5 * 3 - 1 + 0.25 * third
    first = 0.5 * 1 - 0.5 + 0.25 * second
    parts = critic_credit(batch, discount=0.5, gae_lambda=0.5)
    assert gae(batch, discount=0.5, gae_lambda=0.5).tolist() == [0, first, second, 0, 0, 0, third]
    assert parts.target_T.tolist() == [0, first + 0.5, second + 1, 0, 0, 0, third + 3]
    turn = 1 + 0.5 * 3 - 0.5 + 0.25 * third  # the first turn is worth what its first token was
    assert gae(batch, discount=0.5, gae_lambda=0.5, over="turns").tolist() == [0, turn, turn, 0, 0, 0, third]


@pytest.mark.parametrize("over", ["tokens", "turns"])
def test_what_a_turn_without_tokens_earned_goes_to_the_step_before_it(tiny_batch, over):
    empty = {"reward": 4.0, "num_actions": 0}
    batch = tiny_batch([[[empty, 1.0, empty, empty, 2.0], [8.0, empty], [empty]]])
    credit_U = batch.token_to_turn(gae(batch, gae_lambda=1.0, over=over))
    assert credit_U.tolist() == [0, 11, 0, 0, 2, 12, 0, 0]


def test_a_trajectory_that_was_cut_off_goes_on_as_its_last_step_promised_if_asked_for(tiny_batch):
    batch = tiny_batch([[[0.0, 1.0], [0.0, 1.0]]])
    batch = replace(
        batch,
        value_T=torch.where(batch.action_T, 3.0, 0).double(),
        terminated_B=torch.tensor([True, False]),
    )
    assert batch.token_to_turn(gae(batch, gae_lambda=1.0)).tolist() == [-2, -2, -2, -2]
    assert batch.token_to_turn(gae(batch, gae_lambda=1.0, bootstrap=True)).tolist() == [-2, -2, 1, 1]
    discounted = batch.token_to_turn(gae(batch, discount=0.5, gae_lambda=0.0, bootstrap=True)).tolist()
    assert discounted == [-1.5, -2, -1.5, -0.5]


@ANY
@given(groups=GROUPS, discount=st.sampled_from([1.0, 0.9]))
def test_over_turns_with_lambda_1_it_is_the_return_to_go_minus_the_value(tiny_batch, groups, discount):
    groups = [[[{**turn, "num_actions": max(turn["num_actions"], 1)} for turn in t] for t in g] for g in groups]
    batch = with_values(tiny_batch(groups))
    target_T = critic_credit(batch, discount=discount, gae_lambda=1.0, over="turns").target_T
    torch.testing.assert_close(target_T, reinforce(batch, discount=discount), rtol=0, atol=1e-12)


@ANY
@given(groups=GROUPS, over=st.sampled_from(["tokens", "turns"]), gae_lambda=st.sampled_from([0.0, 0.7, 1.0]))
def test_the_recursion_holds_from_each_step_to_the_next_one_sampled(tiny_batch, groups, over, gae_lambda):
    batch = with_values(tiny_batch(groups))
    batch = replace(batch, reward_U=torch.where(batch.token_to_turn(batch.action_T.double()) > 0, batch.reward_U, 0))
    discount = 0.9
    advantage_T = gae(batch, discount=discount, gae_lambda=gae_lambda, over=over)
    for b in range(batch.num_trajectories):
        turns = batch.turn_T[batch.action_T & (batch.trajectory_T == b)].tolist()
        places = (batch.action_T & (batch.trajectory_T == b)).nonzero().squeeze(1).tolist()
        if over == "turns":
            places = [p for n, p in enumerate(places) if n == 0 or turns[n] != turns[n - 1]]
        for place, following in zip(places, [*places, None][1:], strict=True):
            turn = int(batch.turn_T[place])
            earned = batch.reward_U[turn] if following is None or int(batch.turn_T[following]) != turn else 0
            value = 0 if following is None else batch.value_T[following]
            after = 0 if following is None else advantage_T[following]
            delta = earned + discount * value - batch.value_T[place]
            assert float(advantage_T[place]) == pytest.approx(float(delta + discount * gae_lambda * after), abs=1e-12)


@ANY
@given(groups=GROUPS)
def test_whitened_advantages_have_mean_0_and_spread_1_over_the_sampled_tokens(tiny_batch, groups):
    batch = with_values(tiny_batch(groups))
    sampled = gae(batch, whitened=True)[batch.action_T]
    if sampled.numel() > 1:
        assert float(sampled.mean()) == pytest.approx(0, abs=1e-9)
        assert float(sampled.std()) == pytest.approx(1, abs=1e-3)


def test_no_sampled_token_is_no_error(tiny_batch):
    batch = tiny_batch([[[{"num_actions": 0, "reward": 1.0}]]])
    for over in ("tokens", "turns"):
        assert gae(batch, over=over, whitened=True).tolist() == [0]


@pytest.mark.parametrize("credit", [gae, partial(gae, over="turns"), critic_credit])
def test_a_batch_without_values_is_told_so(tiny_batch, credit):
    with pytest.raises(ConfigError, match="needs a critic's values"):
        credit(replace(tiny_batch([[[1.0]]]), value_T=None))
