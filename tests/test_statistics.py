import math
import random
from itertools import combinations
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrl.statistics import (
    Estimate,
    clustered_mean,
    paired_difference,
    pass_all_k,
    pass_at_k,
    rate,
    student_quantile,
    wilson,
)


def bounds(estimate: Estimate) -> tuple[float, float]:
    assert estimate.low is not None
    assert estimate.high is not None
    return estimate.low, estimate.high


# Newcombe, Statistics in Medicine 17 (1998) 857-872, table I, method 3, to the four digits printed there.
@pytest.mark.parametrize(
    ("num_successes", "num_samples", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_gives_the_published_intervals(num_successes: int, num_samples: int, low: float, high: float) -> None:
    estimate = wilson(num_successes, num_samples)
    assert estimate.value == num_successes / num_samples
    assert bounds(estimate) == pytest.approx((low, high), abs=5e-5)


def test_wilson_of_one_half_can_be_computed_by_hand() -> None:
    half = 1.9599640 / 2 / math.sqrt(10 + 1.9599640**2)
    assert bounds(wilson(5, 10)) == pytest.approx((0.5 - half, 0.5 + half), abs=1e-7)


@given(st.integers(1, 400), st.data())
def test_wilson_is_symmetric_and_contains_the_share(num_samples: int, data: st.DataObject) -> None:
    num_successes = data.draw(st.integers(0, num_samples))
    low, high = bounds(wilson(num_successes, num_samples))
    mirrored_low, mirrored_high = bounds(wilson(num_samples - num_successes, num_samples))
    assert 0 <= low <= num_successes / num_samples <= high <= 1
    assert low < high
    assert (low, high) == pytest.approx((1 - mirrored_high, 1 - mirrored_low), abs=1e-12)


def test_wilson_covers_the_truth_as_often_as_it_says() -> None:
    # Exact coverage over the binomial distribution, averaged over shares as Brown, Cai and DasGupta do.
    num_samples, coverages = 30, []
    intervals = [bounds(wilson(count, num_samples)) for count in range(num_samples + 1)]
    for share in (step / 200 for step in range(10, 191)):
        weights = [
            math.comb(num_samples, c) * share**c * (1 - share) ** (num_samples - c) for c in range(num_samples + 1)
        ]
        coverages.append(sum(w for w, (low, high) in zip(weights, intervals, strict=True) if low <= share <= high))
    assert fmean(coverages) == pytest.approx(0.95, abs=0.01)
    assert min(coverages) > 0.9


@pytest.mark.parametrize(("num_successes", "num_samples"), [(-1, 3), (4, 3), (0, 0)])
def test_wilson_refuses_impossible_counts(num_successes: int, num_samples: int) -> None:
    with pytest.raises(ValueError, match="expected 0 <= successes <= samples"):
        wilson(num_successes, num_samples)


def test_rate_with_one_sample_a_task_is_wilson() -> None:
    assert rate([1.0, 0.0, 1.0, 1.0], 4) == wilson(3, 4)


def test_rate_counts_one_sample_a_task_when_the_samples_of_a_task_always_agree() -> None:
    assert bounds(rate([1.0, 0.0] * 20, 400)) == pytest.approx(bounds(wilson(20, 40)))


def test_rate_counts_all_samples_when_tasks_differ_no_more_than_chance() -> None:
    values = [0.5, 0.6, 0.4, 0.5]  # variance of the mean 0.00167, of 40 independent samples 0.25 / 40 = 0.00625
    assert bounds(rate(values, 40)) == pytest.approx(bounds(wilson(20, 40)))


def test_rate_counts_what_samples_are_worth_in_between() -> None:
    values = [1.0, 0.75, 0.5, 0.25, 0.0, 0.5]  # mean 1/2, variance 1/8, of the mean 1/48: worth 0.25 * 48 = 12 of 24
    assert bounds(rate(values, 24)) == pytest.approx(bounds(wilson(6, 12)))


def test_rate_keeps_a_width_when_every_task_is_solved() -> None:
    estimate = rate([1.0] * 50, 200)
    assert estimate.value == 1.0
    assert bounds(estimate) == pytest.approx(bounds(wilson(50, 50)))


def test_rate_over_tasks_covers_the_truth_where_independent_samples_would_not() -> None:
    rng, covered, naive = random.Random(0), 0, 0
    for _ in range(300):
        shares = [rng.betavariate(0.5, 0.5) for _ in range(40)]
        counts = [sum(rng.random() < share for _ in range(8)) for share in shares]
        low, high = bounds(rate([count / 8 for count in counts], 320))
        covered += low <= 0.5 <= high
        low, high = bounds(wilson(sum(counts), 320))
        naive += low <= 0.5 <= high
    assert covered >= 0.92 * 300
    assert naive <= 0.75 * 300


# Tables of Student's t, two-sided 95 % unless said otherwise.
@pytest.mark.parametrize(
    ("probability", "degrees", "quantile"),
    [
        (0.975, 1, 12.7062047),
        (0.975, 2, 4.3026527),
        (0.975, 3, 3.1824463),
        (0.975, 4, 2.7764451),
        (0.975, 10, 2.2281389),
        (0.95, 30, 1.6972609),
        (0.995, 5, 4.0321430),
        (0.975, 120, 1.9799304),
        (0.025, 10, -2.2281389),
        (0.5, 7, 0.0),
    ],
)
def test_student_quantiles_are_those_of_the_tables(probability: float, degrees: int, quantile: float) -> None:
    assert student_quantile(probability, degrees) == pytest.approx(quantile, abs=5e-7)


def test_student_quantiles_tend_to_the_normal() -> None:
    assert student_quantile(0.975, 5000) == pytest.approx(1.959964 + (1.959964**3 + 1.959964) / 20000, abs=1e-6)


def test_clustered_mean_can_be_computed_by_hand() -> None:
    # Mean 3, variance 2.5, standard error sqrt(0.5), t of 4 degrees 2.7764451.
    estimate = clustered_mean([1.0, 2.0, 3.0, 4.0, 5.0])
    assert estimate.value == 3.0
    assert bounds(estimate) == pytest.approx((3 - 2.7764451 * math.sqrt(0.5), 3 + 2.7764451 * math.sqrt(0.5)), abs=1e-6)


def test_clustered_mean_of_one_task_has_no_interval() -> None:
    assert clustered_mean([0.25]) == Estimate(0.25, None, None)
    assert f"{clustered_mean([0.25])}" == "0.250 [?, ?]"


def test_nothing_has_no_mean() -> None:
    with pytest.raises(ValueError, match="no tasks"):
        clustered_mean([])
    with pytest.raises(ValueError, match="no tasks"):
        rate([], 0)


@given(st.integers(1, 8), st.data())
def test_pass_at_k_and_pass_all_k_are_means_over_all_subsets(num_samples: int, data: st.DataObject) -> None:
    num_successes, k = data.draw(st.integers(0, num_samples)), data.draw(st.integers(1, num_samples))
    samples = [True] * num_successes + [False] * (num_samples - num_successes)
    subsets = list(combinations(samples, k))
    assert pass_at_k(num_samples, num_successes, k) == pytest.approx(fmean(any(s) for s in subsets), abs=1e-12)
    assert pass_all_k(num_samples, num_successes, k) == pytest.approx(fmean(all(s) for s in subsets), abs=1e-12)


def test_pass_at_k_can_be_computed_by_hand() -> None:
    assert pass_at_k(10, 3, 5) == pytest.approx(1 - 21 / 252)
    assert pass_all_k(10, 3, 2) == pytest.approx(3 / 45)
    assert pass_at_k(10, 3, 1) == pass_all_k(10, 3, 1) == pytest.approx(0.3)
    assert pass_at_k(4, 0, 4) == 0.0
    assert pass_at_k(4, 1, 4) == 1.0


def test_pass_at_k_needs_k_samples() -> None:
    with pytest.raises(ValueError, match="k = 5"):
        pass_at_k(4, 2, 5)


def test_paired_difference_gives_the_published_wald_interval_of_a_large_survey() -> None:
    # Agresti, Categorical Data Analysis, table 10.1: 794 / 150 / 86 / 570, difference 0.04, Wald (0.021, 0.059).
    first = [True] * 944 + [False] * 656
    second = [True] * 794 + [False] * 150 + [True] * 86 + [False] * 570
    paired = paired_difference(first, second)
    assert (paired.num_first_only, paired.num_second_only, paired.num_tasks) == (150, 86, 1600)
    assert paired.difference.value == pytest.approx(0.04)
    assert bounds(paired.difference) == pytest.approx((0.021, 0.059), abs=5e-4)
    assert paired.p_value == pytest.approx(3.7e-5, rel=0.02)


def test_mcnemar_is_the_exact_sign_test_on_the_tasks_that_only_one_solved() -> None:
    # 8 against 1: 2 * (C(9,0) + C(9,1)) / 2^9 = 20 / 512.
    paired = paired_difference([True] * 8 + [False] + [True] * 5, [False] * 8 + [True] + [True] * 5)
    assert paired.p_value == pytest.approx(20 / 512)
    # (8 - 1) / 16 +- 1.9599640 * sqrt(10 - 49 / 16) / 16
    half = 1.9599640 * math.sqrt(10 - 49 / 16) / 16
    assert bounds(paired.difference) == pytest.approx((7 / 16 - half, 7 / 16 + half), abs=1e-7)


def test_agents_that_agree_everywhere_do_not_differ() -> None:
    paired = paired_difference([True, False, True], [True, False, True])
    assert paired.p_value == 1.0
    low, high = bounds(paired.difference)
    assert low == pytest.approx(-high)
    assert high > 0


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_swapping_the_agents_flips_the_difference(pairs: list[tuple[bool, bool]]) -> None:
    first, second = [one for one, _ in pairs], [other for _, other in pairs]
    there, back = paired_difference(first, second), paired_difference(second, first)
    assert there.p_value == back.p_value
    assert 0 < there.p_value <= 1
    assert there.difference.value == -back.difference.value
    low, high = bounds(there.difference)
    assert (low, high) == pytest.approx((-bounds(back.difference)[1], -bounds(back.difference)[0]), abs=1e-12)
    assert -1 <= low < high <= 1


def test_results_of_different_panels_cannot_be_paired() -> None:
    with pytest.raises(ValueError, match="got 2 and 1"):
        paired_difference([True, False], [True])
