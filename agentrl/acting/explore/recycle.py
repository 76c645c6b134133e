"""Recycle: more groups are started than a step needs; those that are not done yet go on in the next one."""

import math
from dataclasses import replace

from agentrl.acting.explore import Explorer, OpenGroup, Play, Siblings
from agentrl.acting.plan import Plan
from agentrl.acting.rollout import Stage
from agentrl.errors import ConfigError
from agentrl.trajectory import Group


class Recycle(Explorer):
    """Takes the first groups of a step that are complete, so that no step waits for the longest trajectories.

    The others are neither stopped nor thrown away: they go on under newer weights, each turn with the version that
    sampled it, and take part in the first step after they are complete. Groups with turns older than the maximal lag
    are dropped.

    Args:
        over_provision: How many groups are started besides those that a step needs, as a share of these.
        max_policy_lag: How many updates a group may last; the plan's own, if that is more.

    Source: APRIL, arXiv 2509.18521.
    Differs: What is under way goes on while the policy is trained, instead of being stopped and resumed, and it is
        turns that get newer weights, not tokens. Groups are over-provisioned, so that siblings stay together.
    Checked: From the paper's text alone.
    """

    def __init__(self, *, over_provision: float = 0.5, max_policy_lag: int = 4) -> None:
        if over_provision <= 0 or max_policy_lag < 1:
            raise ConfigError(
                "over_provision must be more than 0 and max_policy_lag at least 1, or nothing is recycled; got "
                f"{over_provision} and {max_policy_lag}."
            )
        self._over_provision = over_provision
        self._max_policy_lag = max_policy_lag

    def prepare(self, stage: Stage, plan: Plan) -> tuple[Stage, Plan]:
        """The plan with more groups, which may last longer."""
        groups_ahead = math.ceil(self._over_provision * plan.groups_per_step)
        lag = max(self._max_policy_lag, plan.max_policy_lag)
        return stage, replace(plan, groups_ahead=groups_ahead, max_policy_lag=lag)

    async def explore(self, group: OpenGroup, play: Play) -> list[Group]:
        """The group, of independent trajectories."""
        return [group.close(await Siblings(group, play).begin(group.size))]
