from dataclasses import replace
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from agentrl.errors import ConfigError
from agentrl.learning.batch import pack
from agentrl.learning.credit.anchor import gigpo
from agentrl.learning.credit.entropy import aepo, empg, grpo_s, gtpo, seed_grpo
from agentrl.learning.credit.outcome import grpo, reinforce
from agentrl.learning.segments import segment_first, segment_sum
from agentrl.messages import Message

ANY = settings(deadline=None, max_examples=25)
ENTROPY = st.sampled_from([0.0, 1e-9, 0.1, 0.5, 2.0])
TURN = st.builds(
    lambda reward, entropies, key: sure(entropies, reward=reward, state_key=key),
    st.sampled_from([0.0, 0.0, 0.3, 1.0]),
    st.lists(ENTROPY, max_size=3),
    st.sampled_from("ab"),
)
GROUPS = st.lists(
    st.lists(st.lists(TURN, min_size=1, max_size=3), min_size=1, max_size=4), min_size=1, max_size=3
).filter(lambda groups: any(turn["num_actions"] for group in groups for t in group for turn in t))
ON_ENTROPY = [aepo, empg, gtpo, grpo_s]


def sure(entropies, **turn):
    """A turn whose tokens were sampled from distributions of these entropies."""
    return {"num_actions": len(entropies), "entropies": tuple(entropies), **turn}


def sampled(batch, advantage_T):
    return advantage_T[batch.action_T].tolist()


@pytest.mark.parametrize("credit", ON_ENTROPY)
def test_without_entropies_it_says_how_to_get_them(tiny_batch, credit):
    with pytest.raises(ConfigError, match="needs_entropies=True"):
        credit(replace(tiny_batch([[[0.0], [1.0]]]), entropy_T=None))


@pytest.mark.parametrize("credit", ON_ENTROPY)
@ANY
@given(rewards=st.sampled_from([[0.0, 0.0], [1.0, 1.0, 1.0], [1.1], [0.0]]), entropies=st.lists(ENTROPY, min_size=3))
def test_entropy_alone_is_no_signal(tiny_batch, credit, rewards, entropies):
    group = [[sure(entropies[b:], reward=reward)] for b, reward in enumerate(rewards)]
    assert not credit(tiny_batch([group])).any()


@ANY
@given(groups=GROUPS)
def test_aepo_changes_no_sign_and_leaves_the_rest_alone(tiny_batch, groups):
    batch = tiny_batch(groups)
    for base in (grpo, gigpo, reinforce):
        base_T, advantage_T = base(batch), aepo(batch, base=base)
        assert ((advantage_T == 0) | (advantage_T.sign() == base_T.sign())).all()
        assert not advantage_T[~batch.action_T].any()
        torch.testing.assert_close(aepo(batch, base=base, strength=0.0), base_T, rtol=0, atol=1e-12)


def test_no_token_is_so_sure_that_its_advantage_turns_round(tiny_batch):
    batch = tiny_batch([[[sure([0.0, 2.0, 2.0], reward=1.0)], [sure([2.0])]]])
    got = sampled(batch, aepo(batch, strength=100.0))
    assert got[0] == 0
    assert got[1] > 0 > got[3]


def test_aepo_raises_by_a_fifth_per_standard_deviation_over_the_batch(tiny_batch):
    batch = tiny_batch([[[sure([0.0, 2.0], reward=1.0)], [sure([1.0])]], [[sure([1.0])]]])
    standard = (2 / 3) ** 0.5  # of 0, 2, 1, 1
    base = partial(grpo, std=False)
    expected = [0.5 * (1 - 0.2 / standard), 0.5 * (1 + 0.2 / standard), -0.5, 0]
    assert sampled(batch, aepo(batch, base=base)) == pytest.approx(expected)


def test_tokens_that_were_all_as_sure_change_nothing(tiny_batch):
    batch = tiny_batch([[[sure([0.7, 0.7], reward=1.0)], [sure([0.7])]]])
    assert aepo(batch).tolist() == grpo(batch).tolist()


def test_the_retyped_empg_advantages_are_matched(tiny_batch, vectors, agree):
    stored = vectors("variants_retyped")
    cases = [case for case in stored["cases"] if case["algorithm"] == "EMPG"]
    assert len(cases) == 3
    for case in cases:
        trajectories = case["input"]["trajectories"]
        batch = tiny_batch([[[sure([h + 0.05, h - 0.05]) for h in t["step_entropy"]] for t in trajectories]])
        advantage_B = torch.tensor([t["advantage"] for t in trajectories])
        config = case["config"]
        got_T = empg(
            batch,
            base=lambda batch, advantage_B=advantage_B: batch.turn_to_token(advantage_B[batch.trajectory_U]),
            sharpness=config["k"],
            bonus_sharpness=config["k_future"],
            bonus=config["zeta"],
        )
        expected = [x for steps in case["expected"]["advantage_per_step"] for x in steps]
        agree(batch.token_to_turn(got_T), expected, stored["tolerance"])


@ANY
@given(groups=GROUPS)
def test_empg_sums_to_0_over_the_turns_and_does_not_count_silent_groups(tiny_batch, groups):
    batch = tiny_batch(groups)
    advantage_T = empg(batch, base=gigpo)
    advantage_U = batch.token_to_turn(advantage_T)
    assert abs(float(advantage_U.sum())) < 1e-9
    torch.testing.assert_close(advantage_T, batch.turn_to_token(advantage_U), rtol=0, atol=1e-12)
    together_T = empg(tiny_batch([*groups, [[sure([9.0], state_key="c")]]]), base=gigpo)
    torch.testing.assert_close(together_T[: batch.num_tokens], advantage_T, rtol=0, atol=1e-12)
    assert not together_T[batch.num_tokens :].any()


def test_empg_weakens_unsure_turns(tiny_batch):
    batch = tiny_batch([[[sure([2.0]), sure([0.0], reward=1.0)], [sure([2.0]), sure([0.0])]]])
    win, sure_win, loss, sure_loss = batch.token_to_turn(empg(batch, bonus=0.0)).tolist()
    assert 0 < win < sure_win
    assert sure_loss < loss < 0


def test_a_turn_without_sampled_tokens_has_no_say_in_empg(tiny_batch):
    given_turn = {"num_actions": 0}
    with_it = tiny_batch([[[sure([0.3]), given_turn, sure([0.9], reward=1.0)], [sure([0.5])]]])
    without = tiny_batch([[[sure([0.3]), sure([0.9], reward=1.0)], [sure([0.5])]]])
    assert sampled(with_it, empg(with_it)) == pytest.approx(sampled(without, empg(without)))


def test_gtpo_by_hand(tiny_batch):
    won = [[sure([3.0, 1.0], reward=1.0)], [sure([1.0], reward=1.0), sure([3.0])]]
    lost = [[sure([4.0, 1.0])], [sure([1.0, 4.0, 5.0])]]
    batch = tiny_batch([won + lost])
    shaped = [1.05, 0.95, 0.95, 1.05, -0.94, -1.06, -1.06, -0.94, -1.0]  # 0.9 + 0.1 x share x how many share
    values = torch.tensor(shaped, dtype=torch.float64)
    expected = (values - values.mean()) / (values.std() + 1e-6)
    assert sampled(batch, gtpo(batch)) == pytest.approx(expected.tolist())
    apart = [(x - x.mean()) / (x.std() + 1e-6) for x in (values[:4], values[4:])]
    assert sampled(batch, gtpo(batch, separate=True)) == pytest.approx(torch.cat(apart).tolist())


def test_where_successes_and_failures_are_standardised_apart_success_is_worth_nothing(tiny_batch):
    batch = tiny_batch([[[sure([1.0, 1.0], reward=1.0)], [sure([1.0, 1.0])]]])
    assert not gtpo(batch, separate=True).any()
    assert sampled(batch, gtpo(batch))[0] > 0.8


@ANY
@given(groups=GROUPS)
def test_shared_credit_sums_to_0_and_is_for_groups_with_both_outcomes(tiny_batch, groups):
    batch = tiny_batch(groups)
    trajectory_T, group_T = batch.trajectory_T, batch.group_B[batch.trajectory_T]
    won_T = (segment_sum(batch.reward_U, batch.trajectory_U, batch.num_trajectories) > 0.5)[trajectory_T]
    first_T = torch.zeros_like(batch.action_T)
    first_T[batch.action_T] = segment_first(trajectory_T[batch.action_T])
    for advantage_T, counted_T in ((gtpo(batch), batch.action_T), (grpo_s(batch), first_T)):
        assert not advantage_T[~batch.action_T].any()
        assert segment_sum(advantage_T * counted_T, group_T, batch.num_groups).abs().max() < 1e-6
        for g in range(batch.num_groups):
            won, lost = (advantage_T[counted_T & (group_T == g) & side_T] for side_T in (won_T, ~won_T))
            both = bool(won.numel() and lost.numel())
            assert (won.mean() > lost.mean()) if both else not (won.any() or lost.any())


def test_grpo_s_gives_the_surest_failure_the_most_blame(tiny_batch):
    group = [
        [sure([2.0, 4.0], reward=1.0)],
        [sure([1.0], reward=1.0)],
        [sure([1.0])],
        [sure([3.0])],
    ]
    batch = tiny_batch([group])
    shaped = torch.tensor([0.9 + 0.1 * 1.5, 0.9 + 0.1 * 0.5, -0.9 - 0.1 * 1.5, -0.9 - 0.1 * 0.5]).double()
    expected = (shaped - shaped.mean()) / (shaped.std() + 1e-6)
    assert batch.token_to_turn(grpo_s(batch)).tolist() == pytest.approx(expected.tolist())


def answers(tiny_groups, groups):
    """Groups of trajectories of one turn, each with its last message and its reward."""
    built = tiny_groups([[[reward] for _, reward in group] for group in groups])
    said = []
    for group, entries in zip(built, groups, strict=True):
        members = tuple(
            replace(t, turns=(replace(t.turns[0], message=Message("assistant", answer)),))
            for t, (answer, _) in zip(group.trajectories, entries, strict=True)
        )
        said.append(replace(group, trajectories=members))
    return pack(said)


@pytest.mark.parametrize(
    ("decline", "factor"), [("reciprocal", 1 / 1.25), ("linear", 0.75), ("exponential", 0.7788007831)]
)
def test_disagreement_about_the_answer_makes_updates_smaller(tiny_groups, decline, factor):
    agreed = [("4", 1.0), ("4", 0.0), ("4", 0.0), ("4", 0.0)]
    split = [("4", 1.0), ("5", 0.0), ("4", 0.0), ("5", 0.0)]  # log 2 of at most log 4
    batch = answers(tiny_groups, [agreed, split])
    plain_U = batch.token_to_turn(grpo(batch))
    got_U = batch.token_to_turn(seed_grpo(batch, strength=0.5, decline=decline))
    assert got_U[:4].tolist() == plain_U[:4].tolist()
    assert got_U[4:].tolist() == pytest.approx((factor * plain_U[4:]).tolist())


@ANY
@given(
    groups=st.lists(
        st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from([0.0, 1.0])), min_size=1, max_size=5),
        min_size=1,
        max_size=3,
    ),
    decline=st.sampled_from(["reciprocal", "linear", "exponential"]),
    strength=st.sampled_from([0.0, 0.0417, 1.0, 3.0]),
)
def test_seed_grpo_never_enlarges_nor_turns_round(tiny_groups, groups, decline, strength):
    batch = answers(tiny_groups, groups)
    base_T, advantage_T = grpo(batch), seed_grpo(batch, decline=decline, strength=strength)
    assert (advantage_T.abs() <= base_T.abs()).all()
    assert (advantage_T * base_T >= 0).all()
    if strength == 0:
        assert torch.equal(advantage_T, base_T)
    differ_G = torch.tensor([len({answer for answer, _ in group}) == len(group) > 1 for group in groups])
    if strength == 1 and decline == "linear":
        assert (advantage_T[differ_G[batch.group_B[batch.trajectory_T]]].abs() < 1e-6).all()


def test_seed_grpo_without_answers_says_so(tiny_batch):
    with pytest.raises(ConfigError, match="same answer"):
        seed_grpo(replace(tiny_batch([[[0.0]]]), answer_B=None))
