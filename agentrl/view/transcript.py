"""Trajectories of a run in the terminal: a table of them, and readable transcripts of chosen ones.

Whatever a model or an environment wrote is shown as it is: nothing in it can style the terminal or move its cursor.
"""

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from agentrl.errors import ConfigError
from agentrl.messages import Content, ImagePart, Message, ToolCall
from agentrl.trajectory import CallStatus, StoredTrajectory, ToolResult, Trajectory, Turn, read_trajectories

TRAJECTORIES = "trajectories.jsonl"
_MAX_CHARACTERS = 4000  # of one text; the rest is left out, and that is said
_MAX_NEAR_IDS = 5
_LEFT_OUT = " ... "
_TAB_AND_NEWLINE = "\t\n"

Choice: TypeAlias = Callable[[Sequence[StoredTrajectory]], Sequence[StoredTrajectory]]


def _return_of(entry: StoredTrajectory) -> float:
    return entry.trajectory.total_reward


def _scored(stored: Sequence[StoredTrajectory]) -> list[StoredTrajectory]:
    return [entry for entry in stored if entry.trajectory.scored]


# By return, ties in the order of the file. "failed": without success, those that the machinery lost included.
CHOICES: Mapping[str, Choice] = {
    "first": lambda stored: stored,
    "last": lambda stored: stored[::-1],
    "best": lambda stored: sorted(_scored(stored), key=_return_of, reverse=True),
    "worst": lambda stored: sorted(_scored(stored), key=_return_of),
    "failed": lambda stored: [entry for entry in stored if not entry.trajectory.success],
    "random": lambda stored: random.sample(stored, len(stored)),
}


def view_run(
    run: Path,
    *,
    console: Console,
    trajectory_id: str | None = None,
    step: int | None = None,
    choose: str = "first",
    limit: int = 1,
    listing: bool = False,
) -> None:
    """Print chosen trajectories of a run directory (or of a trajectories file).

    Args:
        run: The directory, or the file.
        console: Where to.
        trajectory_id: Only those whose id, or whose task's id, begins so.
        step: Only those of this step of the run.
        choose: Which come first: a name in CHOICES.
        limit: How many transcripts; a list has all.
        listing: A table with one line a trajectory, without the transcripts.

    Raises:
        ConfigError: There are no trajectories, or none that were asked for.
    """
    chosen = select(read_stored(run), trajectory_id=trajectory_id, step=step, choose=choose)
    if listing:
        console.print(list_trajectories(chosen))
        return
    for entry in chosen[:limit]:
        print_transcript(entry, console)
    if len(chosen) > limit:
        console.print(Text(f"{len(chosen) - limit} more match; --limit shows more of them, --list lists them.", "dim"))


def read_stored(run: Path) -> list[StoredTrajectory]:
    """The trajectories of a run directory, or of a file.

    Raises:
        ConfigError: There are none.
    """
    path = run / TRAJECTORIES if run.is_dir() else run
    if not path.is_file():
        raise ConfigError(
            f"{run} is no run directory: there is no {path}. A run stores trajectories at some steps only."
        )
    return list(read_trajectories(path))


def select(
    stored: Sequence[StoredTrajectory],
    *,
    trajectory_id: str | None = None,
    step: int | None = None,
    choose: str = "first",
) -> list[StoredTrajectory]:
    """The trajectories that match, those first that `choose` names.

    Raises:
        ConfigError: None matches, or there is no such choice.
    """
    if choose not in CHOICES:
        raise ConfigError(f"There is no choice {choose!r}; there are {', '.join(CHOICES)}.")
    kept = [entry for entry in stored if step is None or entry.step == step]
    if not kept:
        steps = ", ".join(str(number) for number in sorted({entry.step for entry in stored}))
        raise ConfigError(f"No trajectory of step {step} is stored; there are some of steps {steps or '(none)'}.")
    if trajectory_id is not None:
        found = [entry for entry in kept if entry.trajectory.id == trajectory_id]  # may begin the id of its retry
        found = found or [entry for entry in kept if _is_called(entry, trajectory_id)]
        if not found:
            some = ", ".join(entry.trajectory.id for entry in kept[:_MAX_NEAR_IDS])
            raise ConfigError(f"No trajectory's or task's id begins with {trajectory_id!r}; there are {some}, ...")
        kept = found
    chosen = list(CHOICES[choose](kept))
    if not chosen:
        raise ConfigError(f"None of the {len(kept)} trajectories that match is of the kind {choose!r}.")
    return chosen


def list_trajectories(stored: Iterable[StoredTrajectory]) -> Table:
    """One line a trajectory."""
    table = Table(box=box.SIMPLE_HEAD)
    for heading in ("step", "id", "task", "outcome"):
        table.add_column(heading, no_wrap=heading in ("step", "id"))
    for heading in ("return", "advantage", "turns", "calls", "tokens", "seconds"):
        table.add_column(heading, justify="right")
    for entry in stored:
        trajectory = entry.trajectory
        advantage = sum(entry.advantages) / len(entry.advantages) if entry.advantages else None
        table.add_row(
            str(entry.step),
            Text(visible(trajectory.id)),
            Text(visible(trajectory.task.id)),
            outcome_text(trajectory),
            f"{trajectory.total_reward:g}",
            "" if advantage is None else f"{advantage:+.2f}",
            str(len(trajectory.turns)),
            str(sum(len(turn.results) for turn in trajectory.turns)),
            str(trajectory.num_action_tokens),
            f"{trajectory.seconds:.1f}",
        )
    return table


def print_transcript(stored: StoredTrajectory, console: Console) -> None:
    """Print one trajectory: what was said, called, answered, earned and credited, turn by turn."""
    trajectory = stored.trajectory
    _print_header(stored, console)
    for message in trajectory.prompt:
        _print_message(message, console)
    for number, turn in enumerate(trajectory.turns, start=1):
        advantage = stored.advantages[number - 1] if number <= len(stored.advantages) else None
        console.print(Rule(_turn_title(number, turn, advantage), align="left", style="dim"))
        _print_turn(turn, console)
    if trajectory.error:
        _print_block("error", trajectory.error, "bold red", console)
    console.print()


def visible(text: str) -> str:
    """The text with control characters written out, all but tab and newline."""
    return "".join(char if char in _TAB_AND_NEWLINE or char.isprintable() else _written_out(char) for char in text)


def one_line(turn: Turn, max_characters: int) -> str:
    """What the model did in a turn, on one line: its calls, or else its text; cut in the middle where it is long."""
    said = "; ".join(map(_call, turn.message.tool_calls)) or _content(turn.message.content)
    text = visible(" ".join(said.split())) or "(empty)"
    if len(text) <= max_characters:
        return text
    kept = max_characters - len(_LEFT_OUT)
    return text[: kept - kept // 2] + _LEFT_OUT + text[len(text) - kept // 2 :]


def _written_out(char: str) -> str:
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _is_called(entry: StoredTrajectory, beginning: str) -> bool:
    return entry.trajectory.id.startswith(beginning) or entry.trajectory.task.id.startswith(beginning)


def outcome_text(trajectory: Trajectory) -> Text:
    """How a trajectory ended."""
    style = "green" if trajectory.success else "yellow" if trajectory.scored else "bold red"
    return Text(f"{trajectory.outcome}{', success' if trajectory.success else ''}", style)


def _print_header(stored: StoredTrajectory, console: Console) -> None:
    trajectory = stored.trajectory
    versions = sorted({turn.version for turn in trajectory.turns})
    console.print(Rule(Text(visible(trajectory.id), "bold"), align="left"))
    facts = Text.assemble(
        outcome_text(trajectory), f"   return {trajectory.total_reward:g}{_parts(trajectory.rewards)}"
    )
    console.print(facts)
    span = "" if not versions else f"   version {versions[0]}" + (f" to {versions[-1]}" if versions[1:] else "")
    counts = f"{len(trajectory.turns)} turns   {trajectory.num_action_tokens} tokens   {trajectory.seconds:.2f} s"
    console.print(
        Text(f"task {visible(trajectory.task.id)}   step {stored.step}   group {visible(stored.group)}{span}")
    )
    console.print(Text(counts, "dim"))


def _turn_title(number: int, turn: Turn, advantage: float | None) -> Text:
    title = Text(f"turn {number}", "bold")
    if not turn.valid:
        title.append("   invalid", "red")
    title.append(f"   reward {turn.reward:g}{_parts(turn.rewards)}", "green" if turn.reward > 0 else "")
    if advantage is not None:
        title.append(f"   advantage {advantage:+.3f}", "green" if advantage > 0 else "red" if advantage < 0 else "")
    tokens = f"   {len(turn.action_ids)} tokens" if turn.action_ids else ""
    title.append(f"{tokens}   {turn.engine_seconds:.2f} + {turn.environment_seconds:.2f} s", "dim")
    if turn.opens_sequence and number > 1:
        title.append("   context rewritten", "yellow")
    return title


def _parts(rewards: Mapping[str, float | None]) -> str:
    if not rewards:
        return ""
    named = (f"{visible(name)} {'unscored' if value is None else f'{value:g}'}" for name, value in rewards.items())
    return f" ({', '.join(named)})"


def _print_turn(turn: Turn, console: Console) -> None:
    """The turn; a tool's answer stands once, at its call, though it is in the observation too."""
    _print_message(turn.message, console, calls=not turn.results)
    shown: list[Message] = []
    for result in turn.results:
        _print_result(result, console)
        shown.append(result.message())
    for message in turn.observation:
        if message in shown:
            shown.remove(message)
        else:
            _print_message(message, console)


def _print_message(message: Message, console: Console, *, calls: bool = True) -> None:
    text = _content(message.content)
    if text or not message.tool_calls:
        label = f"{message.role} {message.name}" if message.name else message.role
        _print_block(label, text or "(empty)", "cyan" if message.role == "assistant" else "blue", console)
    for call in message.tool_calls if calls else ():
        _print_block("call", _call(call), "magenta", console)


def _print_result(result: ToolResult, console: Console) -> None:
    _print_block("call", _call(result.call), "magenta", console)
    label = f"{result.status}   {result.seconds:.2f} s"
    if result.num_attempts > 1:
        label += f"   {result.num_attempts} attempts"
    if result.num_truncated_characters:
        label += f"   {result.num_truncated_characters} characters were left out"
    _print_block(label, _content(result.content), "green" if result.status is CallStatus.OK else "red", console)


def _print_block(label: str, text: str, style: str, console: Console) -> None:
    console.print(Text(visible(label), style))
    if len(text) > _MAX_CHARACTERS:
        text = f"{text[:_MAX_CHARACTERS]}\n[{len(text) - _MAX_CHARACTERS} more characters]"
    console.print(Padding(Text(visible(text)), (0, 0, 0, 2), expand=False))


def _content(content: Content) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(
        f"[{part.media_type}, {len(part.data)} bytes]" if isinstance(part, ImagePart) else part.text for part in content
    )


def _call(call: ToolCall) -> str:
    if isinstance(call.arguments, str):
        return f"{call.name or '?'} {call.arguments!r}"
    return f"{call.name}({', '.join(f'{key}={value!r}' for key, value in call.arguments.items())})"
