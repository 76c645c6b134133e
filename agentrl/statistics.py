"""Statistics that evaluations report: rates, means, pass@k and paired comparisons, each with its interval. Pure.

Tasks are what a panel samples; the samples of one task resemble each other. So every interval here is over tasks,
and an interval over all samples, as if they were independent, is never given where there are several per task.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean, variance

LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number and its confidence interval; the bounds are None where one task cannot say anything about others."""

    value: float
    low: float | None
    high: float | None

    def __format__(self, spec: str) -> str:
        spec = spec or ".3f"
        if self.low is None or self.high is None:
            return f"{self.value:{spec}} [?, ?]"
        return f"{self.value:{spec}} [{self.low:{spec}}, {self.high:{spec}}]"


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedDifference:
    """Two agents on the same tasks, one sample each."""

    difference: Estimate  # success rate of the first minus that of the second
    p_value: float  # exact, two-sided, of the hypothesis that both succeed equally often
    num_tasks: int
    num_first_only: int  # tasks that only the first solved
    num_second_only: int


def wilson(num_successes: float, num_samples: float, *, level: float = LEVEL) -> Estimate:
    """The share of successes with Wilson's score interval, which holds its level for few samples and extreme shares.

    Args:
        num_successes: May be fractional where the samples are worth fewer independent ones.
        num_samples: More than 0.
        level: Of confidence.

    Source: E. B. Wilson, JASA 22 (1927) 209-212; recommended by Brown, Cai, DasGupta, Statistical Science 16 (2001).
    """
    if not 0 <= num_successes <= num_samples or num_samples <= 0:
        raise ValueError(f"expected 0 <= successes <= samples and a sample; got {num_successes} of {num_samples}")
    z = _normal_quantile(level)
    share = num_successes / num_samples
    shrink = 1 + z * z / num_samples
    middle = (share + z * z / (2 * num_samples)) / shrink
    half = z / shrink * math.sqrt(share * (1 - share) / num_samples + z * z / (4 * num_samples**2))
    low = 0.0 if num_successes == 0 else middle - half
    high = 1.0 if num_successes == num_samples else middle + half
    return Estimate(share, low, high)


def rate(task_values: Sequence[float], num_samples: int, *, level: float = LEVEL) -> Estimate:
    """The mean over tasks of values in [0, 1], with Wilson's interval on as many samples as they are worth.

    With one sample a task this is Wilson's interval. With several, the samples count for between one a task (they
    always agree) and their full number (they agree no more than those of different tasks), by the variance between
    the tasks. Unlike an interval from that variance alone, it keeps a width when all tasks agree.

    Args:
        task_values: One a task: its share of successes, or an unbiased estimate such as its pass@k.
        num_samples: All that were drawn, over all tasks.
        level: Of confidence.

    Source: effective sample size n / deff, E. L. Korn and B. I. Graubard, Survey Methodology 24 (1998) 193-201, put
        into Wilson's interval as compared by N. Dean and M. Pagano, J. Surv. Stat. Methodol. 3 (2015) 484-503.
    """
    num_tasks = len(task_values)
    if not num_tasks:
        raise ValueError("the rate of no tasks is undefined")
    # Rounding may leave a mean of ones just above 1.
    mean = min(1.0, max(0.0, fmean(task_values)))
    num_effective = float(num_tasks)
    if num_tasks > 1 and num_samples > num_tasks:
        spread = variance(task_values) / num_tasks
        if spread > 0:
            num_effective = min(float(num_samples), max(float(num_tasks), mean * (1 - mean) / spread))
    interval = wilson(mean * num_effective, num_effective, level=level)
    return Estimate(mean, interval.low, interval.high)


def clustered_mean(task_means: Sequence[float], *, level: float = LEVEL) -> Estimate:
    """The mean over tasks with Student's t interval on the tasks' own means.

    Taking each task's mean first makes the observations independent whatever the samples of a task have in common,
    and t, unlike the normal or the percentile bootstrap, is not too narrow for a dozen tasks. One task gives no
    interval. Where all tasks agree the width is 0: for rates use `rate`.

    Args:
        task_means: One a task, over its samples.
        level: Of confidence.
    """
    if not task_means:
        raise ValueError("the mean of no tasks is undefined")
    mean = fmean(task_means)
    if len(task_means) == 1:
        return Estimate(mean, None, None)
    half = student_quantile((1 + level) / 2, len(task_means) - 1) * math.sqrt(variance(task_means) / len(task_means))
    return Estimate(mean, mean - half, mean + half)


def pass_at_k(num_samples: int, num_successes: int, k: int) -> float:
    """The unbiased estimate of the chance that at least one of `k` samples succeeds.

    Source: arXiv 2107.03374, section 2.1: 1 - C(n - c, k) / C(n, k).
    """
    _check_counts(num_samples, num_successes, k)
    total = math.comb(num_samples, k)
    return (total - math.comb(num_samples - num_successes, k)) / total


def pass_all_k(num_samples: int, num_successes: int, k: int) -> float:
    """The unbiased estimate of the chance that all of `k` samples succeed (pass^k).

    Source: arXiv 2406.12045, section 3: C(c, k) / C(n, k).
    """
    _check_counts(num_samples, num_successes, k)
    return math.comb(num_successes, k) / math.comb(num_samples, k)


def paired_difference(first: Sequence[bool], second: Sequence[bool], *, level: float = LEVEL) -> PairedDifference:
    """How much more often the first agent succeeds than the second, on the same tasks in the same order.

    The test is McNemar's, exact: of the tasks that only one of them solved, either is as likely to be that one. The
    interval is an approximation of its own, so that for p just at 1 - level it may disagree about 0.

    Args:
        first: One result a task.
        second: The other agent's results on those tasks.
        level: Of confidence.

    Source: Q. McNemar, Psychometrika 12 (1947); A. Agresti and Y. Min, Statistics in Medicine 24 (2005) 729-740
        (Wald interval with half an observation added to each cell).
    """
    num_tasks = len(first)
    if num_tasks != len(second) or not num_tasks:
        raise ValueError(f"expected one result a task from both agents; got {num_tasks} and {len(second)}")
    pairs = [(bool(one), bool(other)) for one, other in zip(first, second, strict=True)]
    num_first_only, num_second_only = pairs.count((True, False)), pairs.count((False, True))
    apart, total = num_first_only - num_second_only, num_tasks + 2
    variance_of_sum = num_first_only + num_second_only + 1 - apart * apart / total
    half = _normal_quantile(level) * math.sqrt(variance_of_sum) / total
    middle = apart / total
    return PairedDifference(
        difference=Estimate(apart / num_tasks, max(-1.0, middle - half), min(1.0, middle + half)),
        p_value=_sign_test(num_first_only, num_second_only),
        num_tasks=num_tasks,
        num_first_only=num_first_only,
        num_second_only=num_second_only,
    )


def student_quantile(probability: float, degrees: int) -> float:
    """The quantile of Student's t distribution for a whole number of degrees of freedom."""
    if not 0 < probability < 1 or degrees < 1:
        raise ValueError(f"expected 0 < probability < 1 and degrees >= 1; got {probability} and {degrees}")
    if probability < 0.5:
        return -student_quantile(1 - probability, degrees)
    high = 1.0
    while _student_cdf(high, degrees) < probability:
        high *= 2
    return _bisect(lambda t: _student_cdf(t, degrees) - probability, 0.0, high)


def _student_cdf(t: float, degrees: int) -> float:
    """The distribution function for t >= 0, as the finite sum that a whole number of degrees allows.

    Source: M. Abramowitz and I. Stegun, Handbook of Mathematical Functions, 26.7.3 and 26.7.4.
    """
    theta = math.atan(t / math.sqrt(degrees))
    cosine_squared = math.cos(theta) ** 2
    odd = degrees % 2
    term = total = (math.cos(theta) if odd else 1.0) if degrees > 1 else 0.0
    for k in range(3 if odd else 2, degrees - 1, 2):
        term *= cosine_squared * (k - 1) / k
        total += term
    within = 2 / math.pi * (theta + math.sin(theta) * total) if odd else math.sin(theta) * total
    return (1 + within) / 2


def _bisect(function: Callable[[float], float], low: float, high: float) -> float:
    """Where an increasing function is 0, to the last bit but a few."""
    for _ in range(60):
        middle = (low + high) / 2
        if function(middle) < 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _sign_test(num_first: int, num_second: int) -> float:
    """Two-sided probability of a split at least as uneven, when either side is equally likely."""
    total = num_first + num_second
    tail = sum(math.comb(total, count) for count in range(min(num_first, num_second) + 1))
    return min(1.0, 2 * tail / 2**total)


def _normal_quantile(level: float) -> float:
    if not 0 < level < 1:
        raise ValueError(f"a confidence level is between 0 and 1; got {level}")
    return NormalDist().inv_cdf((1 + level) / 2)


def _check_counts(num_samples: int, num_successes: int, k: int) -> None:
    if not 0 <= num_successes <= num_samples or not 1 <= k <= num_samples:
        raise ValueError(
            f"expected 0 <= successes <= samples and 1 <= k <= samples; got {num_successes} of {num_samples}, k = {k}"
        )
