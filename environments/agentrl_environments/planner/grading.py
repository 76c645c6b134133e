"""Grading: whether a final answer is the right one. By rules, so that it never fails and costs nothing."""

import math
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from agentrl.trajectory import Task

Grade: TypeAlias = Callable[[str, Task], float | Awaitable[float]]  # the final answer, the task -> what it is worth

_MARK = "answer:"
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_QUANTITY = re.compile(r"(?<![\w.])(-?\d+(?:\.\d+)?)(?:\s?([a-z]+)\b)?")


def grade(answer: str, task: Task) -> float:
    """1 where the answer is one of those that the task's data has under "answer", else 0.

    What follows the last "Answer:" counts, or else the whole. Case, blanks and thousands separators do not matter. A
    number, with or without a unit, or a date may stand in a sentence, if no other one stands there.
    """
    said = _normalised(answer)
    said = said[said.rfind(_MARK) + len(_MARK) :].strip() if _MARK in said else said
    return float(any(_is_same(said, _normalised(right)) for right in accepted(task)))


def accepted(task: Task) -> Sequence[str]:
    """The answers that are right."""
    right = task.data["answer"]
    return [str(entry) for entry in right] if isinstance(right, list | tuple) else [str(right)]


def _normalised(text: str) -> str:
    return " ".join(_THOUSANDS.sub("", text).casefold().split()).strip(" .!\"'*`")


def _is_same(said: str, right: str) -> bool:
    if said == right:
        return True
    if _DATE.fullmatch(right):
        return set(_DATE.findall(said)) == {right}
    quantity = _QUANTITY.fullmatch(right)
    if quantity is None:
        return False
    value, unit = float(quantity[1]), quantity[2]
    found = [(float(number), word) for number, word in _QUANTITY.findall(said)]
    return bool(found) and all(
        math.isclose(number, value, rel_tol=1e-9, abs_tol=1e-9) and (unit is None or word == unit)
        for number, word in found
    )
