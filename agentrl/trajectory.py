"""Tasks, and what became of them: turns, trajectories, groups, with the token ledger; JSONL in and out.

The ledger: a turn holds the ids that were *added* to its sequence before the model spoke (`context_ids`) and the
ids that the engine returned (`action_ids`). A sequence is the concatenation of its turns' ids, exactly as the
engine saw them; nothing is ever tokenised a second time.
"""

import enum
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError, from_json

from agentrl.errors import ConfigError
from agentrl.messages import Content, Message, ToolCall, encodable

SCHEMA_VERSION = 1


class Outcome(enum.StrEnum):
    """How a trajectory ended."""

    FINISHED = "finished"  # the environment terminated
    TURN_LIMIT = "turn_limit"
    TOKEN_LIMIT = "token_limit"
    TIME_LIMIT = "time_limit"
    PARSE_FAILURE = "parse_failure"  # too many messages in a row held nothing that could be acted upon
    INFRA_ERROR = "infra_error"  # the machinery failed: excluded, refilled, never scored
    CANCELLED = "cancelled"  # given up from outside: excluded

    @property
    def scored(self) -> bool:
        """Whether the trajectory may enter a statistic."""
        return self not in (Outcome.INFRA_ERROR, Outcome.CANCELLED)


class CallStatus(enum.StrEnum):
    """How a tool call ended."""

    OK = "ok"
    TOOL_ERROR = "tool_error"  # the tool raised: the model sees the text
    TIMEOUT = "timeout"
    DENIED = "denied"
    INVALID_ARGUMENTS = "invalid_arguments"
    UNKNOWN_TOOL = "unknown_tool"
    LIMIT = "limit"  # too many calls
    CANCELLED = "cancelled"
    INFRA_ERROR = "infra_error"  # the machinery behind the tool failed: the trajectory is excluded


@dataclass(frozen=True, slots=True)
class Task:
    """Frozen description of one problem."""

    id: str
    seed: int = 0
    data: Mapping[str, Any] = field(default_factory=dict[str, Any])  # JSON values


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolResult:
    """What came of one tool call."""

    call: ToolCall
    status: CallStatus
    content: Content  # what the model sees
    seconds: float = 0.0  # execution, all attempts
    queue_seconds: float = 0.0  # waiting for a free place
    num_attempts: int = 1
    num_truncated_characters: int = 0

    def message(self) -> Message:
        """The message that answers the call."""
        return Message("tool", self.content, tool_call_id=self.call.id or None, name=self.call.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One decision: what was added to the context, what the policy sampled, what the environment answered."""

    message: Message  # the assistant's
    observation: tuple[Message, ...] = ()  # the environment's answer
    reward: float = 0.0  # earned by this turn, in the units of the MDP card
    rewards: Mapping[str, float] = field(default_factory=dict[str, float])  # its parts by name, where there are any
    state_key: str | None = None  # of the state in which the decision was made (anchor state)
    valid: bool = True  # False where the message held no action that the environment could try
    results: tuple[ToolResult, ...] = ()
    context_ids: tuple[int, ...] = ()  # ids added to the sequence before the action; the whole prompt if it opens one
    action_ids: tuple[int, ...] = ()  # ids that the engine returned
    logprobs: tuple[float, ...] = ()  # nats, one per action id, at the sampling temperature
    entropies: tuple[float, ...] = ()  # nats, one per action id, when asked for
    opens_sequence: bool = False  # True on the first turn and whenever the context was rewritten
    sampled: bool = True  # False where the action was given, by an expert or a hint: context, not trained on
    origin: str | None = None  # "trajectory/turn" where the decision was first taken, if this branch copied it
    matched: bool | None = None  # the action was what an expert would have done; None where no expert was asked
    patch: Message | None = None  # what was carried out in the message's place: the expert's
    version: int = 0  # policy version that sampled the turn
    engine_seconds: float = 0.0
    environment_seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Trajectory:
    """One run of a task."""

    id: str
    task: Task
    prompt: tuple[Message, ...]  # what the environment said at reset
    turns: tuple[Turn, ...]
    outcome: Outcome
    rewards: Mapping[str, float | None] = field(default_factory=dict[str, float | None])  # whole-trajectory rewards by
    # name, already added to the last turn's reward; None where one could not be decided
    success: bool = False  # by the suite's criterion
    error: str | None = None  # what failed, on infra_error
    seconds: float = 0.0

    @property
    def scored(self) -> bool:
        """Whether it may enter a statistic: the machinery held, a reward was decided, the policy acted."""
        return self.outcome.scored and None not in self.rewards.values() and bool(self.turns)

    @property
    def total_reward(self) -> float:
        """Sum of the turns' rewards, undiscounted."""
        return sum(turn.reward for turn in self.turns)

    @property
    def num_action_tokens(self) -> int:
        """How many tokens the policy sampled."""
        return sum(len(turn.action_ids) for turn in self.turns if turn.sampled)

    def sequences(self) -> Iterator[tuple[int, ...]]:
        """The token ids of each append-only sequence, as the engine saw them."""
        ids: list[int] = []
        for turn in self.turns:
            if turn.opens_sequence and ids:
                yield tuple(ids)
                ids = []
            ids += turn.context_ids + turn.action_ids
        if ids:
            yield tuple(ids)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Siblings that started from the same state: the scored ones, and beside them those that were excluded."""

    id: str
    task: Task
    trajectories: tuple[Trajectory, ...]
    excluded: tuple[Trajectory, ...] = ()
    prior: Mapping[str, float] = field(default_factory=dict[str, float])  # what the curriculum knew of the task when
    # the group began: some of "value", "mean", "std", "count"
    kind: str = ""  # how it came about, where no curriculum drew it: "recovery", "hint", "replay"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTrajectory:
    """A line of a trajectories file: the trajectory and where in the run it belongs."""

    trajectory: Trajectory
    step: int
    group: str
    advantages: tuple[float, ...] = ()  # one per turn: the mean of its tokens', once credit has been assigned
    prior: Mapping[str, float] = field(default_factory=dict[str, float])  # its group's
    schema_version: int = SCHEMA_VERSION


_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64", ser_json_inf_nan="strings", extra="forbid")
StoredTrajectory.__pydantic_config__ = _config  # type: ignore[attr-defined]
_adapter = TypeAdapter(StoredTrajectory)


def write_trajectories(path: Path, stored: Iterable[StoredTrajectory]) -> None:
    """Append the trajectories to a JSONL file, one a line."""
    with path.open("ab") as file:
        for entry in stored:
            file.write(_line(entry) + b"\n")


def read_trajectories(path: Path) -> Iterator[StoredTrajectory]:
    """The trajectories of a JSONL file.

    Raises:
        ConfigError: The file is missing, or a line is broken; the message names the line.
    """
    if not path.is_file():
        raise ConfigError(f"There is no trajectories file at {path}.")
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield _read_line(path, number, line)


def to_values(entry: StoredTrajectory) -> dict[str, Any]:
    """The line of a trajectories file as JSON values, whatever its texts hold."""
    return _encodable(_adapter.dump_python(entry, mode="json"))


def from_values(values: Mapping[str, Any]) -> StoredTrajectory:
    """What `to_values` was given."""
    return _adapter.validate_json(json.dumps(values))


def _line(entry: StoredTrajectory) -> bytes:
    try:
        return _adapter.dump_json(entry)
    except PydanticSerializationError:  # half a surrogate pair in some text, as broken pages have them
        return json.dumps(to_values(entry)).encode()


def _encodable(value: Any) -> Any:
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, dict):
        return {encodable(key): _encodable(entry) for key, entry in cast(dict[str, Any], value).items()}
    if isinstance(value, list):
        return [_encodable(entry) for entry in cast(list[Any], value)]
    return value


def _read_line(path: Path, number: int, line: bytes) -> StoredTrajectory:
    try:
        entry = from_json(line)
    except ValueError as error:
        raise ConfigError(
            f"{path}:{number}: not a JSON line ({error}). Remove the line, or restore the file."
        ) from error
    version = cast(dict[str, Any], entry).get("schema_version") if isinstance(entry, dict) else None
    if version != SCHEMA_VERSION:
        raise ConfigError(f"{path}:{number}: schema version {version!r}; this release reads {SCHEMA_VERSION}.")
    try:
        return _adapter.validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"{path}:{number}: not a trajectory: {where}: {first['msg']}.") from error
