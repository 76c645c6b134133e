"""Rollout: one trajectory of one task, under deadlines. It returns a trajectory whatever happened.

    while not done:  agent.act -> environment.step -> Turn

The same lines serve a grid world, a browser and a code sandbox, since tools are called inside `Environment.step`.
"""

import asyncio
import logging
import math
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from time import perf_counter
from typing import Any, TypeVar

from agentrl.acting.agent import Action, Agent, Conversation
from agentrl.acting.deadline import within
from agentrl.acting.environment import Environment, Step
from agentrl.acting.rewards import score_trajectory, score_turn
from agentrl.acting.suite import Suite
from agentrl.acting.tool import Context, ToolLimits
from agentrl.errors import EngineError, EnvironmentFault, GraderError, RolloutError, boundary
from agentrl.messages import Message, as_messages
from agentrl.trajectory import CallStatus, Outcome, Task, Trajectory, Turn

logger = logging.getLogger(__name__)
T = TypeVar("T")

_UNREADABLE = (CallStatus.INVALID_ARGUMENTS, CallStatus.UNKNOWN_TOOL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Deadlines and budgets of a trajectory: call < turn < episode."""

    max_turns: int = 10
    max_invalid_turns: int = 5  # in a row; then the outcome is parse_failure
    turn_seconds: float = 120.0  # for the agent to speak, and again for the environment to answer
    episode_seconds: float = 900.0  # reset included
    close_seconds: float = 10.0
    tools: ToolLimits = field(default_factory=ToolLimits)


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Where a trajectory starts."""

    task: Task
    trajectory_id: str
    seed: int  # of everything random on the agent's side


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What all trajectories of a run share: the suite and its open resources, the agent, the limits."""

    suite: Suite
    agent: Agent
    limits: Limits
    resources: Mapping[str, Any] = field(default_factory=dict[str, Any])


async def rollout(start: Start, stage: Stage) -> Trajectory:
    """The trajectory of one task: scored if the machinery held, else with outcome infra_error and the reason."""
    episode = _Episode(start, stage)
    try:
        try:
            async with asyncio.timeout(stage.limits.episode_seconds):
                await episode.play()
        except TimeoutError:
            episode.outcome = Outcome.TIME_LIMIT
        await episode.score()
    except RolloutError as error:
        episode.outcome, episode.error = Outcome.INFRA_ERROR, f"{type(error).__name__}: {error}"
    finally:
        await episode.close()
    return episode.trajectory()


class _Episode:
    """A trajectory in the making: what has happened so far survives a deadline."""

    def __init__(self, start: Start, stage: Stage) -> None:
        self.outcome = Outcome.CANCELLED
        self.error: str | None = None
        self._start = start
        self._stage = stage
        self._began = perf_counter()
        self._context = Context(
            start.task, trajectory_id=start.trajectory_id, resources=stage.resources, limits=stage.limits.tools
        )
        self._environment: Environment | None = None
        self._conversation: Conversation | None = None
        self._prompt: tuple[Message, ...] = ()
        self._turns: list[Turn] = []
        self._rewards: dict[str, float | None] = {}

    async def play(self) -> None:
        """Reset, then turns until something ends them."""
        suite, limits = self._stage.suite, self._stage.limits
        with boundary(EnvironmentFault, f"{suite.name}.make"):
            environment = self._environment = suite.make()
        environment.context = self._context
        observation = await _within(
            limits.turn_seconds, environment.reset(self._start.task), EnvironmentFault, f"{suite.name}.reset"
        )
        system = (Message("system", suite.system_prompt),) if suite.system_prompt else ()
        messages = self._prompt = system + as_messages(observation)
        conversation = self._conversation = self._stage.agent.start(
            environment, self._start.trajectory_id, self._start.seed
        )
        num_invalid, rewrite = 0, False
        while True:
            turn, step = await self._turn(environment, conversation, messages, rewrite)
            if turn is None:
                self.outcome = Outcome.TOKEN_LIMIT
                return
            self._turns.append(turn)
            num_invalid = 0 if turn.valid else num_invalid + 1
            if step.terminated:
                self.outcome = Outcome.FINISHED
            elif len(self._turns) >= limits.max_turns:
                self.outcome = Outcome.TURN_LIMIT
            elif num_invalid >= limits.max_invalid_turns:
                self.outcome = Outcome.PARSE_FAILURE
            else:
                rewrite = step.context is not None
                messages = turn.observation if step.context is None else step.context
                continue
            return

    async def _turn(
        self, environment: Environment, conversation: Conversation, messages: tuple[Message, ...], rewrite: bool
    ) -> tuple[Turn | None, Step]:
        """One decision and its answer; no turn where the context had no room for a decision."""
        limits, name = self._stage.limits, self._stage.suite.name
        key = _state_key(environment)
        asked = perf_counter()
        action = await _within(limits.turn_seconds, conversation.act(messages, rewrite=rewrite), EngineError, "act")
        if action is None:
            return None, Step()
        decided = perf_counter()
        step = await _within(limits.turn_seconds, environment.step(action.message), EnvironmentFault, f"{name}.step")
        if not math.isfinite(step.reward):
            raise EnvironmentFault(f"{name}.step: the reward is {step.reward!r}; it must be a finite number.")
        turn = _make_turn(action, step, state_key=key, seconds=(decided - asked, perf_counter() - decided))
        parts = await score_turn(environment, turn, self._start.task)
        return (replace(turn, reward=turn.reward + sum(parts.values()), rewards=parts) if parts else turn), step

    async def score(self) -> None:
        """Ask for the rewards of the whole trajectory, and add them to its last turn."""
        if self._environment is None or not self._turns:
            return
        judged = score_trajectory(self._environment, self.trajectory())
        self._rewards = await _within(self._stage.limits.turn_seconds, judged, GraderError, "rewards")
        last = self._turns[-1]
        total = sum(value for value in self._rewards.values() if value is not None)
        self._turns[-1] = replace(last, reward=last.reward + total)

    async def close(self) -> None:
        """Free everything within the deadline; what fails to close is logged, and changes no reward."""
        if self._conversation is not None:
            self._conversation.close()
        seconds = self._stage.limits.close_seconds
        name = f"{self._stage.suite.name}.close"
        try:
            if self._environment is not None:
                await _within(seconds, self._environment.close(), EnvironmentFault, name)
        except RolloutError as error:
            logger.warning("%s: %s", self._start.trajectory_id, error)
        finally:
            await self._context.close(seconds)

    def trajectory(self) -> Trajectory:
        """What has happened so far."""
        total = sum(turn.reward for turn in self._turns)
        return Trajectory(
            id=self._start.trajectory_id,
            task=self._start.task,
            prompt=self._prompt,
            turns=tuple(self._turns),
            outcome=self.outcome,
            rewards=self._rewards,
            success=self.outcome.scored and total >= self._stage.suite.success_reward,
            error=self.error,
            seconds=perf_counter() - self._began,
        )


async def _within(seconds: float, work: Coroutine[Any, Any, T], kind: type[RolloutError], where: str) -> T:
    """The result of `work`; its failure, or its taking too long, is attributed to `where`."""
    with boundary(kind, where):
        return await within(seconds, work)


def _make_turn(action: Action, step: Step, *, state_key: str | None, seconds: tuple[float, float]) -> Turn:
    completion = action.completion
    unreadable = bool(step.results) and all(result.status in _UNREADABLE for result in step.results)
    return Turn(
        message=action.message,
        observation=as_messages(step.observation),
        reward=float(step.reward),
        state_key=state_key,
        valid=step.valid and not unreadable,
        results=step.results,
        context_ids=action.context_ids,
        action_ids=completion.ids if completion else (),
        logprobs=completion.logprobs if completion else (),
        entropies=completion.entropies if completion else (),
        opens_sequence=action.opens_sequence,
        version=completion.version if completion else 0,
        engine_seconds=seconds[0],
        environment_seconds=seconds[1],
    )


def _state_key(environment: Environment) -> str | None:
    """The environment's key as text: as it is where it is text, else a digest of its representation."""
    with boundary(EnvironmentFault, "state_key"):
        key = environment.state_key()
    if key is None or isinstance(key, str):
        return key
    return blake2b(repr(key).encode(), digest_size=12).hexdigest()
