from functools import partial

import pytest
import torch

from agentrl.learning.credit.outcome import dapo, gpg, grpo, opo, overlong_penalty, reinforce, rloo
from agentrl.learning.credit.whitened import reinforce_plus_plus, reinforce_plus_plus_baseline

OFFICIAL = {
    "grpo": grpo,
    "grpo_vectorized": grpo,
    "dr_grpo": partial(grpo, std=False),
    "rloo": rloo,
    "rloo_vectorized": rloo,
    "opo": opo,
    "gpg": gpg,
    "reinforce_plus_plus": reinforce_plus_plus,
    "reinforce_plus_plus_baseline": partial(reinforce_plus_plus_baseline, whiten_silent=True),
}


def rows_to_groups(data):
    """Each row of the vectors as a trajectory of one-token turns: an observation token is a turn's context."""
    groups: dict[str, list] = {}
    for name, reward, at, mask in zip(
        data["group_id"], data["reward"], data["reward_token_index"], data["response_mask"], strict=True
    ):
        turns = [
            {"num_context": 1 - m, "num_actions": m, "reward": reward if t == at else 0} for t, m in enumerate(mask)
        ]
        groups.setdefault(name, []).append(turns)
    return list(groups.values())


def test_the_official_advantages_are_matched(tiny_batch, vectors, agree):
    stored = vectors("outcome_advantages")
    assert len(stored["cases"]) == 30
    for case in stored["cases"]:
        credit, config, data = OFFICIAL[case["algorithm"]], case["config"], case["input"]
        expected = torch.tensor(case["expected"]["advantages"])
        alone = torch.tensor([data["group_id"].count(name) == 1 for name in data["group_id"]])
        if case["algorithm"] == "reinforce_plus_plus":  # which knows no groups
            credit = partial(credit, discount=config["gamma"])
        elif case["algorithm"] != "reinforce_plus_plus_baseline" or alone.all():
            expected[alone] = 0.0  # the official code gives some groups of one their raw reward
        agree(credit(tiny_batch(rows_to_groups(data))), expected, stored["tolerance"])


def test_the_official_advantages_of_flow_grpo_are_those_of_grpo_over_turns(tiny_batch, vectors, agree):
    stored = vectors("flow_grpo")
    for case in stored["cases"]:
        half = case["config"]["score_dtype"] == "torch.bfloat16"
        groups: dict[str, list] = {}
        for trajectory in case["input"]["trajectories"]:
            turns = [{"num_actions": tokens} for tokens in trajectory["turn_tokens"]]
            turns[-1]["reward"] = trajectory["final_reward"]
            groups.setdefault(trajectory["group_id"], []).append(turns)
        batch = tiny_batch(list(groups.values()))
        for over, expected in (
            ("turns", [x for turns in case["expected"]["advantage_per_turn"] for x in turns]),
            (
                "trajectories",
                torch.tensor(case["expected"]["for_comparison_trajectory_level_advantage"])[batch.trajectory_U],
            ),
        ):
            expected_U = torch.as_tensor(expected)
            expected_U[batch.group_U == 2] = 0.0  # a group of one, which the official code gives its raw reward
            got_U = batch.token_to_turn(grpo(batch, statistics_over=over))
            agree(got_U, expected_U, 2e-2 if half else stored["tolerance"])


def test_a_turn_without_a_sampled_token_is_no_sample_of_statistics_over_turns(tiny_batch):
    given = {"num_actions": 0}
    batch = tiny_batch([[[given, given, 1.0], [0.0], [0.0]]])
    without = tiny_batch([[[1.0], [0.0], [0.0]]])
    got_U = batch.token_to_turn(grpo(batch, statistics_over="turns"))
    assert got_U[2:].tolist() == without.token_to_turn(grpo(without)).tolist()


def test_grpo_counts_a_trajectory_once_into_however_many_sequences_it_was_rewritten(tiny_batch, vectors, agree):
    stored = vectors("variants_retyped")
    (case,) = [case for case in stored["cases"] if case["algorithm"] == "MemAct DCPO"]
    segments = case["input"]["segments"]
    groups: dict[str, dict[str, list]] = {}
    for segment in segments:
        turns = groups.setdefault(segment["group_id"], {}).setdefault(segment["traj_id"], [])
        turns.append({"opens_sequence": True, "reward": 0.0 if turns else segment["trajectory_reward"]})
    batch = tiny_batch([list(group.values()) for group in groups.values()])
    assert batch.num_sequences == len(segments)
    expected = torch.tensor(case["expected"]["advantage_per_segment"])
    expected[-2:] = 0.0  # a group of one
    agree(batch.token_to_turn(grpo(batch, std=False)), expected, stored["tolerance"])


def test_grpo_by_hand(tiny_batch):
    batch = tiny_batch([[[0.0, 1.0], [0.0], [0.5, 0.0, 0.0]]])  # returns 1, 0, 0.5; their spread is 0.5
    plain_U = batch.token_to_turn(grpo(batch, std=False))
    assert plain_U.tolist() == [0.5, 0.5, -0.5, 0, 0, 0]
    torch.testing.assert_close(batch.token_to_turn(grpo(batch)), plain_U / (0.5 + 1e-6))


def test_rloo_compares_with_the_others_alone(tiny_batch):
    batch = tiny_batch([[[4.0], [1.0], [3.0]], [[7.0], [5.0]]])
    assert batch.token_to_turn(rloo(batch)).tolist() == pytest.approx([2, -2.5, 0.5, 2, -2])


def test_opo_takes_the_mean_over_tokens(tiny_batch):
    batch = tiny_batch([[[{"reward": 1.0, "num_actions": 3}], [0.0]], [[5.0]]])
    assert batch.token_to_turn(opo(batch)).tolist() == [0.25, -0.75, 0]


def test_gpg_steps_further_where_few_succeed(tiny_batch):
    batch = tiny_batch([[[1.0], [0.0]], [[0.0], [0.0]], [[0.0], [0.0]]])
    assert batch.token_to_turn(gpg(batch)).tolist() == [3, -3, 0, 0, 0, 0]  # 6 trajectories, 1 success
    assert batch.token_to_turn(gpg(batch, divisor=3.0)).tolist() == [1, -1, 0, 0, 0, 0]
    assert not gpg(tiny_batch([[[0.0], [0.0]]])).any()


def test_reinforce_gives_the_return_to_go_or_the_return(tiny_batch):
    batch = tiny_batch([[[1.0, 2.0, 4.0]], [[8.0]]])
    assert batch.token_to_turn(reinforce(batch)).tolist() == [7, 6, 4, 8]
    assert batch.token_to_turn(reinforce(batch, discount=0.5)).tolist() == [3, 4, 4, 8]
    assert batch.token_to_turn(reinforce(batch, to_go=False)).tolist() == [7, 7, 7, 8]


@pytest.mark.parametrize("credit", [grpo, rloo, opo, gpg, reinforce_plus_plus_baseline])
def test_returns_that_are_equal_but_for_rounding_give_exactly_0(tiny_batch, credit):
    batch = tiny_batch([[[1.1, 2.2], [3.3], [2.2, 1.1], [3.3 + 1e-9]]])
    assert credit(batch).tolist() == [0.0] * batch.num_tokens


def test_the_official_overlong_penalty_is_matched(vectors, agree):
    stored = vectors("loss_dapo")
    (case,) = [case for case in stored["cases"] if case["name"] == "overlong-penalty"]
    config = case["config"]
    penalty_B = overlong_penalty(
        torch.tensor(case["input"]["response_len"]),
        max_tokens=config["max_resp_len"],
        buffer_tokens=config["buffer_len"],
        overlong_factor=config["penalty_factor"],
    )
    agree(penalty_B, case["expected"]["reward_delta"], stored["tolerance"])


def test_dapo_penalises_the_tokens_that_the_policy_sampled_beyond_the_buffer(tiny_batch):
    long = [
        {"reward": 1.0, "num_context": 50, "num_actions": 6},
        {"num_actions": 3},
    ]  # 9 of 10 tokens, buffer from 6 on
    short = [{"reward": 1.0, "num_actions": 6}]
    batch = tiny_batch([[long, short]])
    assert dapo(batch).abs().max() == 0
    shaped_U = batch.token_to_turn(dapo(batch, max_tokens=10, buffer_tokens=4))
    low, high = 0.25, 1.0  # returns
    spread = (high - low) / 2**0.5
    expected = (high - low) / 2 / (spread + 1e-6)
    assert shaped_U.tolist() == pytest.approx([-expected, -expected, expected])
