"""What the trajectories of a complete group say of its task."""

from statistics import fmean, pstdev

from agentrl.trajectory import Group

NO_SPREAD = 1e-8  # rewards that differ by less are equal but for rounding


def success_rate(group: Group) -> float:
    """The share of successful trajectories."""
    return fmean(trajectory.success for trajectory in group.trajectories)


def rewards(group: Group) -> list[float]:
    """The total reward of each trajectory."""
    return [trajectory.total_reward for trajectory in group.trajectories]


def spread(group: Group) -> float:
    """The standard deviation of the total rewards; exactly 0 where they are equal but for rounding."""
    totals = rewards(group)
    if not totals or max(totals) - min(totals) < NO_SPREAD:
        return 0.0
    return pstdev(totals)
