import pytest

from agentrl.learning.losses import AGGREGATION

MEANS = ["token_mean", "turn_mean", "sequence_mean", "trajectory_mean"]

# One trajectory of two sequences (turns of 1 and 3 tokens, then of 2), one of a single turn of 4 tokens, and one in
# which nothing was sampled.
GROUPS = [
    [[{"num_actions": 1}, {"num_actions": 3}, {"num_actions": 2, "opens_sequence": True}], [{"num_actions": 4}]],
    [[{"num_actions": 0}]],
]


def by_turn(tiny_batch, aggregation):
    """The weight of a token of each turn."""
    batch = tiny_batch(GROUPS)
    weight_T = aggregation(batch)
    assert not weight_T[~batch.action_T].any()
    assert weight_T.dtype == batch.sampled_logprob_T.dtype
    return batch.token_to_turn(weight_T).tolist()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("token_mean", [1 / 10, 1 / 10, 1 / 10, 1 / 10, 0]),
        ("token_sum", [1, 1, 1, 1, 0]),
        ("turn_mean", [1 / 4, 1 / 12, 1 / 8, 1 / 16, 0]),
        ("sequence_mean", [1 / 12, 1 / 12, 1 / 6, 1 / 12, 0]),
        ("trajectory_mean", [1 / 12, 1 / 12, 1 / 12, 1 / 8, 0]),
        ("turn_mean_token_sum", [1 / 4, 1 / 4, 1 / 4, 1 / 4, 0]),
        ("sequence_mean_token_sum", [1 / 3, 1 / 3, 1 / 3, 1 / 3, 0]),
        ("trajectory_mean_token_sum", [1 / 2, 1 / 2, 1 / 2, 1 / 2, 0]),
        ("trajectory_sum_token_mean", [1 / 6, 1 / 6, 1 / 6, 1 / 4, 0]),
        ("constant", [1 / 2048, 1 / 2048, 1 / 2048, 1 / 2048, 0]),
    ],
)
def test_weights_by_hand(tiny_batch, name, expected):
    assert by_turn(tiny_batch, AGGREGATION[name]) == pytest.approx(expected, rel=1e-12)


def test_every_aggregation_is_tested_by_hand():
    (mark,) = test_weights_by_hand.pytestmark
    assert {name for name, _ in mark.args[1]} == set(AGGREGATION)


@pytest.mark.parametrize("name", MEANS)
def test_the_weights_of_a_mean_sum_to_1(tiny_batch, name):
    assert float(AGGREGATION[name](tiny_batch(GROUPS)).sum()) == pytest.approx(1.0, rel=1e-12)


@pytest.mark.parametrize("name", sorted(AGGREGATION))
def test_a_batch_in_which_nothing_was_sampled_weighs_nothing(tiny_batch, name):
    assert AGGREGATION[name](tiny_batch([[[{"num_actions": 0}]]])).tolist() == [0.0]
