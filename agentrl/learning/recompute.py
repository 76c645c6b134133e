"""Credit on stored trajectories, without a model: the steps of a run, put together again as they were learnt from."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, cast

import torch
from torch import Tensor

from agentrl.errors import ConfigError
from agentrl.learning.algorithms import Algorithm, Part, algorithm
from agentrl.learning.batch import Batch, pack
from agentrl.trajectory import Group, StoredTrajectory

STORED = "stored"  # in place of an algorithm's name: the advantages that the run itself assigned
_WITHOUT_MODEL = ("similar_anchors",)  # annotators that can be asked again
_FOR_THE_LOSS = ("old_logprobs", "privileged", "reference", "teacher")  # annotators whose columns credit does not read


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredStep:
    """What is stored of one step of a run; its trajectories lie group by group, as in the step's batch."""

    number: int
    scored: tuple[StoredTrajectory, ...]
    excluded: tuple[StoredTrajectory, ...]  # lost to the machinery, or never scored: nothing is compared with them

    def groups(self) -> list[Group]:
        """The groups that have a scored trajectory, in order."""
        return [
            Group(
                id=members[0].group,
                task=members[0].trajectory.task,
                trajectories=tuple(entry.trajectory for entry in members),
                prior=members[0].prior,
            )
            for members in _by_group(self.scored)
        ]

    def batch(self) -> Batch:
        """The batch that the step learnt from.

        Raises:
            ConfigError: A trajectory cannot be packed, or was stored without the tokens of its turns.
        """
        for entry in self.scored:
            sampled = [turn for turn in entry.trajectory.turns if turn.sampled]
            if sampled and not any(turn.action_ids for turn in sampled):
                raise ConfigError(
                    f"Trajectory {entry.trajectory.id!r} of step {self.number} holds no token ids: credit is for the "
                    "tokens that a policy sampled. Store trajectories of an engine that returns them."
                )
        try:
            return pack(self.groups())
        except ValueError as error:
            raise ConfigError(f"Step {self.number} cannot be packed: {error}") from error

    def stored_advantages(self) -> Tensor | None:
        """What the run itself gave each turn; None where it was not stored of every trajectory.

        Shapes: returns advantage_U [U] f64.
        """
        if any(len(entry.advantages) != len(entry.trajectory.turns) for entry in self.scored):
            return None
        values = chain.from_iterable(entry.advantages for entry in self.scored)
        return torch.tensor(list(values), dtype=torch.float64)


def steps_of(stored: Iterable[StoredTrajectory]) -> list[StoredStep]:
    """The steps of which there are trajectories, in order."""
    entries = list(stored)
    return [
        _step(number, [entry for entry in entries if entry.step == number])
        for number in sorted({entry.step for entry in entries})
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where the advantages of a stored step come from: an algorithm that assigns them again, or the run itself."""

    title: str
    recipe: Algorithm | None = None  # None: what the run stored

    def batch(self, step: StoredStep) -> Batch:
        """The step's batch, with the columns of those annotators that need no model.

        Raises:
            ConfigError: The step cannot be packed.
        """
        groups, batch = step.groups(), step.batch()
        for part in self.recipe.annotators if self.recipe else ():
            if part.name in _WITHOUT_MODEL:
                from agentrl.learning.annotate import ANNOTATORS  # loads what loads models

                annotator = ANNOTATORS[part.name](cast(Any, None), **part.arguments)
                batch = annotator.annotate(batch, groups)
        return batch

    def advantages(self, step: StoredStep) -> Tensor:
        """The mean advantage of each turn's tokens.

        Raises:
            ConfigError: Credit needs what the stored trajectories do not hold, or no advantages were stored.

        Shapes: returns advantage_U [U] f64.
        """
        if self.recipe is None:
            return _stored_advantages(step)
        batch = self.batch(step)
        try:
            _check_rewards(self.recipe, batch)
            return batch.token_to_turn(self.recipe.credit(batch)).double()
        except ConfigError as error:
            raise ConfigError(f"{self.title} cannot be assigned again: {error}{_filled_by(self.recipe)}") from error


def source(part: Part) -> Source:
    """The source that is called so: a row of the table of algorithms with its arguments, or "stored".

    Raises:
        ConfigError: There is no such row or argument.
    """
    if part.name == STORED:
        if part.arguments:
            raise ConfigError(
                f"{STORED!r} is what the run assigned: it takes no argument {next(iter(part.arguments))!r}."
            )
        return Source(title=STORED)
    arguments = ", ".join(f"{name}={value}" for name, value in part.arguments.items())
    title = f"{part.name}({arguments})" if arguments else part.name
    return Source(title=title, recipe=algorithm(part.name, **part.arguments))


def _stored_advantages(step: StoredStep) -> Tensor:
    advantage_U = step.stored_advantages()
    if advantage_U is None:
        raise ConfigError(
            f"The trajectories of step {step.number} were stored without advantages: name an algorithm to assign them."
        )
    return advantage_U


def _check_rewards(recipe: Algorithm, batch: Batch) -> None:
    if recipe.kl_in_reward and recipe.kl_coefficient and batch.reference_logprob_T is None:
        raise ConfigError(
            "it takes a KL term off the rewards (kl_in_reward), and reference log-probabilities are not stored. Set "
            "kl_coefficient = 0 to see the credit without it."
        )


def _filled_by(recipe: Algorithm) -> str:
    names = ", ".join(part.name for part in recipe.annotators if part.name not in (*_WITHOUT_MODEL, *_FOR_THE_LOSS))
    if not names:
        return ""
    return f" While a run trains, a model fills such columns (annotators: {names}); they are not stored."


def _step(number: int, entries: Sequence[StoredTrajectory]) -> StoredStep:
    scored = [entry for entry in entries if entry.trajectory.scored]
    excluded = tuple(entry for entry in entries if not entry.trajectory.scored)
    return StoredStep(number=number, scored=tuple(chain.from_iterable(_by_group(scored))), excluded=excluded)


def _by_group(entries: Iterable[StoredTrajectory]) -> list[list[StoredTrajectory]]:
    groups: dict[str, list[StoredTrajectory]] = {}
    for entry in entries:
        groups.setdefault(entry.group, []).append(entry)
    return list(groups.values())
