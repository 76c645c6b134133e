import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from agentrl.learning.credit.whitened import reinforce_plus_plus, reinforce_plus_plus_baseline

TURN = st.fixed_dictionaries(
    {
        "reward": st.sampled_from([-0.5, 0.0, 0.3, 1.0]),
        "num_context": st.integers(0, 2),
        "num_actions": st.integers(0, 3),
    }
)
GROUPS = st.lists(
    st.lists(st.lists(TURN, min_size=1, max_size=4), min_size=1, max_size=4), min_size=1, max_size=3
).filter(lambda groups: any(turn["num_context"] + turn["num_actions"] for g in groups for t in g for turn in t))
ANY = settings(deadline=None, max_examples=25)


def standardised(values):
    values = torch.tensor(values, dtype=torch.float64)
    return ((values - values.mean()) / (values.var() + 1e-8).sqrt()).tolist()


def returns_by_hand(groups, discount):
    """The return-to-go of each sampled token, trajectory by trajectory, from its end."""
    returns = []
    for trajectory in (trajectory for group in groups for trajectory in group):
        rewards: list[float] = []
        for turn in trajectory:
            rewards += [0.0] * turn["num_actions"]
            if rewards:
                rewards[-1] += turn["reward"]
        for n in reversed(range(len(rewards) - 1)):
            rewards[n] += discount * rewards[n + 1]
        returns += rewards
    return returns


@ANY
@given(groups=GROUPS, discount=st.sampled_from([1.0, 0.9, 0.0]))
def test_returns_to_go_pass_over_context_and_are_standardised_over_the_batch(tiny_batch, groups, discount):
    batch = tiny_batch(groups)
    advantage_T = reinforce_plus_plus(batch, discount=discount)
    returns = returns_by_hand(groups, discount)
    differ = len(set(returns)) > 1
    expected = torch.tensor(standardised(returns) if differ else [0.0] * len(returns), dtype=torch.float64)
    torch.testing.assert_close(advantage_T[batch.action_T], expected, rtol=0, atol=1e-9)
    assert not advantage_T[~batch.action_T].any()
    assert abs(float(advantage_T.sum())) < 1e-9


def test_an_observation_does_not_cut_off_the_turns_before_it(tiny_batch):
    won = [{"num_actions": 2}, {"num_context": 5}, {"num_context": 5, "reward": 1.0}]
    batch = tiny_batch([[won], [[0.0]]])
    advantage_U = batch.token_to_turn(reinforce_plus_plus(batch))
    assert advantage_U.tolist() == pytest.approx([standardised([1, 1, 1, 1, 0])[n] for n in (0, 2, 3, 4)])


def test_a_batch_in_which_all_earned_the_same_has_no_advantage(tiny_batch):
    assert not reinforce_plus_plus(tiny_batch([[[1.1, 2.2], [3.3, 0.0]]]), discount=1.0)[:4:2].any()
    assert not reinforce_plus_plus(tiny_batch([[[3.3], [3.3]], [[3.3]]])).any()
    assert not reinforce_plus_plus(tiny_batch([[[1.0]]])).any()


def test_the_baseline_form_is_the_difference_from_the_mean_standardised_over_tokens(tiny_batch):
    long = {"reward": 1.0, "num_actions": 3}
    batch = tiny_batch([[[long], [0.0]], [[2.0], [0.0, 1.0]]])
    expected = standardised([0.5, 0.5, 0.5, -0.5, 0.5, -0.5, -0.5])
    got_U = batch.token_to_turn(reinforce_plus_plus_baseline(batch))
    assert got_U.tolist() == pytest.approx([expected[n] for n in (0, 3, 4, 5, 6)])


@ANY
@given(groups=GROUPS, others=st.lists(st.sampled_from([[[5.0]], [[0.7], [0.7]]]), max_size=3))
def test_silent_groups_get_0_and_change_nobodys_whitening(tiny_batch, groups, others):
    alone = tiny_batch(groups)
    advantage_T = reinforce_plus_plus_baseline(alone)
    together_T = reinforce_plus_plus_baseline(tiny_batch([*groups, *others]))
    torch.testing.assert_close(together_T[: alone.num_tokens], advantage_T, rtol=0, atol=1e-12)
    assert not together_T[alone.num_tokens :].any()
    assert abs(float(advantage_T.sum())) < 1e-9


def test_the_reference_code_shifts_silent_groups(tiny_batch):
    batch = tiny_batch([[[{"reward": 1.0, "num_actions": 3}], [0.0]], [[0.7], [0.7]]])
    got_U = batch.token_to_turn(reinforce_plus_plus_baseline(batch, whiten_silent=True))
    expected = standardised([0.5, 0.5, 0.5, -0.5, 0, 0])
    assert got_U.tolist() == pytest.approx([expected[n] for n in (0, 3, 4, 5)])
