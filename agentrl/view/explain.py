"""Why the turns of a stored trajectory get the credit they get: its parts, and which siblings' turns it comes from."""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import NamedTuple, TypeAlias

import torch
from rich.console import Console
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text
from torch import Tensor

from agentrl.learning.batch import Batch
from agentrl.learning.credit import Explanation
from agentrl.learning.credit import explain as take_apart
from agentrl.learning.credit.anchor import anchor_groups
from agentrl.learning.credit.branch import decisions
from agentrl.learning.credit.comparison import NO_SPREAD
from agentrl.learning.credit.returns import return_to_go
from agentrl.learning.recompute import Source, StoredStep
from agentrl.learning.segments import segment_position
from agentrl.trajectory import StoredTrajectory, Turn
from agentrl.view.signs import signed
from agentrl.view.transcript import one_line, outcome_text, visible

_BESIDE_ACTION, _MIN_ACTION = 24, 40  # characters in the line of a turn that are not what it did; and that are
_INDENT, _LABEL, _GAP, _BETWEEN = 2, 13, 2, "  |  "  # of what is printed: characters; between texts on one line
_ROUNDING = 1e-4  # relative; parts that add up to the advantage but for this are its sum
_MAX_ALIKE = 6  # siblings that are named of those that came to the same
_OF_TRAJECTORY = ("episode", "own", "outcome")  # names of parts that compare whole trajectories
_OF_PEERS = ("step", "return to go", "expected", "sharing")  # names of parts that compare a turn with its peers


class _Peers(NamedTuple):
    """What the turns that are compared with each other have in common, in words."""

    heading: str
    where: str  # they stand
    nobody: str  # where there is no other


_PEERS = {
    "state": _Peers("same state", "in the same state", "no other turn of the group was taken in this state"),
    "turn": _Peers("same turn", "at the same turn", "no sibling took so many turns"),
    "decision": _Peers("same decision", "with the same decision", "no sibling shares this decision"),
    "other": _Peers("compared with", "that it was compared with", "it was compared with no other turn"),
}

_Entry: TypeAlias = tuple[float, str, bool]  # value, name, whether it is the turn or trajectory in question


@dataclass(frozen=True, slots=True, kw_only=True)
class _Credit:
    """The credit of one step by one source, as plain numbers: one entry a turn where nothing else is said."""

    title: str
    advantages: Sequence[float]
    parts: Mapping[str, Sequence[float]]  # none where there is only one
    peers: Sequence[int] | None  # turns with the same number were compared with each other; None: trajectories were,
    # or nothing
    kind: str  # what peers have in common: a key of _PEERS; "group" where trajectories were compared; "": not known
    to_go: Sequence[float]  # return-to-go
    score: Sequence[float]  # what is compared: that, and what an action costs that could not be tried
    trajectory: Sequence[int]
    first: Sequence[int]  # turn of each trajectory, and at the end the number of turns
    returns: Sequence[float]  # of each trajectory
    names: Sequence[str]  # of each trajectory: short ones for siblings


def explain(entry: StoredTrajectory, step: StoredStep, sources: Sequence[Source], console: Console) -> None:
    """Print a stored trajectory turn by turn: what it did, what that earned, its credit, and why.

    Args:
        entry: One of the step's.
        step: All that credit compares it with.
        sources: Where the credit that is explained comes from; others are shown beside it.
        console: Where to.
    """
    _print_header(entry, console)
    if not entry.trajectory.scored:
        text = "It was excluded: nothing is compared with it, and it is not learnt from."
        console.print(Text(f"{text}\n", "yellow"))
        return
    index = next(index for index, other in enumerate(step.scored) if other is entry)
    siblings = [i for i, other in enumerate(step.scored) if other.group == entry.group and i != index]
    credit = _credit(step, sources[0], entry.group)
    others = [(source.title, source.advantages(step).tolist()) for source in sources[1:]]
    _print_group(index, siblings, credit, console)
    for number, turn in enumerate(entry.trajectory.turns):
        place = credit.first[index] + number
        console.print(_turn_title(number, turn, max(_MIN_ACTION, console.width - _BESIDE_ACTION)))
        rows = [("advantage", [_sum(credit, place, turn)])]
        rows += [(title, [signed(advantages[place])]) for title, advantages in others]
        if credit.peers is not None:
            rows.append((_PEERS[credit.kind].heading, _peers(credit, place)))
        rows.append(("why", [Text(_sentence(credit, place, turn, siblings))]))
        _print_rows(rows, console)


def _credit(step: StoredStep, source: Source, group: str) -> _Credit:
    """The step's credit by a source, taken apart where it is an algorithm's; siblings are those of the group."""
    batch = source.batch(step)
    to_go_U = score_U = return_to_go(batch, 1.0)
    taken = Explanation({}, None)
    if source.recipe:
        taken = take_apart(source.recipe.credit, batch)
        settings = inspect.signature(source.recipe.credit).parameters
        to_go_U = return_to_go(batch, settings["discount"].default if "discount" in settings else 1.0)
        penalty = settings["invalid_penalty"].default if "invalid_penalty" in settings else 0.0
        score_U = to_go_U - penalty * (~batch.valid_U).double()
    parts = {name[:-2].replace("_", " "): _by_turn(column, name, batch) for name, column in taken.parts.items()}
    kind = "" if taken.peers_U is None else _kind(batch, taken.peers_U)
    ids = [(entry.trajectory.id, entry.group) for entry in step.scored]
    return _Credit(
        title=visible(source.title),
        advantages=source.advantages(step).tolist(),
        parts={name: column.tolist() for name, column in parts.items()} if len(parts) > 1 else {},
        peers=None if taken.peers_U is None or kind == "group" else taken.peers_U.tolist(),
        kind=kind,
        to_go=to_go_U.tolist(),
        score=score_U.tolist(),
        trajectory=batch.trajectory_U.tolist(),
        first=[0, *torch.bincount(batch.trajectory_U).cumsum(0).tolist()],
        returns=[entry.trajectory.total_reward for entry in step.scored],
        names=[visible(name.removeprefix(f"{group}-") if of == group else name) for name, of in ids],
    )


def _by_turn(column: Tensor, name: str, batch: Batch) -> Tensor:
    return batch.token_to_turn(column) if name.endswith("_T") else column


def _kind(batch: Batch, peers_U: Tensor) -> str:
    """What the turns that are compared with each other have in common."""
    number_U = segment_position(batch.trajectory_U)
    known = {
        "group": batch.group_U,
        "turn": batch.group_U * (int(number_U.max()) + 1) + number_U,
        "decision": decisions(batch),
    }
    if batch.state_key_U is not None:
        known["state"] = anchor_groups(batch)
    return next((name for name, index_U in known.items() if _are_the_same(peers_U, index_U)), "other")


def _are_the_same(one_U: Tensor, other_U: Tensor) -> bool:
    """Whether the same turns share a number."""
    nums = [index.unique(dim=-1).shape[-1] for index in (one_U, other_U, torch.stack([one_U, other_U]))]
    return nums[0] == nums[1] == nums[2]


def _print_header(entry: StoredTrajectory, console: Console) -> None:
    trajectory = entry.trajectory
    console.print(Rule(Text(visible(trajectory.id), "bold"), align="left"))
    counts = f"   return {trajectory.total_reward:g}   {len(trajectory.turns)} turns"
    console.print(Text.assemble(outcome_text(trajectory), counts))
    place = f"task {visible(trajectory.task.id)}   step {entry.step}   group {visible(entry.group)}"
    console.print(Text(place, "dim"))


def _print_group(index: int, siblings: Sequence[int], credit: _Credit, console: Console) -> None:
    """What the whole trajectory gets, and what its siblings returned."""
    own, name = credit.advantages[credit.first[index] : credit.first[index + 1]], credit.names[index]
    entries = [(credit.returns[index], "", True)]
    entries += [(credit.returns[sibling], credit.names[sibling], False) for sibling in siblings]
    rows = [
        ("credit", [Text.assemble(credit.title, ", ", signed(fmean(own)), " a turn in the mean")]),
        ("returns", [*_ranking(entries, "this one"), _spread(entries, "trajectories")]),
    ]
    if credit.peers is not None:
        rows.append(("", [Text(f"{name}#2 stands for the second turn of {name}.", "dim")]))
    _print_rows(rows, console)


def _turn_title(number: int, turn: Turn, max_characters: int) -> Text:
    title = Text.assemble((f"turn {number + 1}", "bold"), "   ", (one_line(turn, max_characters), "magenta"))
    if not turn.valid:
        title.append("   invalid", "red")
    if turn.origin is not None:
        title.append(f"   copied from {visible(turn.origin)}", "dim")
    return title


def _sum(credit: _Credit, place: int, turn: Turn) -> Text:
    """The turn's advantage and its parts, its reward and its return-to-go."""
    text = signed(credit.advantages[place])
    parts = {name: column[place] for name, column in credit.parts.items()} if turn.sampled else {}
    if parts:
        missing = credit.advantages[place] - sum(parts.values())
        text.append(" = " if abs(missing) < _ROUNDING * (1 + abs(credit.advantages[place])) else " from ")
        for number, (name, value) in enumerate(parts.items()):
            text.append_text(Text.assemble(", " if number else "", f"{name} ", signed(value)))
    text = Text.assemble(text, f"   reward {turn.reward:g}   return-to-go {credit.to_go[place]:.3g}")
    if credit.score[place] != credit.to_go[place]:
        text.append(f" - {credit.to_go[place] - credit.score[place]:.3g}, invalid", "red")
    return text


def _peers(credit: _Credit, place: int) -> list[Text]:
    """The turns that this one was compared with, best first by what followed them."""
    others = _others(credit, place)
    if not others:
        return [Text("no other turn", "dim")]
    entries = [(credit.score[place], "", True)]
    entries += [(credit.score[other], _name(credit, other), False) for other in others]
    return [*_ranking(entries, "this turn"), _spread(entries, "turns")]


def _others(credit: _Credit, place: int) -> list[int]:
    assert credit.peers is not None
    return [u for u, peer in enumerate(credit.peers) if peer == credit.peers[place] and u != place]


def _name(credit: _Credit, place: int) -> str:
    trajectory = credit.trajectory[place]
    return f"{credit.names[trajectory]}#{place - credit.first[trajectory] + 1}"


def _ranking(entries: Sequence[_Entry], own: str) -> list[Text]:
    """Who came to what, best first: a text for each value."""
    ranking: list[Text] = []
    left = sorted(entries, key=lambda entry: -entry[0])
    while left:
        value = left[0][0]
        alike = [entry for entry in left if value - entry[0] < NO_SPREAD]
        left = left[len(alike) :]
        names = [Text(name) for _, name, is_own in alike if not is_own]
        shown = names[:_MAX_ALIKE]
        if len(names) > len(shown):
            shown.append(Text(f"{len(names) - len(shown)} more", "dim"))
        if len(names) < len(alike):
            shown.insert(0, Text(own, "bold cyan"))
        ranking.append(Text.assemble((f"{value:.3g}", "bold"), ": ", Text(", ").join(shown)))
    return ranking


def _spread(entries: Sequence[_Entry], what: str) -> Text:
    values = [value for value, _, _ in entries]
    spread = f", spread {stdev(values):.3g}" if len(values) > 1 else ""
    return Text(f"mean {fmean(values):.3g}{spread} over {len(values)} {what}", "dim")


def _sentence(credit: _Credit, place: int, turn: Turn, siblings: Sequence[int]) -> str:
    """Why the turn has its advantage, in words."""
    if not turn.sampled:
        return "The action was given, not sampled: nothing is learnt from it."
    parts = {name: column[place] for name, column in credit.parts.items()}
    clauses: list[str] = []
    if credit.peers is not None:
        clauses.append(_against_peers(credit, place))
    elif not credit.kind and not parts:
        clauses.append(f"what {credit.title.partition('(')[0]} compares is not known")
    if not siblings:
        clauses.append("its group holds no other trajectory")
    elif (credit.peers is None and (credit.kind or not parts)) or any(parts.get(name) for name in _OF_TRAJECTORY):
        returns = [credit.returns[sibling] for sibling in siblings]
        clauses.append(f"its trajectory was {_compared(credit.returns[credit.trajectory[place]], returns, 'sibling')}")
    for name, value in parts.items():
        if value and name not in _OF_TRAJECTORY and (credit.peers is None or name not in _OF_PEERS):
            clauses.append(f"its {name} counts {'for' if value > 0 else 'against'} it")
    if not turn.valid:
        clauses.append("it held no action that could be tried")
    text = "; ".join(clauses) or "nothing counts for or against it"
    return f"{text[0].upper()}{text[1:]}."


def _against_peers(credit: _Credit, place: int) -> str:
    others = _others(credit, place)
    where, nobody = _PEERS[credit.kind].where, _PEERS[credit.kind].nobody
    if not others:
        return nobody
    owners = [credit.trajectory[other] for other in others]
    num_own = owners.count(credit.trajectory[place])
    noun = "sibling" if not num_own and len(set(owners)) == len(owners) else "other turn"
    own = f" ({num_own} of them its own)" if num_own else ""
    return f"{_compared(credit.score[place], [credit.score[other] for other in others], noun)} {where}{own}"


def _compared(value: float, others: Sequence[float], noun: str) -> str:
    """How a value stands among others: "better than 5 of 7 siblings"."""
    num, num_below = len(others), sum(value - other >= NO_SPREAD for other in others)
    num_above = sum(other - value >= NO_SPREAD for other in others)
    whom = f"the one {noun}" if num == 1 else f"{num} {noun}s"
    all_of, some_of = ("", "") if num == 1 else ("all ", "of ")
    if not num_below and not num_above:
        return f"as good as {all_of}{whom}"
    if num in (num_below, num_above):
        return f"{'better' if num_below else 'worse'} than {all_of}{whom}"
    better = f"better than {num_below}" if num_below else ""
    worse = f"worse than {num_above}" if num_above else ""
    return f"{' and '.join(filter(None, (better, worse)))} {some_of}{whom}"


def _print_rows(rows: Sequence[tuple[str, Sequence[Text]]], console: Console) -> None:
    """Print labels, each with its texts beside each other, those that do not fit on further lines."""
    grid = Table.grid(padding=(0, _GAP))
    grid.add_column(style="dim", width=_LABEL, overflow="fold")
    grid.add_column(overflow="fold")
    for label, texts in rows:
        grid.add_row(visible(label), _flowing(texts, console.width - _INDENT - _LABEL - _GAP))
    console.print(Padding(grid, (0, 0, 1, _INDENT), expand=False))


def _flowing(texts: Sequence[Text], width: int) -> Text:
    flowing, room = Text(), 0
    for text in texts:
        if flowing:
            fits = len(_BETWEEN) + text.cell_len <= room
            flowing.append(_BETWEEN if fits else "\n", "dim")
            room = room - len(_BETWEEN) if fits else width
        else:
            room = width
        flowing.append_text(text)
        room -= text.cell_len
    return flowing
