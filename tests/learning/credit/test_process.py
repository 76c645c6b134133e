from dataclasses import replace
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from agentrl.errors import ConfigError
from agentrl.learning.credit.comparison import whiten
from agentrl.learning.credit.process import (
    oprl,
    outcome_cross_entropy,
    prime,
    prime_credit,
    process_credit,
    trajectory_dpo,
    turn_mean_score,
    turn_mean_weight,
    turn_process_reward,
)
from agentrl.learning.credit.returns import trajectory_return
from agentrl.learning.segments import segment_sum

COMPARISONS = {  # RLOO is linear: of the weighted sum of both rewards it is the sum of both parts
    "rloo": "rloo",
    "combined_rloo": "rloo",
    "grpo_mean": "dr_grpo",
    "grpo_mean_std": "grpo",
}
ANY = settings(deadline=None, max_examples=25)
REWARD = st.sampled_from([-1.0, -0.3, 0.0, 0.2, 0.9])
GROUPS = st.lists(
    st.lists(st.lists(st.lists(REWARD, max_size=3), min_size=1, max_size=3), min_size=1, max_size=4),
    min_size=1,
    max_size=3,
)


def build(tiny_batch, groups, outcomes=None):
    """Trajectories of turns of tokens, all given by their process rewards; outcomes come with the last turn."""
    outcomes = outcomes or [[0.0] * len(group) for group in groups]
    turns = [
        [
            [{"num_actions": len(rewards), "reward": outcome * (u == len(t) - 1)} for u, rewards in enumerate(t)]
            for t, outcome in zip(group, of_group, strict=True)
        ]
        for group, of_group in zip(groups, outcomes, strict=True)
    ]
    batch = tiny_batch(turns)
    reward_T = torch.zeros(batch.num_tokens, dtype=torch.float64)
    reward_T[batch.action_T] = torch.tensor(flat(flat(flat(groups))), dtype=torch.float64)
    return replace(batch, process_reward_T=reward_T)


def flat(rows):
    return [x for row in rows for x in row]


def by_group(trajectories, entry):
    groups: dict[str, list] = {}
    for trajectory in trajectories:
        groups.setdefault(trajectory["group_id"], []).append(entry(trajectory))
    return list(groups.values())


def from_case(tiny_batch, case):
    """A turn's process reward lies on its first token; the others have none."""
    trajectories = case["input"]["trajectories"]
    groups = by_group(
        trajectories, lambda t: [[turn["step_reward"]] + [0.0] * (turn["num_tokens"] - 1) for turn in t["turns"]]
    )
    return build(tiny_batch, groups, by_group(trajectories, lambda t: t["episode_reward"]))


def test_the_official_advantages_are_matched(tiny_batch, vectors, agree):
    stored = vectors("istar_advantages")
    cases = [case for case in stored["cases"] if case["config"]["estimator"] in COMPARISONS]
    assert len(cases) == 9
    for case in cases:
        config, batch = case["config"], from_case(tiny_batch, case)
        options = {"comparison": COMPARISONS[config["estimator"]], "scale": "none", "statistics_over": "first_turns"}
        got_U = batch.token_to_turn(oprl(batch, step_weight=config["step_advantage_w"], **options))
        expected_U = torch.tensor(flat(case["expected"]["advantage_per_turn"]))
        alone_U = (torch.bincount(batch.group_B) < 2)[batch.group_U]
        expected_U[alone_U] = 0.0  # the official code gives a group of one its raw rewards
        agree(got_U, expected_U, stored["tolerance"])


def test_the_official_whitening_is_matched_once_a_group_of_one_counts_with_its_raw_rewards(tiny_batch, vectors, agree):
    stored = vectors("istar_advantages")
    (case,) = [case for case in stored["cases"] if case["config"]["estimator"] == "reinforce_pp_baseline"]
    batch = from_case(tiny_batch, case)
    options = {"scale": "none", "statistics_over": "first_turns", "epsilon": 1e-6}
    plain = process_credit(batch, comparison="dr_grpo", **options)
    alone_U = (torch.bincount(batch.group_B) < 2)[batch.group_U]
    num_tokens_U = torch.bincount(batch.turn_T[batch.action_T])
    raw = (trajectory_return(batch)[batch.trajectory_U], turn_process_reward(batch, scale="none"))
    episode_U, step_U = (
        whiten(torch.where(alone_U, raw_U, part_U), num_tokens_U) for part_U, raw_U in zip(plain, raw, strict=True)
    )
    agree(episode_U + 0.5 * step_U, flat(case["expected"]["advantage_per_turn"]), stored["tolerance"])
    # In ours, neither that group nor the one with equal returns counts for the whitening of returns.
    own = process_credit(batch, comparison="reinforce++", **options)
    first_U = batch.group_U == 0
    torch.testing.assert_close(own.episode_U, whiten(plain.episode_U, num_tokens_U * first_U))
    torch.testing.assert_close(own.step_U, whiten(plain.step_U, num_tokens_U * ~alone_U))
    assert own.episode_U[first_U].all()


def test_oprl_by_hand(tiny_batch):
    batch = build(tiny_batch, [[[[0.1, 0.2], [0.6]], [[-0.3]]]], [[1.0, 0.0]])
    # steps 0.3, 0.6, -0.3: their mean is 0.2; against the other two, 1.5 times the distance
    assert batch.token_to_turn(oprl(batch, scale="none")).tolist() == pytest.approx([1 + 0.15, 1 + 0.6, -1 - 0.75])
    scaled_U = batch.token_to_turn(oprl(batch, episode_weight=0, step_weight=2))
    assert scaled_U.tolist() == pytest.approx([0.5, 2.0, -2.5], rel=1e-5)
    over_trajectories_U = batch.token_to_turn(
        oprl(batch, episode_weight=0, scale="none", statistics_over="trajectories")
    )  # means 0.45 and -0.3, about 0.075; twice the distance
    assert over_trajectories_U.tolist() == pytest.approx([0.45, 1.05, -0.75])
    grpo_U = batch.token_to_turn(oprl(batch, comparison="grpo", scale="none", episode_weight=0))
    spread = ((0.01 + 0.16 + 0.25) / 2) ** 0.5
    assert grpo_U.tolist() == pytest.approx([0.1 / spread, 0.4 / spread, -0.5 / spread], rel=1e-5)


def test_a_turn_that_the_policy_did_not_sample_is_no_step(tiny_batch):
    with_given = build(tiny_batch, [[[[0.4], [], [0.2]], [[0.0]]]])
    without = build(tiny_batch, [[[[0.4], [0.2]], [[0.0]]]])
    for over in ("turns", "trajectories"):
        got, want = (batch.token_to_turn(oprl(batch, statistics_over=over)) for batch in (with_given, without))
        assert got[1] == 0
        torch.testing.assert_close(got[[0, 2, 3]], want)


def test_the_official_step_rewards_are_matched(tiny_batch, vectors, agree):
    stored = vectors("istar_step_rewards")
    num_steps = 0
    for case in stored["cases"]:
        config, data = case["config"], case["input"]
        ratios = [
            [config["beta"] * (p - o) for p, o in zip(prm[:n], old[:n], strict=True)]
            for prm, old, n in zip(data["prm_logprob"], data["old_policy_logprob"], data["response_len"], strict=True)
        ]
        scale = {"batch_norm": "max", "none": "none"}[config["norm"]]
        if config["granularity"] == "step":
            num_steps += 1
            batch = build(tiny_batch, [[[row] for row in ratios]])
            agree(turn_process_reward(batch, scale=scale), case["expected"]["step_reward"], stored["tolerance"])
            continue
        dropped = [[*row[:-1], 0.0] for row in ratios]  # the official code loses the last token
        batch = build(tiny_batch, [[[row] for row in dropped]])
        scores = [row[:n] for row, n in zip(case["expected"]["score"], data["response_len"], strict=True)]
        want_T = torch.zeros(batch.num_tokens)
        want_T[batch.action_T] = torch.tensor(flat(scores))
        process_T = prime_credit(batch, process_weight=1.0, scale=scale).process_T
        # Undo the sum over what follows, and the comparison: what is left are the token's scores.
        trajectory_N = batch.trajectory_T[batch.action_T]
        process_N = process_T[batch.action_T]
        following_N = torch.where(trajectory_N == trajectory_N.roll(-1), process_N.roll(-1), 0)
        following_N[-1] = 0
        scores_N = want_T[batch.action_T].double()
        mean = torch.stack([scores_N[trajectory_N == b].mean() for b in range(4)]).mean()
        agree((process_N - following_N) * 3 / 4 + mean, scores_N, stored["tolerance"])
    assert num_steps == 3


def test_the_official_returns_of_prime_are_matched(tiny_batch, vectors, agree):
    stored = vectors("prime")
    assert len(stored["cases"]) == 2
    for case in stored["cases"]:
        data = case["input"]
        lengths = [int(sum(mask)) for mask in data["response_mask"]]
        groups, outcomes = [[], []], [[], []]
        for g, row, n, outcome in zip(
            data["group_id"], data["token_process_reward"], lengths, data["outcome"], strict=True
        ):
            groups[g].append([row[:n]])
            outcomes[g].append(outcome)
        batch = build(tiny_batch, groups, outcomes)
        parts = prime_credit(batch, process_weight=1.0, scale="none")
        returns, whitened = (
            flat([row[:n] for row, n in zip(case["expected"][name], lengths, strict=True)])
            for name in ("returns", "advantages_whitened")
        )
        agree((parts.outcome_T + parts.process_T)[batch.action_T], returns, stored["tolerance"])
        advantage_T = prime(batch, process_weight=1.0, scale="none")
        agree(advantage_T[batch.action_T], whitened, stored["tolerance"])


def test_prime_by_hand(tiny_batch):
    batch = build(tiny_batch, [[[[0.1], [0.2, 0.3]], [[0.4]]]], [[0.0, 1.0]])
    parts = prime_credit(batch, process_weight=5.0, scale="none")
    mean = (0.2 + 0.4) / 2  # of the trajectories' means
    tokens = [2 * 5 * (x - mean) for x in (0.1, 0.2, 0.3, 0.4)]
    assert parts.process_T[batch.action_T].tolist() == pytest.approx([sum(tokens[:3]), sum(tokens[1:3]), 0, tokens[3]])
    assert parts.outcome_T[batch.action_T].tolist() == [-1, -1, -1, 1]
    scaled = prime_credit(batch, process_weight=0.6, scale="max").process_T  # the largest sum to come is 0.6
    assert scaled[batch.action_T].tolist() == pytest.approx(
        [x / 5 for x in (sum(tokens[:3]), sum(tokens[1:3]), 0, 1)], abs=1e-5
    )


@ANY
@given(groups=GROUPS, comparison=st.sampled_from(["rloo", "dr_grpo", "grpo"]))
def test_steps_sum_to_0_over_the_sampled_turns_of_a_group(tiny_batch, groups, comparison):
    batch = build(tiny_batch, groups)
    step_U = process_credit(batch, comparison=comparison, scale="none", statistics_over="turns", epsilon=1e-6).step_U
    sum_G = segment_sum(step_U, batch.group_U, batch.num_groups)
    torch.testing.assert_close(sum_G, torch.zeros_like(sum_G), rtol=0, atol=1e-9)


@ANY
@given(groups=GROUPS, other=GROUPS, credit=st.sampled_from([partial(oprl, comparison="reinforce++"), prime]))
def test_whitening_does_not_shift_groups_of_which_there_is_nothing_to_say(tiny_batch, groups, other, credit):
    silent = [[[[0.5, 0.5]], [[0.5, 0.5]]], [[[0.9], [0.1, 0.2]]]]
    batch = build(tiny_batch, [*groups, *silent, *other])
    of_silent_T = (batch.trajectory_U[batch.turn_T] >= sum(map(len, groups))) & (
        batch.trajectory_U[batch.turn_T] < sum(map(len, groups)) + 3
    )
    assert not credit(batch)[of_silent_T].any()


@ANY
@given(groups=GROUPS, over=st.sampled_from(["turns", "trajectories", "first_turns"]))
def test_what_all_tokens_have_in_common_is_no_difference(tiny_batch, groups, over):
    same = [[[[0.3]] * len(t) for t in group] for group in groups]
    batch = build(tiny_batch, same)
    for comparison in ("rloo", "grpo", "dr_grpo", "reinforce++"):
        assert not oprl(batch, comparison=comparison, statistics_over=over).any()
    assert not prime(batch).any()


def test_what_a_model_that_has_learnt_nothing_says_is_not_scaled_up(tiny_batch):
    batch = build(tiny_batch, [[[[1e-6, -2e-6], [3e-6]], [[-1e-6]]]])
    assert not oprl(batch).any()
    assert not prime(batch).any()
    learnt = replace(batch, process_reward_T=1e3 * batch.process_reward_T)
    assert oprl(learnt).abs().max() > 0.5
    assert prime(learnt).abs().max() > 0.5


def preferences(tiny_batch, case, successes):
    """Process rewards are beta times the log ratios."""
    beta, trajectories = case["config"]["beta"], case["input"]["trajectories"]
    groups = by_group(
        trajectories,
        lambda t: [[beta * x for x in turn["token_logratio_prm_minus_old"]] for turn in t["turns"]],
    )
    return replace(build(tiny_batch, groups), success_B=torch.tensor(successes))


def test_the_official_trajectory_dpo_is_matched_with_its_gradient(tiny_batch, vectors, agree):
    stored = vectors("istar_prm_loss")
    cases = [case for case in stored["cases"] if case["config"].get("loss") != "ce"]
    assert len(cases) == 3
    for case in cases:
        trajectories = case["input"]["trajectories"]
        batch = preferences(tiny_batch, case, [t["success"] > 0 for t in trajectories])
        loss, weight_B = trajectory_dpo(turn_mean_score(batch.process_reward_T, batch), batch)
        agree(loss, case["expected"]["loss"], stored["tolerance"])
        weight_T = case["config"]["beta"] * turn_mean_weight(weight_B, batch)
        assert not weight_T[~batch.action_T].any()
        agree(weight_T[batch.action_T], flat(flat(case["expected"]["grad_token_logratio"])), stored["tolerance"])


def test_the_official_cross_entropy_is_matched_with_its_gradient(tiny_batch, vectors, agree):
    stored = vectors("istar_prm_loss")
    (case,) = [case for case in stored["cases"] if case["config"].get("loss") == "ce"]
    beta, data = case["config"]["beta"], case["input"]
    rows = [
        [x for x, m in zip(*row, strict=True) if m]
        for row in zip(data["token_logratio"], data["response_mask"], strict=True)
    ]
    batch = build(tiny_batch, [[[[beta * x for x in row]] for row in rows]])
    batch = replace(batch, success_B=torch.tensor(data["acc"]) > 0)
    score_B = segment_sum(batch.process_reward_T, batch.trajectory_T, batch.num_trajectories)
    loss, weight_B = outcome_cross_entropy(score_B, batch)
    agree(loss, case["expected"]["loss"], stored["tolerance"])
    expected = [
        [g for g, m in zip(*row, strict=True) if m]
        for row in zip(case["expected"]["grad_token_logratio"], data["response_mask"], strict=True)
    ]
    agree((beta * weight_B[batch.trajectory_T])[batch.action_T], flat(expected), stored["tolerance"])


@ANY
@given(data=st.data(), sizes=st.lists(st.integers(1, 4), min_size=1, max_size=3))
def test_losses_come_with_their_derivatives(tiny_batch, data, sizes):
    num = sum(sizes)
    batch = tiny_batch([[[0.0]] * size for size in sizes])
    success = data.draw(st.lists(st.booleans(), min_size=num, max_size=num))
    scores = data.draw(st.lists(st.floats(-40, 40), min_size=num, max_size=num))
    batch = replace(batch, success_B=torch.tensor(success))
    for loss_of in (trajectory_dpo, outcome_cross_entropy):
        score_B = torch.tensor(scores, dtype=torch.float64, requires_grad=True)
        loss, weight_B = loss_of(score_B, batch)
        (gradient_B,) = torch.autograd.grad(loss, score_B)
        torch.testing.assert_close(weight_B, gradient_B, rtol=1e-9, atol=1e-12)
    dpo = trajectory_dpo(torch.tensor(scores, dtype=torch.float64), batch)
    pairs = [
        torch.nn.functional.softplus(torch.tensor(scores[j] - scores[i], dtype=torch.float64))
        for i in range(num)
        for j in range(num)
        if batch.group_B[i] == batch.group_B[j] and success[i] and not success[j]
    ]
    assert float(dpo.loss) == pytest.approx(float(sum(pairs)) / max(len(pairs), 1))
    weight_G = segment_sum(dpo.weight_B, batch.group_B, batch.num_groups)
    torch.testing.assert_close(weight_G, torch.zeros_like(weight_G), rtol=0, atol=1e-12)


def test_without_a_pair_the_preference_loss_is_0_and_far_scores_lose_no_precision(tiny_batch):
    batch = tiny_batch([[[0.0], [0.0]], [[0.0]]])
    loss, weight_B = trajectory_dpo(
        torch.tensor([1.0, 2.0, 3.0]), replace(batch, success_B=torch.tensor([True, True, False]))
    )
    assert (float(loss), weight_B.tolist()) == (0.0, [0, 0, 0])
    far = torch.tensor([-900.0, 900.0, 0.0])
    loss, weight_B = trajectory_dpo(far, replace(batch, success_B=torch.tensor([True, False, False])))
    assert (float(loss), weight_B.tolist()) == (1800.0, [-1, 1, 0])


@pytest.mark.parametrize("credit", [oprl, prime])
def test_a_batch_without_process_rewards_is_told_so(tiny_batch, credit):
    with pytest.raises(ConfigError, match="Process rewards are needed"):
        credit(replace(tiny_batch([[[1.0], [0.0]]]), process_reward_T=None))


@pytest.mark.parametrize("loss", [trajectory_dpo, outcome_cross_entropy])
def test_a_batch_without_successes_is_told_so(tiny_batch, loss):
    with pytest.raises(ConfigError, match="Whether each trajectory succeeded"):
        loss(torch.zeros(1), replace(tiny_batch([[[1.0]]]), success_B=None))
