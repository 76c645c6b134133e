"""What a surrogate knows of the whole batch of an optimizer step, and what micro-batches may therefore not change."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from agentrl.errors import ConfigError
from agentrl.learning.algorithms import Algorithm, algorithm
from agentrl.learning.batch import Batch, drop_idle, split
from agentrl.learning.losses import SURROGATE, SURVEY
from agentrl.learning.losses.bounds import balanced_bounds, bounded_clip
from agentrl.learning.losses.ratio import ppo_clip
from agentrl.learning.losses.selection import high_entropy, kl_cov
from agentrl.learning.optimizer import Optimizer
from agentrl.learning.policy import Policy
from agentrl.learning.tiny import create_tiny
from agentrl.learning.trainer import Trainer

TURN = st.fixed_dictionaries(
    {
        "reward": st.sampled_from([-0.5, 0.0, 0.0, 0.3, 1.0]),
        "num_context": st.integers(1, 3),
        "num_actions": st.integers(0, 4),
        "opens_sequence": st.sampled_from([False, False, True]),
    }
)
GROUPS = st.lists(
    st.lists(st.lists(TURN, min_size=1, max_size=4), min_size=1, max_size=3).map(tuple), min_size=1, max_size=3
)
ANY = settings(deadline=None, max_examples=6)  # of each surrogate

# Numbers under which a survey finds something in a few tokens.
EAGER = {
    "bapo": {"target": 3.0},
    "clip_cov": {"share": 0.3, "covariance_low": 0.01, "clip_high": 1.0},
    "high_entropy": {"share": 0.4},
    "kl_cov": {"share": 0.3},
}


CHOICES = {name: {"surrogate": name, **EAGER.get(name, {})} for name in SURROGATE} | {
    f"{name} over turns": {"surrogate": name, "over": "turn"} for name in ("gspo", "gmpo")
}


def chosen(name: str) -> Algorithm:
    return algorithm("grpo", aggregation="token_mean", **CHOICES[name])


def measured(tiny_batch, groups, seed: int) -> tuple[Batch, torch.Tensor]:
    """A batch whose rewards are its advantages and whose tokens are their own numbers; log-probabilities of now."""
    batch, generator = tiny_batch(groups), torch.Generator().manual_seed(seed)
    noise_T, entropy_T = torch.randn(2, batch.num_tokens, generator=generator, dtype=torch.float64).unbind()
    now_T = torch.where(batch.action_T, batch.sampled_logprob_T + 0.4 * noise_T, 0)
    batch = replace(
        batch,
        token_T=torch.arange(batch.num_tokens),
        advantage_T=batch.turn_to_token(batch.reward_U),
        step_logprob_T=now_T,
        entropy_T=torch.where(batch.action_T, entropy_T.abs(), 0),
    )
    return batch, now_T


def step_gradient(row: Algorithm, parts: list[Batch], now_T: torch.Tensor) -> torch.Tensor:
    """The gradient by the log-probabilities of all tokens; those of a part are found by its tokens' numbers."""
    leaf_T = now_T.clone().requires_grad_()
    loss = sum(row.loss(leaf_T[part.token_T], part)[0] for part in parts if part.num_tokens)
    return torch.autograd.grad(loss, leaf_T)[0] if isinstance(loss, torch.Tensor) else torch.zeros_like(now_T)


def surveyed(row: Algorithm, batch: Batch) -> Batch:
    batch = replace(batch, weight_T=row.aggregation(batch))
    return batch if row.survey is None else row.survey(batch)


@pytest.mark.parametrize("name", sorted(CHOICES))
@ANY
@given(groups=GROUPS, max_tokens=st.integers(1, 30), seed=st.integers(0, 99))
def test_no_split_changes_the_gradient_of_any_surrogate(tiny_batch, name, groups, max_tokens, seed):
    row = chosen(name)
    batch, now_T = measured(tiny_batch, groups, seed)
    batch = surveyed(row, batch)
    whole_T = step_gradient(row, [batch], now_T)
    torch.testing.assert_close(step_gradient(row, split(batch, max_tokens), now_T), whole_T, rtol=0, atol=1e-12)
    torch.testing.assert_close(step_gradient(row, [drop_idle(batch)], now_T), whole_T, rtol=0, atol=1e-12)


# Three sequences in two trajectories, unlike each other in advantage and length.
EXAMPLE = [
    [
        [{"reward": 1.0, "num_actions": 4}, {"reward": -0.5, "num_actions": 3, "opens_sequence": True}],
        [{"reward": 0.3, "num_actions": 5}],
    ]
]


@pytest.mark.parametrize("name", sorted(CHOICES))
def test_each_of_them_has_a_gradient_on_sampled_tokens_alone(tiny_batch, name):
    row = chosen(name)
    batch, now_T = measured(tiny_batch, EXAMPLE, 0)
    gradient_T = step_gradient(row, [surveyed(row, batch)], now_T)
    assert gradient_T[batch.action_T].any()
    assert not gradient_T[~batch.action_T].any()


@pytest.mark.parametrize("name", sorted(SURVEY))
def test_a_survey_of_each_part_by_itself_would_not_do(tiny_batch, name):
    row, differs = chosen(name), False
    for seed in range(20):
        batch, now_T = measured(tiny_batch, EXAMPLE, seed)
        batch = surveyed(replace(row, survey=None), batch)
        assert row.survey is not None
        whole_T = step_gradient(row, [row.survey(batch)], now_T)
        apart_T = step_gradient(row, [row.survey(part) for part in split(batch, 1)], now_T)
        differs |= not torch.allclose(whole_T, apart_T)
    assert differs


def test_a_surrogate_brings_its_survey_along():
    row = algorithm("grpo", surrogate="bapo", target=0.5, clip_dual=4.0)
    assert isinstance(row.survey, partial)
    assert (row.survey.func, row.survey.keywords) == (balanced_bounds, {"target": 0.5})
    assert isinstance(row.surrogate, partial)
    assert (row.surrogate.func, row.surrogate.keywords) == (bounded_clip, {"clip_dual": 4.0})
    assert (row.needs_step_logprobs, row.needs_entropies) == (True, False)
    row = algorithm("grpo", surrogate="high_entropy")
    assert (row.survey, row.needs_step_logprobs, row.needs_entropies) == (high_entropy, False, True)
    row = algorithm("grpo", surrogate="ppo_clip")
    assert (row.survey, row.needs_step_logprobs, row.needs_entropies) == (None, False, False)


def test_a_survey_can_be_chosen_by_itself():
    row = algorithm("grpo", surrogate=ppo_clip, survey="kl_cov")
    assert row.survey is SURVEY["kl_cov"]
    assert row.needs_step_logprobs
    own = "agentrl.learning.losses.bounds:balanced_bounds"
    row = algorithm("grpo", surrogate="bapo", survey=own, needs_step_logprobs=True)
    assert row.survey is balanced_bounds
    assert row.needs_step_logprobs
    assert algorithm("grpo", surrogate=kl_cov).survey is None
    with pytest.raises(ConfigError, match=r"There is no survey 'bap'\. Did you mean 'bapo'"):
        algorithm("grpo", survey="bap")


@pytest.fixture(scope="module")
def model_path(tmp_path_factory):
    return create_tiny(tmp_path_factory.mktemp("model"), [], ["text"], size="0.1m", vocabulary=259)


def moved(model_path, row, batch, **options):
    """How far the parameters of a fresh policy move in one step of gradient descent, and its metrics."""
    policy = Policy.load(model_path, dtype="float64")
    parameters = [value for _, value in policy.parameters()]
    before = torch.cat([value.detach().flatten() for value in parameters])
    trainer = Trainer(policy, Optimizer([torch.optim.SGD(parameters, lr=1.0)]), row, max_norm=1e9, **options)
    metrics = trainer.step(batch)
    return torch.cat([value.detach().flatten() for value in parameters]) - before, metrics


@pytest.mark.parametrize(
    ("name", "measures"),
    [
        ("bapo", {"learn/bound_low", "learn/bound_high"}),
        ("kl_cov", {"learn/penalized_fraction"}),
        ("high_entropy", {"learn/kept_fraction"}),
        ("ppo_clip", set()),
    ],
)
def test_the_trainer_surveys_the_batch_before_it_splits_it(model_path, tiny_batch, name, measures):
    row, columns = chosen(name), {"learn/bound_low", "learn/bound_high", "learn/kept_fraction"}
    batch, _ = measured(tiny_batch, EXAMPLE, 0)
    batch = replace(batch, token_T=batch.token_T % 200, step_logprob_T=None, weight_T=row.aggregation(batch))
    whole, metrics = moved(model_path, row, batch, max_tokens=1000)
    apart, _ = moved(model_path, row, batch, max_tokens=1)
    assert float(whole.norm()) > 0
    torch.testing.assert_close(apart, whole, rtol=0, atol=1e-10)
    assert set(metrics) & (columns | {"learn/penalized_fraction"}) == measures


def test_step_log_probabilities_are_those_of_the_policy_before_the_step(model_path, tiny_batch):
    seen = []

    def look(batch: Batch) -> Batch:
        seen.append(batch.step_logprob_T)
        return batch

    batch, _ = measured(tiny_batch, EXAMPLE, 0)
    batch = replace(batch, step_logprob_T=None, weight_T=batch.action_T.double())
    for row in (
        algorithm("grpo", survey=look, needs_step_logprobs=True),
        algorithm("grpo", survey=look),
    ):
        moved(model_path, row, batch, temperature=0.7, max_tokens=7)
    assert seen[1] is None
    expected_T = Policy.load(model_path, dtype="float64").logprobs(batch, temperature=0.7).logprob_T
    torch.testing.assert_close(seen[0], expected_T.detach(), rtol=0, atol=1e-10)
    assert not seen[0].requires_grad
