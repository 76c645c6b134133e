from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from agentrl.errors import ConfigError
from agentrl.learning.batch import pack
from agentrl.learning.credit.comparison import statistics
from agentrl.learning.credit.history import cumulative, dcpo, spo
from agentrl.learning.credit.outcome import grpo
from agentrl.learning.credit.returns import trajectory_return

RETURN = st.sampled_from([0.0, 0.5, 1.0, 1.1])
GROUPS = st.lists(st.lists(RETURN, min_size=1, max_size=5), min_size=1, max_size=3)
ANY = settings(deadline=None, max_examples=25)


@pytest.fixture(scope="session")
def with_past(tiny_groups):
    """Groups of trajectories of one turn with these returns, and what is known of each group's task."""

    def build(groups, priors):
        built = tiny_groups([[[reward] for reward in group] for group in groups])
        return pack([replace(group, prior=prior) for group, prior in zip(built, priors, strict=True)])

    return build


def test_the_retyped_spo_advantages_are_matched(with_past, vectors, agree):
    stored = vectors("variants_retyped")
    (case,) = [case for case in stored["cases"] if case["name"] == "spo-advantage"]
    data = case["input"]
    values = [a / (a + b) for a, b in zip(data["alpha"], data["beta"], strict=True)]
    batch = with_past([[reward] for reward in data["rewards"]], [{"value": value} for value in values])
    agree(batch.token_to_turn(spo(batch)), case["expected"]["advantages"], stored["tolerance"])


@ANY
@given(groups=GROUPS, value=st.sampled_from([0.0, 0.3, 1.1]))
def test_spo_sums_to_0_over_the_batch_and_knows_no_groups(with_past, groups, value):
    apart = [[reward] for group in groups for reward in group]
    batches = [with_past(g, [{"value": value}] * len(g)) for g in (groups, apart)]
    advantage_U, apart_U = (batch.token_to_turn(spo(batch)) for batch in batches)
    assert abs(float(advantage_U.sum())) < 1e-5
    torch.testing.assert_close(advantage_U, apart_U, rtol=0, atol=1e-6)
    assert bool(advantage_U.any()) == (len({x for (x,) in apart}) > 1)


def test_what_the_past_promised_is_no_surprise(with_past):
    batch = with_past([[1.0], [0.0], [1.1]], [{"value": 1.0}, {"value": 0.0}, {"value": 1.1 + 1e-12}])
    assert spo(batch).tolist() == [0] * batch.num_tokens
    batch = with_past([[1.0], [1.0]], [{"value": 0.25}, {"value": 0.75}])
    assert batch.token_to_turn(spo(batch)).tolist() == pytest.approx([2**-0.5, -(2**-0.5)])


def test_the_official_smooth_advantages_are_matched(with_past, vectors, agree):
    stored = vectors("dcpo_clip")
    cases = [case for case in stored["cases"] if case["name"].startswith("sas-")]
    assert len(cases) == 3
    for case in cases:
        data = case["input"]
        past = {"mean": data["old_mean"], "std": data["old_std"], "count": data["times_seen_before"]}
        batch = with_past([data["rewards"]], [past])
        agree(batch.token_to_turn(dcpo(batch)), case["expected"]["advantages"], stored["tolerance"])
        mean_B, std_B = cumulative(batch, statistics(trajectory_return(batch), batch.group_B, 1))
        agree(mean_B, [case["expected"]["new_cum_mean"]] * len(data["rewards"]), stored["tolerance"])
        agree(std_B, [case["expected"]["new_cum_std"]] * len(data["rewards"]), stored["tolerance"])


@ANY
@given(groups=GROUPS)
def test_without_a_past_smooth_advantages_are_those_of_grpo(with_past, groups):
    batch = with_past(groups, [{"mean": 0.0, "std": 0.0, "count": 0.0}] * len(groups))
    torch.testing.assert_close(dcpo(batch), grpo(batch, epsilon=0.0), rtol=0, atol=1e-6)


@ANY
@given(groups=GROUPS, mean=RETURN, std=st.sampled_from([0.0, 0.4]), count=st.integers(1, 5))
def test_a_smooth_advantage_is_never_larger_than_by_the_group_and_by_the_past(with_past, groups, mean, std, count):
    batch = with_past(groups, [{"mean": mean, "std": std, "count": float(count)}] * len(groups))
    group = statistics(trajectory_return(batch), batch.group_B, batch.num_groups)
    by_group_U = batch.token_to_turn(grpo(batch, epsilon=0.0)).abs()
    mean_B, std_B = cumulative(batch, group)
    by_past_U = ((trajectory_return(batch) - mean_B) / std_B.clamp(min=1e-8)).abs()
    advantage_U = batch.token_to_turn(dcpo(batch)).abs()
    assert (advantage_U <= torch.maximum(by_group_U, by_past_U) + 1e-6).all()
    alone_G = torch.tensor([len(g) == 1 for g in groups])
    assert not advantage_U[alone_G[batch.group_U]].any()


def test_a_group_without_spread_is_compared_with_the_past(with_past):
    past = {"mean": 0.5, "std": 0.5, "count": 3.0}
    batch = with_past([[1.0, 1.0], [0.0, 0.0], [1.0]], [past] * 3)
    up, _, down, _, alone = batch.token_to_turn(dcpo(batch)).tolist()
    assert up == pytest.approx(-down)
    assert 0 < up < 0.5
    assert alone == 0


@pytest.mark.parametrize(("credit", "name"), [(spo, "value"), (dcpo, "count")])
def test_a_curriculum_without_memory_is_told_so(tiny_batch, credit, name):
    with pytest.raises(ConfigError, match=f"The {name} of the returns in each task's past is needed"):
        credit(tiny_batch([[[0.0], [1.0]]]))
