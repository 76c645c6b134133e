"""Credit in the terminal: what each turn of a stored run gets, by one algorithm or by two, without any model."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import torch
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text
from torch import Tensor

from agentrl.errors import ConfigError
from agentrl.learning.algorithms import Part
from agentrl.learning.recompute import STORED, Source, StoredStep, source, steps_of
from agentrl.trajectory import StoredTrajectory
from agentrl.view.explain import explain
from agentrl.view.signs import LEGEND, NO_ADVANTAGE, signed, strip
from agentrl.view.transcript import read_stored, select, visible

_LIMIT = 16  # trajectories of a step that are listed
_MAX_NAMED = 3  # excluded trajectories
_SAME = 1e-5  # relative; advantages that differ less are the same


@dataclass(frozen=True, slots=True)
class _Row:
    """A trajectory, and by each source what its turns get."""

    entry: StoredTrajectory
    advantages: tuple[Sequence[float], ...]


def view_credit(
    run: Path,
    algorithms: Sequence[Part],
    *,
    console: Console,
    is_own: bool = False,
    trajectory_id: str | None = None,
    step: int | None = None,
    limit: int | None = None,
) -> None:
    """Print what the turns of a stored run get: a table a step, or chosen trajectories turn by turn.

    Args:
        run: The run's directory, or a trajectories file.
        algorithms: One, or two to be compared: rows of the table of algorithms with their arguments, or "stored".
        console: Where to.
        is_own: The first is what the run was trained with: where it needs a model, what the run stored is shown.
        trajectory_id: Explain those whose id, or whose task's id, begins so.
        step: Only this step of the run.
        limit: How many trajectories of a step are listed (whole groups, at least one), or are explained.

    Raises:
        ConfigError: There is no such run, algorithm, step or trajectory, or credit cannot be assigned.
    """
    sources = [source(part) for part in algorithms]
    stored = read_stored(run)
    if not stored:
        raise ConfigError(f"{run} holds no trajectory. A run stores trajectories at some steps only.")
    chosen = select(stored, step=step, trajectory_id=trajectory_id)
    steps = [one for one in steps_of(stored) if one.number in {entry.step for entry in chosen}]
    if is_own:
        sources[0] = _own(sources[0], steps, console)
    _check_sources(sources, steps)
    if trajectory_id is None:
        _print_steps(steps, sources, console, _LIMIT if limit is None else limit)
        return
    num_explained = 1 if limit is None else limit
    for entry in chosen[:num_explained]:
        explain(entry, next(one for one in steps if one.number == entry.step), sources, console)
    if len(chosen) > num_explained:
        console.print(Text(f"{len(chosen) - num_explained} more match; --limit explains more of them.", "dim"))


def _own(own: Source, steps: Iterable[StoredStep], console: Console) -> Source:
    """The run's own algorithm, or, where it cannot be assigned again, what the run stored; that is said then."""
    largest, where = 0.0, 0
    for step in steps:
        stored_U = step.stored_advantages()
        if not step.scored:
            continue
        try:
            assigned_U = own.advantages(step)
        except ConfigError as error:
            if stored_U is None:
                raise
            console.print(Text(f"{error} What follows is what the run itself assigned.\n", "yellow"))
            return Source(title=STORED)
        if stored_U is not None and not torch.allclose(assigned_U, stored_U, rtol=_SAME, atol=_SAME):
            largest, where = max((largest, where), (float((assigned_U - stored_U).abs().max()), step.number))
    if largest:
        text = f"The run itself assigned other credit, at step {where} by up to {largest:.3g} a turn; "
        console.print(Text(f"{text}--compare {STORED} shows it beside this.\n", "yellow"))
    return own


def _check_sources(sources: Iterable[Source], steps: Iterable[StoredStep]) -> None:
    """Raise, before anything is printed, where credit cannot be assigned; say so if the run's own is there instead."""
    step = next((one for one in steps if one.scored), None)
    if step is None:
        return
    for one in sources:
        try:
            one.advantages(step)
        except ConfigError as error:
            if one.recipe is None or step.stored_advantages() is None:
                raise
            raise ConfigError(f"{error} What the run itself assigned is stored: --algorithm {STORED}.") from error


def _print_steps(steps: Iterable[StoredStep], sources: Sequence[Source], console: Console, limit: int) -> None:
    seen: list[Sequence[Tensor]] = []
    for step in steps:
        if not step.scored:
            console.print(Text(f"step {step.number}: each of its trajectories was excluded.", "yellow"))
            continue
        columns = [one.advantages(step) for one in sources]
        seen.append(columns)
        _print_step(step, sources, columns, console, limit)
    if len(sources) > 1 and len(seen) > 1:
        first_U, second_U = (torch.cat(columns) for columns in zip(*seen, strict=True))
        console.print(Text.assemble((f"all {len(seen)} steps   ", "bold"), _agreement(first_U, second_U)))
    console.print(Text(LEGEND, "dim"))


def _print_step(
    step: StoredStep, sources: Sequence[Source], columns: Sequence[Tensor], console: Console, limit: int
) -> None:
    groups = _rows(step, columns)
    is_silent = [not any(_is_heard(row) for row in group) for group in groups]
    ordered = sorted(range(len(groups)), key=is_silent.__getitem__)
    console.print(_title(step, sources, len(groups), sum(is_silent)))
    if step.excluded:
        console.print(_excluded(step.excluded))
    table = _table(sources)
    largest = [float(column_U.abs().max()) for column_U in columns]
    num_listed = num_groups = 0
    for index in ordered:
        if num_groups and num_listed + len(groups[index]) > limit:
            break
        num_listed, num_groups = num_listed + len(groups[index]), num_groups + 1
        for number, row in enumerate(groups[index]):
            table.add_row(*_cells(row, largest, is_first=number == 0))
        table.add_section()
    console.print(table)
    if num_groups < len(groups):
        console.print(Text(f"{len(groups) - num_groups} more groups; --limit lists more of them.", "dim"))
    if len(columns) > 1:
        console.print(_agreement(columns[0], columns[1]))
    console.print()


def _rows(step: StoredStep, columns: Sequence[Tensor]) -> list[list[_Row]]:
    """The step's trajectories with what their turns get, by group."""
    lengths = [len(entry.trajectory.turns) for entry in step.scored]
    pieces = zip(*(column_U.split(lengths) for column_U in columns), strict=True)
    rows = [
        _Row(entry, tuple(piece_U.tolist() for piece_U in piece))
        for entry, piece in zip(step.scored, pieces, strict=True)
    ]
    return [list(members) for _, members in groupby(rows, key=lambda row: row.entry.group)]


def _is_heard(row: _Row) -> bool:
    return any(abs(advantage) >= NO_ADVANTAGE for column in row.advantages for advantage in column)


def _title(step: StoredStep, sources: Sequence[Source], num_groups: int, num_silent: int) -> Text:
    title = Text.assemble((f"step {step.number}", "bold"), f"   {visible(' against '.join(s.title for s in sources))}")
    num_turns = sum(len(entry.trajectory.turns) for entry in step.scored)
    title.append(f"\n{num_groups} groups, {len(step.scored)} trajectories, {num_turns} turns", "dim")
    if num_silent:
        title.append(f"; {num_silent} groups get no advantage", "yellow" if num_silent == num_groups else "dim")
    return title


def _excluded(entries: Sequence[StoredTrajectory]) -> Text:
    named = [f"{visible(entry.trajectory.id)} ({_reason(entry)})" for entry in entries[:_MAX_NAMED]]
    more = f" and {len(entries) - _MAX_NAMED} more" if len(entries) > _MAX_NAMED else ""
    return Text(f"{len(entries)} excluded, and left out: {', '.join(named)}{more}", "yellow")


def _reason(entry: StoredTrajectory) -> str:
    """Why a trajectory was not scored."""
    if not entry.trajectory.outcome.scored:
        return str(entry.trajectory.outcome)
    return "unscored" if entry.trajectory.turns else "no turn"


def _table(sources: Sequence[Source]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, collapse_padding=True, pad_edge=False)
    table.add_column("trajectory", no_wrap=True)
    if len(sources) == 1:
        table.add_column("task", no_wrap=True)
    for heading in ("return", "success", "turns"):
        table.add_column(heading, justify="right")
    for heading in ("advantage",) if len(sources) == 1 else _names(sources):
        table.add_column(visible(heading), justify="right")
        table.add_column("turn by turn", overflow="fold")
    if len(sources) > 1:
        table.add_column("signs differ", justify="right")
    return table


def _names(sources: Sequence[Source]) -> list[str]:
    """The names of the algorithms; with their arguments where the names alone are the same."""
    names = [one.title.partition("(")[0] for one in sources]
    return names if len(set(names)) == len(names) else [one.title for one in sources]


def _cells(row: _Row, largest: Sequence[float], *, is_first: bool) -> list[Text]:
    trajectory = row.entry.trajectory
    cells = [Text(visible(trajectory.id))]
    if len(row.advantages) == 1:
        cells.append(Text(visible(trajectory.task.id) if is_first else "", "dim"))
    cells += [
        Text(f"{trajectory.total_reward:g}"),
        Text("yes", "green") if trajectory.success else Text("no", "dim"),
        Text(str(len(trajectory.turns))),
    ]
    for advantages, most in zip(row.advantages, largest, strict=True):
        cells += [signed(sum(advantages) / len(advantages)), strip(advantages, most)]
    if len(row.advantages) > 1:
        differing = sum(_sign(one) != _sign(other) for one, other in zip(*row.advantages, strict=True))
        cells.append(Text(str(differing)) if differing else Text(""))
    return cells


def _sign(advantage: float) -> int:
    return 0 if abs(advantage) < NO_ADVANTAGE else 1 if advantage > 0 else -1


def _agreement(first_U: Tensor, second_U: Tensor) -> Text:
    """How far two algorithms agree about the turns: correlation, and how often the signs differ."""
    sign_2U = torch.stack([torch.where(one_U.abs() < NO_ADVANTAGE, 0, one_U.sign()) for one_U in (first_U, second_U)])
    differ, opposite = (float(x_U.double().mean()) for x_U in (sign_2U[0] != sign_2U[1], sign_2U.prod(0) < 0))
    correlation = float(torch.corrcoef(torch.stack([first_U, second_U]))[0, 1])
    named = "undefined" if math.isnan(correlation) else f"{correlation:+.3f}"
    return Text(
        f"correlation {named} over {first_U.numel()} turns; signs differ on {differ:.3f} of them "
        f"({opposite:.3f} opposite, {differ - opposite:.3f} with one of the two 0)"
    )
