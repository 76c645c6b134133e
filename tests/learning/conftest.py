"""Builders of small batches, and access to the golden vectors."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from agentrl.learning.batch import Batch, pack
from agentrl.messages import Message
from agentrl.trajectory import Group, Outcome, Task, Trajectory, Turn

VECTORS = Path(__file__).parents[1] / "data" / "vectors"

TinyTurn = float | Mapping[str, Any]
TinyGroups = Sequence[Sequence[Sequence[TinyTurn]]]  # groups of trajectories of turns


def build_turn(turn: TinyTurn, first_token: int) -> Turn:
    """A turn of one context id and one action id, or of as many as the mapping says; a bare number is its reward."""
    entry = dict(turn) if isinstance(turn, Mapping) else {"reward": float(turn)}
    num_context, num_actions = entry.pop("num_context", 1), entry.pop("num_actions", 1)
    ids = tuple((first_token + n) % 7 for n in range(num_context + num_actions))
    logprobs = tuple(-0.5 - 0.1 * token for token in ids[num_context:])
    defaults: dict[str, Any] = {"context_ids": ids[:num_context], "action_ids": ids[num_context:], "logprobs": logprobs}
    return Turn(message=Message("assistant", "..."), **(defaults | entry))


def build_groups(groups: TinyGroups) -> list[Group]:
    """Groups of finished trajectories; the ids of a turn depend on its place in its trajectory alone."""
    built: list[Group] = []
    for g, members in enumerate(groups):
        task = Task(f"task-{g}")
        trajectories = tuple(
            Trajectory(
                id=f"{g}.{b}",
                task=task,
                prompt=(),
                turns=tuple(build_turn(turn, 3 * u + b) for u, turn in enumerate(turns)),
                outcome=Outcome.FINISHED,
            )
            for b, turns in enumerate(members)
        )
        built.append(Group(id=f"group-{g}", task=task, trajectories=trajectories))
    return built


def build_batch(groups: TinyGroups) -> Batch:
    """The packed groups, with log-probabilities in double precision; models found nothing, every turn its expert's."""
    batch = pack(build_groups(groups))
    nothing_T = torch.zeros(batch.num_tokens, dtype=torch.float64)
    columns = {
        "sampled_logprob_T": batch.sampled_logprob_T.double(),
        "value_T": nothing_T,
        "process_reward_T": nothing_T,
        "information_gain_U": torch.zeros(batch.num_turns, dtype=torch.float64),
        "matched_U": torch.ones(batch.num_turns, dtype=torch.bool) if batch.matched_U is None else batch.matched_U,
    }
    return replace(batch, **columns)


@pytest.fixture(scope="session")
def tiny_groups() -> Callable[[TinyGroups], list[Group]]:
    return build_groups


@pytest.fixture(scope="session")
def tiny_batch() -> Callable[[TinyGroups], Batch]:
    return build_batch


@pytest.fixture(scope="session")
def vectors() -> Callable[[str], dict[str, Any]]:
    return lambda name: json.loads((VECTORS / f"{name}.json").read_text())


@pytest.fixture(scope="session")
def agree() -> Callable[[Any, Any, float], None]:
    """Assert |got - want| <= tolerance (1 + |want|)."""

    def check(got: Any, want: Any, tolerance: float) -> None:
        got_N, want_N = (torch.as_tensor(x, dtype=torch.float64).flatten() for x in (got, want))
        assert got_N.shape == want_N.shape
        worst = ((got_N - want_N).abs() / (1 + want_N.abs())).max()
        assert worst <= tolerance, f"off by {float(worst):.2e}: got {got_N.tolist()}, want {want_N.tolist()}"

    return check
