"""The bundled tools. `directory` and `table` look into the private world that the task's data holds."""

import ast
import operator
import re
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from fractions import Fraction
from types import MappingProxyType
from typing import Any

from agentrl.acting.tool import AnyTool, Context, by_name, tool
from agentrl.errors import ToolError

UNITS: Mapping[str, Mapping[str, Fraction]] = MappingProxyType(
    {
        "length": {"km": Fraction(1000), "m": Fraction(1), "cm": Fraction(1, 100)},
        "weight": {"t": Fraction(1000), "kg": Fraction(1), "g": Fraction(1, 1000)},
        "age": {"years": Fraction(12), "months": Fraction(1)},
        "time": {"days": Fraction(24), "hours": Fraction(1), "minutes": Fraction(1, 60)},
    }
)  # kind -> unit -> how many of the kind's own unit it is
_QUANTITY = re.compile(r"\s*(-?\d{1,15}(?:\.\d{1,6})?)\s*([A-Za-z]+)\s*")
_MAX_EXPRESSION_CHARACTERS = 200
_MAX_NUMBER = 10**15
_OPERATORS: Mapping[type[ast.operator], Callable[[Fraction, Fraction], Fraction]] = MappingProxyType(
    {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}
)


@tool(read_only=True)
async def directory(name: str, context: Context) -> str:
    """What is known of a person.

    Args:
        name: The person's name.
        context: Of the trajectory.
    """
    return str(_entry(context.task.data.get("directory", {}), name, "entry"))


@tool(read_only=True)
async def table(row: str, column: str, context: Context) -> str:
    """One cell of a table of towns and firms.

    Args:
        row: The name of the town or the firm.
        column: What is asked of it.
        context: Of the trajectory.
    """
    cells = _entry(context.task.data.get("table", {}), row, "row")
    return str(_entry(cells, column, f"column of {row}"))


@tool(read_only=True)
async def calculator(expression: str) -> str:
    """Work out an arithmetic expression.

    Args:
        expression: Numbers, + - * / and brackets.
    """
    if len(expression) > _MAX_EXPRESSION_CHARACTERS:
        raise ToolError(f"The expression is longer than {_MAX_EXPRESSION_CHARACTERS} characters.")
    try:
        return in_digits(_value(ast.parse(expression.strip(), mode="eval").body))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ToolError(f"{expression!r} is no expression of numbers, + - * / and brackets.") from error
    except ZeroDivisionError as error:
        raise ToolError(f"{expression!r} divides by zero.") from error


@tool(read_only=True)
async def convert(quantity: str, unit: str) -> str:
    """Convert a quantity to another unit.

    Args:
        quantity: A number with its unit.
        unit: The unit to convert it to.
    """
    match = _QUANTITY.fullmatch(quantity)
    if match is None:
        raise ToolError(f"{quantity!r} is no number with a unit.")
    for units in UNITS.values():
        if match[2] in units and unit in units:
            return f"{in_digits(Fraction(match[1]) * units[match[2]] / units[unit])} {unit}"
    known = "; ".join(", ".join(units) for units in UNITS.values())
    raise ToolError(f"Cannot convert {match[2]} to {unit}. The units are {known}.")


@tool(read_only=True)
async def calendar(day: str, days: int) -> str:
    """The date some days after a date.

    Args:
        day: The date, as year-month-day.
        days: How many days later; negative for earlier.
    """
    try:
        return (date.fromisoformat(day) + timedelta(days=days)).isoformat()
    except (ValueError, OverflowError) as error:
        raise ToolError(f"There is no day {days} days after {day!r}; a date is written 2024-03-05.") from error


TOOLS: Mapping[str, AnyTool] = MappingProxyType(by_name((directory, table, calculator, convert, calendar)))


def in_digits(number: Fraction) -> str:
    """The number as it is written: whole where it is whole, else with at most 6 places."""
    if number.denominator == 1:
        return str(number.numerator)
    return f"{float(number):.6f}".rstrip("0").rstrip(".")


def _entry(entries: Mapping[str, Any], name: str, kind: str) -> Any:
    wanted = name.strip().casefold()
    for known, entry in entries.items():
        if known.casefold() == wanted:
            return entry
    raise ToolError(f"There is no {kind} {name!r}.")


def _value(node: ast.expr) -> Fraction:
    """The value of an expression.

    Raises:
        ValueError: It holds something else than numbers and operators, or grows too large.
    """
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        value = _OPERATORS[type(node.op)](_value(node.left), _value(node.right))
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = -_value(node.operand)
    elif isinstance(node, ast.Constant) and type(node.value) in (int, float):
        value = Fraction(str(node.value))
    else:
        raise ValueError(f"no arithmetic: {ast.dump(node)}")
    if abs(value) > _MAX_NUMBER:
        raise ValueError("too large")
    return value
