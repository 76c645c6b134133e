import math
from dataclasses import replace

import pytest
import torch

from agentrl.errors import ConfigError
from agentrl.learning.algorithms import ALGORITHMS, Algorithm, algorithm
from agentrl.learning.losses import NEEDS_ENTROPIES, NEEDS_STEP_LOGPROBS, SURVEY
from agentrl.learning.losses.aggregation import turn_mean
from agentrl.learning.losses.kl import k2
from agentrl.train import prepare, weigh


@pytest.fixture
def batch(tiny_batch):
    return tiny_batch(
        [
            [
                [{"state_key": "a", "num_actions": 2}, {"state_key": "b", "reward": 1.0}],
                [{"state_key": "a"}, {"state_key": "c"}, {"state_key": "b", "num_actions": 3}],
            ]
        ]
    )


DISTILLING = {"opd", "opsd"}  # know no winners
CHOOSY = {"d3s", "forking_tokens"}  # learn from some tokens only, of the winner's too


def graded(row: Algorithm, batch):
    """The batch as it comes to the loss; what models, the sampler and the past say of it tells nobody apart."""
    none_T, none_U = torch.zeros_like(batch.sampled_logprob_T), torch.zeros_like(batch.reward_U)
    past_B = torch.ones_like(batch.group_B).double()
    batch = replace(
        batch,
        value_T=none_T,
        process_reward_T=none_T,
        entropy_T=torch.where(batch.action_T, 1.0, 0.0),
        step_logprob_T=batch.sampled_logprob_T,
        reference_logprob_T=batch.sampled_logprob_T,
        old_logprob_T=batch.sampled_logprob_T,
        information_gain_U=none_U,
        matched_U=torch.ones_like(batch.valid_U),
        prior_value_B=past_B / 2,
        prior_mean_B=past_B / 2,
        prior_std_B=past_B / 2,
        prior_count_B=past_B,
    )
    batch = weigh(prepare(batch, row), row)
    return batch if row.survey is None else row.survey(batch)


@pytest.mark.parametrize("name", sorted(set(ALGORITHMS) - DISTILLING))
def test_every_row_makes_the_winner_likelier_than_the_loser(name, batch):
    row = ALGORITHMS[name]
    batch = graded(row, batch)
    logprob_T = batch.sampled_logprob_T.clone().requires_grad_()
    loss, sums = row.loss(logprob_T, batch)
    loss.backward()
    assert logprob_T.grad is not None
    of_winner_N = logprob_T.grad[batch.action_T & (batch.trajectory_T == 0)]
    assert (of_winner_N <= 0).all()
    assert of_winner_N.any() if name in CHOOSY else of_winner_N.all()
    assert (logprob_T.grad[batch.action_T & (batch.trajectory_T == 1)] >= 0).all()
    assert not logprob_T.grad[~batch.action_T].any()
    assert sums.metrics()["learn/ratio_max"] == 1.0


def test_numbers_reach_the_function_that_takes_them(batch):
    row = algorithm("gigpo", discount=0.5, step_weight=3, clip_high=0.5, aggregation="turn_mean", kl="k2", std=False)
    assert batch.token_to_turn(row.credit(batch)).tolist() == pytest.approx([1.25, 2.0, -1.25, -0.5, -2.0])
    assert row.aggregation is turn_mean
    assert row.kl is k2
    above = batch.sampled_logprob_T + math.log(1.45)
    clipped_T = row.surrogate(above, graded(row, batch))
    assert clipped_T[batch.action_T][0].item() == pytest.approx(-1.25 * 1.45)
    assert row.surrogate(above + 1.0, graded(row, batch))[batch.action_T][0].item() == pytest.approx(-1.25 * 1.5)


def test_a_row_without_arguments_is_the_row():
    assert algorithm("grpo") is not None
    assert all(algorithm(name) == row for name, row in ALGORITHMS.items())


def test_own_functions_come_by_name_or_as_they_are(batch):
    by_name = algorithm("grpo", credit="agentrl.learning.credit.turn:turn_return", discount=0.5)
    assert batch.token_to_turn(by_name.credit(batch)).tolist() == [0.5, 1, -0.5, -1, -1]
    own = algorithm("grpo", credit=lambda batch: batch.turn_to_token(batch.reward_U))
    assert own.credit(batch).sum() == 1


def test_whether_idle_sequences_matter():
    assert not algorithm("grpo").needs_idle
    assert algorithm("grpo", kl_coefficient=0.04).needs_idle
    assert algorithm("grpo", entropy_coefficient=1).needs_idle


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("gigop", {}, "There is no algorithm 'gigop'. Did you mean 'gigpo'"),
        ("qqqq", {}, "There is no algorithm 'qqqq'. Known: reinforce, rloo, grpo"),
        ("gigpo", {"discont": 0.9}, "'gigpo' takes no argument 'discont'. Did you mean 'discount'"),
        ("grpo", {"discount": 0.9}, "'grpo' takes no argument 'discount'"),
        ("grpo", {"clip_high": "much"}, "clip_high = 'much': Input should be a valid number"),
        ("grpo", {"kl_coefficient": None}, "kl_coefficient = None: Input should be a valid number"),
        ("gigpo", {"statistics_over": "tokens"}, "statistics_over = 'tokens': Input should be 'trajectories', 'turns'"),
        ("grpo", {"aggregation": "tokenmean"}, "There is no aggregation 'tokenmean'. Did you mean 'token_mean'"),
        ("grpo", {"kl": 3}, "kl must be a name, 'module:function' or a function; got 3"),
        ("grpo", {"credit": "no_such_module:f"}, "credit = 'no_such_module:f' names nothing that can be imported"),
        ("grpo", {"credit": "agentrl.learning.credit:f"}, "names nothing that can be imported"),
    ],
)
def test_wrong_names_and_values_are_answered_with_what_is_right(name, arguments, message):
    with pytest.raises(ConfigError) as caught:
        algorithm(name, **arguments)
    assert message in str(caught.value)


@pytest.mark.parametrize("name", sorted(name for name, row in ALGORITHMS.items() if row.survey))
def test_a_row_with_a_survey_asks_for_what_the_survey_looks_at(name):
    row = ALGORITHMS[name]
    (surveyor,) = {key for key, survey in SURVEY.items() if survey is row.survey}
    assert row.needs_step_logprobs == (surveyor in NEEDS_STEP_LOGPROBS)
    assert row.needs_entropies == (surveyor in NEEDS_ENTROPIES)
