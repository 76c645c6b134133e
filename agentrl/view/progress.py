"""Live progress of a run in the terminal."""

from collections.abc import Mapping
from time import monotonic
from types import TracebackType
from typing import Self

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn
from rich.text import Text

_LINES_PER_PHASE = 20  # on a console that is no terminal, where a bar cannot be redrawn


class _TimeLeft(ProgressColumn):
    def render(self, task: Task) -> Text:
        """Minutes and seconds left, from the mean time of the steps so far."""
        if task.finished:
            return Text(f"{_clock(task.elapsed or 0)} taken", style="dim")
        if not task.completed or not task.total or task.elapsed is None:
            return Text("-:-- left", style="dim")
        return Text(f"{_clock(task.elapsed / task.completed * (task.total - task.completed))} left", style="dim")


class RunProgress:
    """One bar a phase: step, success, reward, tokens a second, time left; plain lines where there is no terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars = Progress(
            TextColumn("[bold]{task.description:<14}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[facts]}"),
            _TimeLeft(),
            console=console,
            disable=not console.is_terminal,
        )
        self._total = 0
        self._phase = ""
        self._bar = self._bars.add_task("", visible=False, facts="")
        self._began = monotonic()

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bars.stop()

    def phase(self, name: str, total: int) -> None:
        """Begin a phase of `total` steps."""
        self._phase, self._total, self._began = name, total, monotonic()
        self._bar = self._bars.add_task(name, total=total, facts="")

    def step(self, number: int, facts: Mapping[str, str]) -> None:
        """Step `number` of the phase is done; `facts` are shown beside it."""
        text = "  ".join(f"{name} {value}" for name, value in facts.items())
        self._bars.update(self._bar, completed=number, facts=text)
        if not self._console.is_terminal and (
            number == self._total or number % max(1, self._total // _LINES_PER_PHASE) == 0
        ):
            taken = _clock(monotonic() - self._began)
            self._console.print(f"{self._phase} {number}/{self._total}  {text}  {taken}", highlight=False)

    def say(self, what: RenderableType) -> None:
        """Print something above the bars."""
        self._console.print(what, highlight=False)


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
