"""What the loop does to a batch before it is learnt from: rewards, credit, weights."""

from dataclasses import replace

import pytest
import torch

from agentrl.errors import ConfigError
from agentrl.learning.algorithms import algorithm
from agentrl.learning.batch import pack
from agentrl.messages import Message
from agentrl.train import prepare, weigh
from agentrl.trajectory import Group, Outcome, Task, Trajectory, Turn


@pytest.fixture
def batch():
    """Two siblings of one turn of two tokens each, with rewards 1 and 0, and a reference that likes the second more."""
    trajectories = tuple(
        Trajectory(
            id=str(number),
            task=Task("task"),
            prompt=(),
            turns=(
                Turn(
                    message=Message("assistant", "..."),
                    context_ids=(1,),
                    action_ids=(2, 3),
                    logprobs=(-1.0, -2.0),
                    reward=reward,
                ),
            ),
            outcome=Outcome.FINISHED,
        )
        for number, reward in enumerate((1.0, 0.0))
    )
    batch = pack([Group(id="group", task=Task("task"), trajectories=trajectories)])
    change_B = torch.tensor([-0.5, 0.25])
    return replace(batch, reference_logprob_T=batch.sampled_logprob_T + batch.turn_to_token(change_B))


def test_a_kl_term_in_the_reward_is_taken_off_before_credit_and_is_not_in_the_loss(batch):
    row = algorithm("dr_grpo", kl_in_reward=True, kl="k1", kl_coefficient=0.2)
    prepared = prepare(batch, row)
    assert prepared.reward_U.tolist() == pytest.approx([1 - 0.2, 0 + 0.1])
    assert prepared.token_to_turn(prepared.advantage_T).tolist() == pytest.approx([0.35, -0.35])
    assert not row.needs_idle
    logprob_T = batch.sampled_logprob_T.clone().requires_grad_()
    _, sums = row.loss(logprob_T, weigh(prepared, row))
    assert sums.kl is None
    plain = prepare(batch, algorithm("dr_grpo", kl_in_reward=True))
    assert plain.token_to_turn(plain.advantage_T).tolist() == pytest.approx([0.5, -0.5])


def test_beside_the_surrogate_it_leaves_the_rewards_alone(batch):
    row = algorithm("dr_grpo", kl="k1", kl_coefficient=0.2)
    prepared = prepare(batch, row)
    assert prepared.reward_U.tolist() == [1.0, 0.0]
    assert row.needs_idle
    _, sums = row.loss(batch.sampled_logprob_T, weigh(prepared, row))
    assert float(sums.kl) == pytest.approx(2 * 0.5 - 2 * 0.25)


def test_without_a_reference_the_reward_has_no_kl_term(batch):
    with pytest.raises(ConfigError, match="kl_in_reward is set"):
        prepare(replace(batch, reference_logprob_T=None), algorithm("grpo", kl_in_reward=True, kl_coefficient=0.1))


def test_a_correction_multiplies_the_weights(batch):
    batch = replace(batch, old_logprob_T=batch.sampled_logprob_T + batch.turn_to_token(torch.tensor([1.0, -1.0])))
    plain_T = weigh(batch, algorithm("grpo", aggregation="token_mean")).weight_T
    assert plain_T[batch.action_T].tolist() == pytest.approx([0.25] * 4)
    row = algorithm("grpo", aggregation="token_mean", correction="tis", upper=1.5)
    corrected_T = weigh(batch, row).weight_T
    shrunk = 0.25 * 0.36787944117144233
    assert corrected_T[batch.action_T].tolist() == pytest.approx([0.375, 0.375, shrunk, shrunk])
    assert not corrected_T[~batch.action_T].any()


def test_a_correction_without_the_trainers_probabilities_names_the_annotator(batch):
    with pytest.raises(ConfigError, match='"old_logprobs"'):
        weigh(batch, algorithm("grpo", correction="icepop"))
