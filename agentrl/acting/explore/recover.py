"""Recover: from the state after an error a second group is played, which shows how to get out of it."""

from agentrl.acting.explore import Explorer, OpenGroup, Play, Siblings
from agentrl.acting.rollout import Prefix
from agentrl.errors import ConfigError, RolloutError
from agentrl.messages import Message
from agentrl.trajectory import CallStatus, Group, Trajectory, Turn

_ERRORS = (
    CallStatus.TOOL_ERROR,
    CallStatus.TIMEOUT,
    CallStatus.DENIED,
    CallStatus.INVALID_ARGUMENTS,
    CallStatus.UNKNOWN_TOOL,
)
_MAX_CHARACTERS = 200  # of what went wrong; the policy has read the whole of it just before


class Recover(Explorer):
    """Plays independent trajectories, then groups that go on after errors in those that failed.

    An error is a call that a tool refused or could not answer, or a turn that held nothing to try. What it was is said
    to the policy once more after the observation, and that it should do something else. The turns up to there are
    context, and not trained on again.

    Args:
        num_errors: How many errors of a group are gone on from, chosen by chance; each gives a group of its own.
        size: Of these groups; None: as large as the first.

    Source: Fission-GRPO, arXiv 2601.15625.
    Differs: The diagnosis is the tool's own message, not that of a model which was trained to write one. There is no
        buffer: the groups are trained on in the same step.
    Checked: From the paper's text alone.
    """

    def __init__(self, *, num_errors: int = 1, size: int | None = None) -> None:
        if num_errors < 1 or (size is not None and size < 2):
            raise ConfigError(f"num_errors must be at least 1 and size at least 2; got {num_errors} and {size}.")
        self._num_errors = num_errors
        self._size = size

    async def explore(self, group: OpenGroup, play: Play) -> list[Group]:
        """The group, and one for each error that is gone on from."""
        siblings = Siblings(group, play, keep_states=True)
        trajectories = await siblings.begin(group.size)
        groups = [group.close(trajectories)]
        found = [place for trajectory in trajectories for place in _errors(trajectory)]
        for number, place in enumerate(group.random().sample(found, min(self._num_errors, len(found)))):
            prefix = Prefix.of(*place)
            prefix = prefix.as_context(Message("user", _diagnosis(prefix.turns[-1])))
            try:
                played = await siblings.fork([prefix] * (self._size or group.size), kind=f"recovery{number}-")
            except RolloutError:
                continue  # the group itself is complete all the same
            groups.append(group.close(played, kind="recovery", number=number))
        return groups


def _errors(trajectory: Trajectory) -> list[tuple[Trajectory, int]]:
    """After how many turns of a trajectory that failed something had gone wrong, and it went on."""
    if trajectory.success:
        return []
    turns = trajectory.turns[:-1]
    return [(trajectory, number) for number, turn in enumerate(turns, start=1) if not turn.valid or _failed(turn)]


def _failed(turn: Turn) -> list[str]:
    """What the calls that failed were answered."""
    return [result.message().text for result in turn.results if result.status in _ERRORS]


def _diagnosis(turn: Turn) -> str:
    told = " ".join(_failed(turn)) or "The last message held no action that could be tried."
    return f"That went wrong: {told[:_MAX_CHARACTERS]} Find out why, and do something else."
