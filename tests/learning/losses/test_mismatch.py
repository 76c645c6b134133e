from dataclasses import replace
from functools import partial

import pytest
import torch

from agentrl.errors import ConfigError
from agentrl.learning.losses import CORRECTION
from agentrl.learning.losses.mismatch import masked, rejected, truncated


def rows(tiny_batch, data):
    """The official rows; what was rolled out is 0, so that the trained model's log-probability is the log ratio."""
    turns = [[{"num_context": 1 - int(m), "num_actions": int(m)} for m in row] for row in data["response_mask"]]
    batch = tiny_batch([turns])
    old_T = torch.tensor(data["log_ratio_train_minus_rollout"], dtype=torch.float64).flatten()
    return replace(batch, sampled_logprob_T=torch.zeros_like(old_T), old_logprob_T=old_T)


def test_the_factors_are_the_official_ones(tiny_batch, vectors, agree):
    stored = vectors("kl_value_tis")
    cases = [case for case in stored["cases"] if case["name"].startswith("tis-")]
    assert len(cases) == 5
    for case in cases:
        config, batch = case["config"], rows(tiny_batch, case["input"])
        keywords = {"level": config["level"], "normalise": config["batch_normalize"]}
        if isinstance(config["threshold"], str):
            lower, upper = map(float, config["threshold"].split("_"))
            factor_T = masked(batch, lower=lower, upper=upper, **keywords)
        else:
            factor_T = truncated(batch, upper=config["threshold"], **keywords)
        expected_T = torch.tensor(case["expected"]["weights"]).flatten()
        assert not factor_T[~batch.action_T].any()
        agree(factor_T[batch.action_T], expected_T[batch.action_T], stored["tolerance"])


def test_what_is_rejected_is_what_the_official_code_rejects(tiny_batch, vectors, agree):
    stored = vectors("kl_value_tis")
    cases = [case for case in stored["cases"] if case["name"].startswith("rs-")]
    assert len(cases) == 4
    for case in cases:
        level, estimator = case["config"]["option"].rsplit("_", 1)
        *lower, upper = map(float, case["config"]["threshold"].split("_"))
        bounds = {"upper": upper} | ({"lower": lower[0]} if lower else {})
        batch = rows(tiny_batch, case["input"])
        factor_T = rejected(batch, estimator=estimator, level=level.replace("seq", "sequence"), **bounds)
        agree(factor_T, case["expected"]["mask"], stored["tolerance"])


@pytest.fixture
def batch(tiny_batch):
    """Ratios of 2 and 4 in one turn, 0.5 in the next; 0.1 in a sequence of its own."""
    turns = [{"num_actions": 2}, {"num_actions": 1}, {"num_actions": 1, "opens_sequence": True}]
    batch = tiny_batch([[turns]])
    old_T = batch.sampled_logprob_T.clone()
    old_T[batch.action_T] += torch.tensor([2.0, 4.0, 0.5, 0.1]).double().log()
    return replace(batch, old_logprob_T=old_T)


@pytest.mark.parametrize(
    ("correction", "expected"),
    [
        (partial(truncated, upper=3.0), [2.0, 3.0, 0.5, 0.1]),
        (partial(truncated, upper=9.0, level="turn"), [8.0, 8.0, 0.5, 0.1]),
        (partial(truncated, upper=3.0, level="sequence"), [3.0, 3.0, 3.0, 0.1]),
        (partial(truncated, upper=3.0, normalise=True), [2 / 1.4, 3 / 1.4, 0.5 / 1.4, 0.1 / 1.4]),
        (
            partial(truncated, upper=9.0, level="turn", normalise=True),
            [8 / 8.6 * 3] * 2 + [0.5 / 8.6 * 3, 0.1 / 8.6 * 3],
        ),
        (partial(masked, lower=0.4, upper=2.5), [2.0, 0.0, 0.5, 0.0]),
        (partial(masked, upper=5.0, level="sequence"), [4.0, 4.0, 4.0, 0.0]),
        (partial(masked, lower=6.0, upper=7.0, normalise=True), [0.0, 0.0, 0.0, 0.0]),
        (partial(rejected, lower=0.4, upper=2.5), [1.0, 0.0, 1.0, 0.0]),
        (partial(rejected, estimator="k2", upper=0.3), [1.0, 0.0, 1.0, 0.0]),
        (partial(rejected, level="sequence_mean", lower=0.6), [1.0, 1.0, 1.0, 0.0]),
    ],
)
def test_factors_by_hand(batch, correction, expected):
    factor_T = correction(batch)
    assert not factor_T[~batch.action_T].any()
    assert factor_T[batch.action_T].tolist() == pytest.approx(expected)


def test_where_the_two_agree_nothing_changes(batch):
    same = replace(batch, old_logprob_T=batch.sampled_logprob_T)
    for correction in CORRECTION.values():
        assert torch.equal(correction(same), batch.action_T.double())


def test_an_absurd_disagreement_stays_finite(batch):
    absurd = replace(batch, old_logprob_T=batch.sampled_logprob_T - 1e4)
    for correction in CORRECTION.values():
        assert correction(absurd).isfinite().all()


def test_without_the_trained_models_probabilities_the_annotator_is_named(batch):
    for correction in CORRECTION.values():
        with pytest.raises(ConfigError, match='"old_logprobs"'):
            correction(replace(batch, old_logprob_T=None))


def test_a_batch_in_which_nothing_was_sampled_has_no_factor(tiny_batch):
    batch = tiny_batch([[[{"num_actions": 0}]]])
    batch = replace(batch, old_logprob_T=batch.sampled_logprob_T)
    for correction in (*CORRECTION.values(), partial(truncated, level="sequence", normalise=True)):
        assert correction(batch).tolist() == [0.0]
