from dataclasses import replace

import pytest
import torch

from agentrl.learning.losses.value import value_loss


@pytest.fixture
def batch(tiny_batch):
    """Three sampled tokens whose values were 1, 1 and 1."""
    batch = tiny_batch([[[0.0, 0.0, 0.0]]])
    return replace(batch, value_T=batch.turn_to_token(torch.ones(3)))


def on_tokens(batch, *values):
    return torch.where(batch.action_T, batch.turn_to_token(torch.tensor(values)), 7.0).double()


def test_half_the_squared_distance(batch):
    value_T = on_tokens(batch, 1.2, 2.0, 0.0).requires_grad_()
    loss_T = value_loss(value_T, batch, target_T=on_tokens(batch, 1.0, 4.0, 1.0), clip=None)
    (gradient_T,) = torch.autograd.grad(loss_T.sum(), value_T)
    assert loss_T[batch.action_T].tolist() == pytest.approx([0.02, 2.0, 0.5])
    assert gradient_T[batch.action_T].tolist() == pytest.approx([0.2, -2.0, -1.0])
    assert not loss_T[~batch.action_T].any()
    assert not gradient_T[~batch.action_T].any()


def test_moving_further_than_the_clip_towards_the_target_gains_nothing(batch):
    value_T = on_tokens(batch, 1.2, 2.0, 0.0).requires_grad_()
    loss_T = value_loss(value_T, batch, target_T=on_tokens(batch, 4.0, 4.0, 1.0), clip=0.5)
    (gradient_T,) = torch.autograd.grad(loss_T.sum(), value_T)
    # Within the clip; beyond it towards the target, where the value counts as 1.5; beyond it and away from the target.
    assert loss_T[batch.action_T].tolist() == pytest.approx([2.8**2 / 2, 2.5**2 / 2, 0.5])
    assert gradient_T[batch.action_T].tolist() == pytest.approx([-2.8, 0.0, -1.0])


def test_a_clip_without_the_values_before_says_what_is_missing(batch):
    with pytest.raises(AssertionError, match="values before the update"):
        value_loss(batch.sampled_logprob_T, replace(batch, value_T=None), target_T=batch.sampled_logprob_T)
