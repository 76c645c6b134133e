from dataclasses import replace
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from agentrl.errors import ConfigError
from agentrl.learning.credit.information import belief, igpo, information_credit, information_gain
from agentrl.learning.segments import segment_count, segment_sum

SCALES = {"prob_diff": "probability", "log_prob_diff": "log"}
ANY = settings(deadline=None, max_examples=25)
TRAJECTORY = st.lists(st.sampled_from([-0.2, 0.0, 0.1, 0.7]), min_size=1, max_size=4)


def build(tiny_batch, groups):
    """Trajectories given as the gains of their turns but the last, whose outcome comes last."""
    batch = tiny_batch([[[0.0] * (len(t) - 1) + [t[-1]] for t in group] for group in groups])
    gain_U = torch.tensor([x for group in groups for t in group for x in (*t[:-1], 0.0)], dtype=torch.float64)
    return replace(batch, information_gain_U=gain_U)


def from_case(tiny_batch, trajectories):
    groups: dict[str, list] = {}
    for trajectory in trajectories:
        assert [turn["is_final"] for turn in trajectory["turns"]].index(True) == len(trajectory["turns"]) - 1
        groups.setdefault(trajectory["group_id"], []).append([turn["reward"] for turn in trajectory["turns"]])
    return build(tiny_batch, list(groups.values()))


def options(config):
    return {
        "discount": config["gamma"],
        "normalisation": config["norm_mode"],
        "std": config["norm_by_std"],
        "gain_weight": config["info_gain_weight"] / config["outcome_weight"],
        "epsilon": config["epsilon"],
    }


def test_the_official_advantages_are_matched(tiny_batch, vectors, agree):
    stored = vectors("igpo_advantages")
    assert len(stored["cases"]) == 17
    num_alone = num_clean = 0
    for case in stored["cases"]:
        batch = from_case(tiny_batch, case["input"]["trajectories"])
        num_clean += "expected_clean" in case
        turn_rows = case.get("expected_clean", case["expected"])["turn_advantage"]
        expected_U = torch.tensor([x for row in turn_rows for x in row])
        if batch.num_trajectories == 1:  # the official code compares the turns of a lone trajectory with each other
            num_alone += 1
            expected_U = torch.zeros_like(expected_U)
        agree(batch.token_to_turn(igpo(batch, **options(case["config"]))), expected_U, stored["tolerance"])
    assert (num_alone, num_clean) == (3, 3)


def test_igpo_by_hand(tiny_batch):
    batch = build(tiny_batch, [[[0.1, 0.3, 1.0], [0.2, 0.0]]])
    # gains 0.1, 0.3, 0.2 about 0.2; outcomes 1 and 0 about 0.5
    separate_U = batch.token_to_turn(igpo(batch, std=False, discount=0.5))
    assert separate_U.tolist() == pytest.approx([-0.1 + 0.05 + 0.125, 0.1 + 0.25, 0.5, -0.25, -0.5])
    joint_U = batch.token_to_turn(igpo(batch, std=False, normalisation="joint"))
    mean = 1.6 / 5
    assert joint_U.tolist() == pytest.approx([1.4 - 3 * mean, 1.3 - 2 * mean, 1 - mean, 0.2 - 2 * mean, -mean])


def test_over_trajectories_each_counts_once_however_many_turns_it_has(tiny_batch):
    groups = [[[0.4, 0.4, 0.4, 0.4, 0.0], [0.0, 0.0], [0.2, 0.0]]]
    batch = build(tiny_batch, groups)
    by_turn, by_trajectory = (
        batch.token_to_turn(igpo(batch, std=False, statistics_over=over)).tolist() for over in ("turns", "trajectories")
    )
    assert by_turn[-2] == pytest.approx(0.2 - 1.8 / 6)
    assert by_trajectory[-2] == pytest.approx(0.2 - 0.2)
    standard_U = batch.token_to_turn(igpo(batch, statistics_over="trajectories"))
    assert standard_U[-4].item() == pytest.approx(
        -0.2 / (0.08 / 3) ** 0.5, rel=1e-4
    )  # weighted variance of 0.4, 0, 0.2


def test_what_was_paid_before_the_last_turn_is_outcome_too(tiny_batch):
    early, late = tiny_batch([[[1.0, 0.0], [0.0]]]), tiny_batch([[[0.0, 1.0], [0.0]]])
    assert igpo(early).tolist() == igpo(late).tolist()
    assert igpo(early).abs().max() > 0.5


def test_gains_that_one_trajectory_alone_has_are_compared_with_nobody(tiny_batch):
    batch = build(tiny_batch, [[[0.1, 0.9, 1.0], [0.0]]])
    for over in ("turns", "trajectories"):
        parts = information_credit(
            batch, discount=1.0, normalisation="separate", std=True, gain_weight=1.0, statistics_over=over, epsilon=1e-6
        )
        assert not parts.gain_U.any()
        assert parts.outcome_U.tolist() == pytest.approx([1, 1, 1, -1], abs=1e-5)


@ANY
@given(groups=st.lists(st.lists(TRAJECTORY, min_size=1, max_size=4), min_size=1, max_size=3))
def test_normalised_gains_and_outcomes_sum_to_0_over_what_they_were_taken_over(tiny_batch, groups):
    batch = build(tiny_batch, groups)
    num_gains_B = segment_count(batch.trajectory_U, batch.num_trajectories) - 1
    share_U = 1 / num_gains_B.clamp(min=1)[batch.trajectory_U].double()
    for over, weight_U in (("turns", torch.ones_like(share_U)), ("trajectories", share_U)):
        parts = information_credit(
            batch, discount=0.0, normalisation="separate", std=True, gain_weight=1.0, statistics_over=over, epsilon=1e-6
        )
        for part_U in (weight_U * parts.gain_U, parts.outcome_U):
            sum_G = segment_sum(part_U, batch.group_U, batch.num_groups)
            torch.testing.assert_close(sum_G, torch.zeros_like(sum_G), rtol=0, atol=1e-9)


@ANY
@given(
    lengths=st.lists(st.integers(1, 4), min_size=2, max_size=4),
    gain=st.sampled_from([0.1, 1 / 3]),
    normalisation=st.sampled_from(["separate", "joint"]),
    over=st.sampled_from(["turns", "trajectories"]),
)
def test_equal_gains_and_equal_outcomes_give_exactly_0(tiny_batch, lengths, gain, normalisation, over):
    outcome = gain if normalisation == "joint" else 0.9
    batch = build(tiny_batch, [[[gain] * (n - 1) + [outcome] for n in lengths]])
    assert not igpo(batch, normalisation=normalisation, statistics_over=over, discount=0.9).any()


@pytest.mark.parametrize("credit", [igpo, partial(igpo, normalisation="joint")])
def test_a_batch_without_gains_is_told_so(tiny_batch, credit):
    with pytest.raises(ConfigError, match="needs information gains"):
        credit(replace(tiny_batch([[[1.0], [0.0]]]), information_gain_U=None))


def test_the_official_gains_are_matched(vectors, agree):
    stored = vectors("igpo_rewards")
    assert len(stored["cases"]) == 5
    num_gains = 0
    for case in stored["cases"]:
        trajectories = case["input"]["trajectories"]
        steps = [logprobs for t in trajectories for logprobs in t["answer_token_logprobs_per_step"]]
        trajectory_U = torch.tensor([b for b, t in enumerate(trajectories) for _ in t["active_steps"]])
        belief_U = belief(
            torch.tensor([x for logprobs in steps for x in logprobs]),
            torch.tensor([u for u, logprobs in enumerate(steps) for _ in logprobs]),
            len(steps),
            scale=SCALES[case["config"]["info_gain_type"]],
        )
        gain_U = information_gain(belief_U, trajectory_U)
        for b, (t, gains) in enumerate(zip(trajectories, case["expected"]["info_gain_per_turn"], strict=True)):
            own = gain_U[trajectory_U == b].tolist()
            assert own[-1] == 0
            assert len(own) == len(t["active_steps"])
            if gains:
                num_gains += len(gains)
                agree(own[:-1], gains, stored["tolerance"])
            else:  # none was to be measured, or the answer has no token
                assert own == [0.0] * len(own)
    assert num_gains == 14


def test_where_a_belief_is_missing_the_turns_beside_it_have_no_gain():
    belief_U = torch.tensor([0.1, torch.nan, 0.4, 0.5, 0.2, 0.9])
    gain_U = information_gain(belief_U, torch.tensor([0, 0, 0, 0, 1, 1]))
    assert gain_U.tolist() == pytest.approx([0, 0, 0.1, 0, 0.7, 0])
