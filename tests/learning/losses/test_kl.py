from dataclasses import replace

import pytest
import torch

from agentrl.errors import ConfigError
from agentrl.learning.losses import KL
from agentrl.learning.losses.kl import penalized_reward


def test_the_official_estimators_and_their_gradients_are_matched(vectors, agree):
    stored = vectors("kl_value_tis")
    cases = [case for case in stored["cases"] if case["name"].startswith("kl-")]
    assert {case["config"]["estimator"] for case in cases} == set(KL) - {"k2"}
    for case in cases:
        logprob = torch.tensor(case["input"]["log_prob"], dtype=torch.float64, requires_grad=True)
        reference = torch.tensor(case["input"]["ref_log_prob"], dtype=torch.float64)
        value = KL[case["config"]["estimator"]](logprob, reference)
        value.sum().backward()
        agree(value.detach(), case["expected"]["kl"], stored["tolerance"])
        agree(logprob.grad, case["expected"]["grad_log_prob"], stored["tolerance"])


def expectation(estimator, parts):
    """An estimator's expected value, or expected gradient, over all tokens of a small vocabulary."""
    logit_V = torch.tensor([0.3, -1.0, 0.8], dtype=torch.float64, requires_grad=True)
    reference_V = torch.tensor([0.0, 0.5, -0.5], dtype=torch.float64).log_softmax(0)
    logprob_V = logit_V.log_softmax(0)
    (logprob_V.detach().exp() * estimator(logprob_V, reference_V)).sum().backward(inputs=[logit_V])
    value = (logprob_V.exp() * estimator(logprob_V, reference_V)).sum().item()
    return value if parts == "value" else logit_V.grad


def true_gradient(reverse=False):
    logit_V = torch.tensor([0.3, -1.0, 0.8], dtype=torch.float64, requires_grad=True)
    logprob_V = logit_V.log_softmax(0)
    reference_V = torch.tensor([0.0, 0.5, -0.5], dtype=torch.float64).log_softmax(0)
    forward = (logprob_V.exp() * (logprob_V - reference_V)).sum()
    backward = (reference_V.exp() * (reference_V - logprob_V)).sum()
    divergence = backward if reverse else forward
    divergence.backward()
    return divergence.item(), logit_V.grad


def test_k1_and_k3_estimate_the_divergence_without_bias():
    divergence, _ = true_gradient()
    for name in ("k1", "k1+", "k3", "k3+"):
        assert expectation(KL[name], "value") == pytest.approx(divergence, rel=1e-12)


@pytest.mark.parametrize("name", ["k2", "k1+", "k3+"])
def test_k2_and_the_plus_forms_have_the_gradient_of_the_divergence(name):
    torch.testing.assert_close(expectation(KL[name], "gradient"), true_gradient()[1])


def test_k1_has_no_gradient_and_k3_that_of_the_divergence_the_other_way_round():
    torch.testing.assert_close(expectation(KL["k1"], "gradient"), torch.zeros(3, dtype=torch.float64))
    torch.testing.assert_close(expectation(KL["k3"], "gradient"), true_gradient(reverse=True)[1])


def test_k3_is_bounded_and_flat_beyond():
    logprob = torch.tensor([-30.0], requires_grad=True)
    value = KL["k3"](logprob, torch.tensor([0.0]))
    value.backward()
    assert value.item() == 10
    assert logprob.grad is not None
    assert logprob.grad.item() == 0


def test_a_turns_divergence_is_taken_off_its_reward(tiny_batch):
    batch = tiny_batch(
        [[[{"reward": 1.0, "num_actions": 2, "num_context": 2}, {"reward": -0.5}], [{"num_actions": 0}]]]
    )
    reference_T = batch.sampled_logprob_T.clone()
    reference_T[batch.action_T] -= torch.tensor([0.5, 0.25, -1.0]).double()
    reference_T[~batch.action_T] = 9.0  # off-action it must not matter
    batch = replace(batch, reference_logprob_T=reference_T)
    assert penalized_reward(batch, KL["k1"], 0.1).tolist() == pytest.approx([1 - 0.075, -0.5 + 0.1, 0.0])
    assert penalized_reward(batch, KL["k2"], 2.0).tolist() == pytest.approx([1 - 0.25 - 0.0625, -0.5 - 1, 0.0])
    assert penalized_reward(batch, KL["k1"], 0.1).dtype == torch.float64
    old = replace(batch, old_logprob_T=batch.sampled_logprob_T + 1.0)
    assert penalized_reward(old, KL["k1"], 0.1).tolist() == pytest.approx([1 - 0.275, -0.5 - 0.0, 0.0])
    with pytest.raises(ConfigError, match="no reference log-probabilities"):
        penalized_reward(replace(batch, reference_logprob_T=None), KL["k1"], 0.1)


@pytest.mark.parametrize(("name", "is_right"), [("k1", True), ("k1+", True), ("k2", False), ("k3", False)])
def test_as_a_reward_it_is_k1_whose_policy_gradient_is_right(name, is_right):
    logit_V = torch.tensor([0.3, -1.0, 0.8], dtype=torch.float64, requires_grad=True)
    reference_V = torch.tensor([0.0, 0.5, -0.5], dtype=torch.float64).log_softmax(0)
    logprob_V = logit_V.log_softmax(0)
    penalty_V = KL[name](logprob_V, reference_V).detach()
    (logprob_V.detach().exp() * penalty_V * logprob_V).sum().backward()
    assert torch.allclose(logit_V.grad, true_gradient()[1]) is is_right
