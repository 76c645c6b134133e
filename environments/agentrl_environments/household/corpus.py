"""The real games on disk, by split: ALFWorld's own folders, or one file with a game a line."""

import json
import lzma
import os
import re
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from agentrl.acting.suite import Tasks
from agentrl.errors import ConfigError
from agentrl.trajectory import Task
from agentrl_environments.household.alfworld import parse_problem
from agentrl_environments.household.house import House

VARIABLE = "ALFWORLD_DATA"
_GAME_FILE = "game.tw-pddl"
_STATED = re.compile(r'Your task is to: ([^"\\\n]+)')
_LINE_FIELDS = ("split", "task_id", "trial", "task", "problem")
_ADVICE = (
    f"Give `data`, or the variable {VARIABLE}, the folder that alfworld-download filled, or json_2.1.1 or a split in "
    f"it; or a games.jsonl or games.jsonl.xz, each line an object with {', '.join(_LINE_FIELDS)}."
)


class Source(NamedTuple):
    """What a game is made of."""

    problem: str  # PDDL
    task: str  # the goal in words


Read: TypeAlias = Callable[[], Source]


class Corpus:
    """Real games, each read when it is played."""

    def __init__(self, games: Mapping[str, Read]) -> None:
        """The games by name, which is "split/task/trial"."""
        self._games = games
        self._house = lru_cache(maxsize=128)(self._read_house)  # a group's trajectories play the same one

    @property
    def splits(self) -> Mapping[str, Tasks]:
        """The games as tasks, in an order that mixes the kinds, so that the first few are a fair sample."""
        names: defaultdict[str, list[str]] = defaultdict(list)
        for name in sorted(self._games, key=lambda name: blake2b(name.encode()).digest()):
            names[name.partition("/")[0]].append(name)
        return {split: Tasks(partial(_task, group), len(group)) for split, group in names.items()}

    def house(self, task: Task) -> House:
        """The house that the task is played in."""
        return self._house(task.data["game"])

    def _read_house(self, name: str) -> House:
        source = self._games[name]()
        return parse_problem(source.problem, source.task)


def open_corpus(data: str | None) -> Corpus:
    """The games at `data`, or where the environment variable ALFWORLD_DATA points.

    Raises:
        ConfigError: Neither says where they are, or they are not there.
    """
    given = data or os.environ.get(VARIABLE)
    if not given:
        raise ConfigError(f"Where are ALFWorld's games? {_ADVICE}")
    return _open(Path(given).expanduser().resolve())


@lru_cache(maxsize=2)
def _open(path: Path) -> Corpus:
    games = dict(_games_in_folder(path) if path.is_dir() else _games_in_file(path))
    if not games:
        raise ConfigError(f"There are no ALFWorld games at {path}. {_ADVICE}")
    return Corpus(games)


def _task(names: Sequence[str], index: int) -> Task:
    name = names[index]
    return Task(f"household-{name}", index, {"game": name, "kind": name.split("/")[1].partition("-")[0]})


def _games_in_folder(folder: Path) -> Iterator[tuple[str, Read]]:
    """The games of ALFWorld's layout, <split>/<task>/<trial>/game.tw-pddl; without those that cannot be solved."""
    listed = [path for path in (folder / "games.jsonl", folder / "games.jsonl.xz") if path.is_file()]
    if listed:
        yield from _games_in_file(listed[0])
        return
    for path in folder.rglob(_GAME_FILE):
        split, task, trial = path.parts[-4:-1]
        if "movable" not in task and "Sliced" not in task and _is_solvable(path):
            yield f"{split}/{task}/{trial}", partial(_read_game_file, path)


def _is_solvable(path: Path) -> bool:
    return re.search(rb'"solvable":\s*true', path.read_bytes()) is not None


def _read_game_file(path: Path) -> Source:
    game = json.loads(path.read_text())
    stated = _STATED.search(game["grammar"])
    if stated is None:
        raise ConfigError(f"{path} states no task in its grammar.")
    return Source(game["pddl_problem"], stated[1])


def _games_in_file(path: Path) -> Iterator[tuple[str, Read]]:
    """The games of a file with one a line, kept compressed in memory."""
    if not path.is_file():
        raise ConfigError(f"There is nothing at {path}. {_ADVICE}")
    with lzma.open(path) if path.suffix == ".xz" else path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            game = _read_line(path, number, line)
            name = f"{game['split']}/{game['task_id']}/{game['trial']}"
            yield name, partial(_unpack, zlib.compress(game["problem"].encode(), 1), game["task"])


def _read_line(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        game = json.loads(line)
    except json.JSONDecodeError as error:
        raise ConfigError(f"{path}:{number}: not a JSON line ({error}).") from error
    missing = [field for field in _LINE_FIELDS if field not in game]
    if missing:
        raise ConfigError(f"{path}:{number}: the game has no {', '.join(missing)}.")
    return game


def _unpack(problem: bytes, task: str) -> Source:
    return Source(zlib.decompress(problem).decode(), task)
