"""What a turn told: the belief in the answer before each turn, measured in one pass, against one pass a question."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch

from agentrl.learning.algorithms import algorithm
from agentrl.learning.annotate import Materials, annotators_of, make_annotators
from agentrl.learning.annotate.annotator import Annotator
from agentrl.learning.batch import pack
from agentrl.learning.policy import Policy
from agentrl.learning.tiny import create_tiny
from agentrl.messages import Message
from agentrl.trajectory import Group, Outcome, Task, Trajectory, Turn

GROUPS = [
    [
        [{"num_context": 5, "num_actions": 3}, {"num_context": 4, "num_actions": 2}, {"num_context": 3}],
        [{"num_context": 9, "num_actions": 2}, {"num_context": 6, "num_actions": 4, "opens_sequence": True}, {}],
    ],
    [[{"num_context": 7, "num_actions": 5}], [{"sampled": False}, {"num_context": 2, "num_actions": 0}, {}]],
]
ANSWERS = {"task-0": ["mug 1", "cup"], "task-1": ["b"]}
PREFIX = "So: "


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return create_tiny(tmp_path_factory.mktemp("model"), [], ["text"], size="0.1m", vocabulary=259)


@pytest.fixture
def groups(tiny_groups: Callable[[Any], list[Group]]) -> list[Group]:
    return tiny_groups(GROUPS)


def sharp(path: Path) -> Policy:
    """A policy in double precision whose expectations are far from even."""
    policy = Policy.load(path, dtype="float64")
    with torch.no_grad():
        for _, value in policy.parameters():
            if value.ndim == 2:
                value.mul_(4)
    return policy


def materials(policy: Policy, max_tokens: int = 1000) -> Materials:
    def refuse(*_: object) -> Policy:
        raise AssertionError("no other model is needed")

    return Materials(
        policy=policy,
        load_start=refuse,
        load_model=refuse,
        temperature=0.7,
        max_tokens=max_tokens,
        encode=lambda text: tuple(text.encode()),
        answers=lambda task: ANSWERS[task.id],
    )


def make(made_of: Materials, **arguments: Any) -> Annotator:
    row = algorithm("grpo", annotators=[{"name": "information_gain", "prefix": PREFIX, **arguments}])
    (annotator,) = make_annotators(annotators_of(row), made_of).values()
    return annotator


@torch.no_grad()
def mean_logprob(policy: Policy, context: list[int], answer: str) -> float:
    """Of the answer's tokens behind the context and the prefix, by a forward pass of nothing else."""
    ids = tuple(answer.encode())
    turn = Turn(
        message=Message("assistant", answer),
        context_ids=(*context, *PREFIX.encode()),
        action_ids=ids,
        logprobs=(0.0,) * len(ids),
    )
    only = Trajectory(id="0", task=Task("0"), prompt=(), turns=(turn,), outcome=Outcome.FINISHED)
    batch = pack([Group(id="0", task=only.task, trajectories=(only,))])
    return float(policy.logprobs(batch, temperature=0.7).logprob_T[batch.action_T].mean())


def expected_gains(policy: Policy, groups: list[Group], value: Callable[[list[float]], float]) -> list[float]:
    """Turn by turn; `value` makes a belief of the mean log-probability of each accepted answer."""
    gains: list[float] = []
    for group in groups:
        for trajectory in group.trajectories:
            beliefs: list[float] = []
            context: list[int] = []
            for turn in trajectory.turns:
                context = [*([] if turn.opens_sequence else context), *turn.context_ids]
                beliefs.append(value([mean_logprob(policy, context, text) for text in ANSWERS[group.task.id]]))
                context += turn.action_ids
            gains += [after - before for before, after in pairwise(beliefs)] + [0.0]
    return gains


def exp(values: list[float]) -> list[float]:
    return torch.tensor(values, dtype=torch.float64).exp().tolist()


@pytest.mark.parametrize("max_tokens", [1, 40, 1000])
@pytest.mark.parametrize(
    ("arguments", "value"),
    [
        ({}, lambda logprobs: sum(exp(logprobs)) / len(logprobs)),
        ({"over": "max"}, lambda logprobs: max(exp(logprobs))),
        ({"over": "first", "scale": "log"}, lambda logprobs: logprobs[0]),
    ],
    ids=["mean", "max", "first, log"],
)
def test_gains_are_those_of_one_pass_a_question(
    path: Path,
    groups: list[Group],
    arguments: dict[str, Any],
    value: Callable[[list[float]], float],
    max_tokens: int,
) -> None:
    policy = sharp(path)
    annotated = make(materials(policy, max_tokens), **arguments).annotate(pack(groups), groups)
    assert annotated.information_gain_U is not None
    expected_U = torch.tensor(expected_gains(policy, groups, value), dtype=torch.float64)
    torch.testing.assert_close(annotated.information_gain_U, expected_U, atol=1e-12, rtol=0)
    assert float(expected_U.abs().max()) > 1e-5


def test_a_task_without_an_answer_has_no_gains(path: Path, groups: list[Group]) -> None:
    made_of = materials(sharp(path))
    some = make(replace(made_of, answers=lambda task: ANSWERS[task.id] if task.id == "task-0" else []))
    batch = pack(groups)
    gain_U = some.annotate(batch, groups).information_gain_U
    whole_U = make(made_of).annotate(batch, groups).information_gain_U
    none_U = make(replace(made_of, answers=lambda task: [""])).annotate(batch, groups).information_gain_U
    assert gain_U is not None
    assert whole_U is not None
    assert none_U is not None
    torch.testing.assert_close(gain_U, torch.where(batch.group_U == 0, whole_U, 0), atol=1e-12, rtol=0)
    assert whole_U[batch.group_U == 1].any()
    assert not none_U.any()


def test_measuring_changes_nothing_and_says_how_much_was_told(path: Path, groups: list[Group]) -> None:
    policy = sharp(path)
    before = {name: value.clone() for name, value in policy.weights().items()}
    annotator = make(materials(policy))
    annotated = annotator.annotate(pack(groups), groups)
    assert annotated.information_gain_U is not None
    assert not annotated.information_gain_U.requires_grad
    assert all(torch.equal(before[name], value) for name, value in policy.weights().items())
    metrics = annotator.update(annotated)
    told = annotated.information_gain_U[[0, 1, 3, 4, 7, 8]]  # all but the last turns
    assert metrics["learn/information_gain_mean"] == pytest.approx(float(told.mean()))
    assert metrics["learn/information_gain_size"] == pytest.approx(float(told.abs().mean()))
