"""Plan: how many trajectories are collected, and when."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How many trajectories, when."""

    group_size: int = 1
    groups_per_step: int = 1
    concurrency: int = 64  # trajectories in flight
    max_policy_lag: int = 0  # updates between a turn's sampling and its training; 0: collect, then train
    groups_ahead: int | None = None  # under way besides those that a step needs; None: max_policy_lag steps' worth
    max_error_rate: float = 0.5  # share of trajectories lost to the machinery above which collecting stops
    max_attempts: int = 8  # per member of a group; then the group's task is given up
    hard_seconds: float = 1000.0  # a trajectory that has not returned by then, cancelled or not, is abandoned
    seed: int = 0
