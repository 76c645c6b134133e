import pytest
import torch

from agentrl.learning.credit import CREDIT
from agentrl.learning.credit.outcome import dapo, grpo, overlong_penalty, reinforce, rloo

OFFICIAL = {"grpo": grpo, "grpo_vectorized": grpo, "dr_grpo": CREDIT["dr_grpo"], "rloo": rloo, "rloo_vectorized": rloo}


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
    cases = [case for case in stored["cases"] if case["algorithm"] in OFFICIAL]
    assert len(cases) == 14
    for case in cases:
        batch = tiny_batch(rows_to_groups(case["input"]))
        expected = torch.tensor(case["expected"]["advantages"])
        names = case["input"]["group_id"]
        alone = torch.tensor([names.count(name) == 1 for name in names])
        expected[alone] = 0.0  # the official code gives some groups of one their raw reward
        agree(OFFICIAL[case["algorithm"]](batch), expected, stored["tolerance"])


def test_grpo_by_hand(tiny_batch):
    batch = tiny_batch([[[0.0, 1.0], [0.0], [0.5, 0.0, 0.0]]])  # returns 1, 0, 0.5; their spread is 0.5
    plain_U = batch.token_to_turn(grpo(batch, std=False))
    assert plain_U.tolist() == [0.5, 0.5, -0.5, 0, 0, 0]
    torch.testing.assert_close(batch.token_to_turn(grpo(batch)), plain_U / (0.5 + 1e-6))


def test_rloo_compares_with_the_others_alone(tiny_batch):
    batch = tiny_batch([[[4.0], [1.0], [3.0]], [[7.0], [5.0]]])
    assert batch.token_to_turn(rloo(batch)).tolist() == pytest.approx([2, -2.5, 0.5, 2, -2])


def test_reinforce_gives_the_return_to_go_or_the_return(tiny_batch):
    batch = tiny_batch([[[1.0, 2.0, 4.0]], [[8.0]]])
    assert batch.token_to_turn(reinforce(batch)).tolist() == [7, 6, 4, 8]
    assert batch.token_to_turn(reinforce(batch, discount=0.5)).tolist() == [3, 4, 4, 8]
    assert batch.token_to_turn(reinforce(batch, to_go=False)).tolist() == [7, 7, 7, 8]


@pytest.mark.parametrize("credit", [grpo, rloo])
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
