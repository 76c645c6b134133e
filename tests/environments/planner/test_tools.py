"""The bundled tools: what they answer, and what they refuse in words."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrl.acting.tool import Context
from agentrl.acting.tool_caller import call_tools
from agentrl.messages import ToolCall
from agentrl.trajectory import CallStatus
from agentrl_environments.planner.tools import TOOLS, UNITS, in_digits


@pytest.fixture
def ask(task):
    async def call(called, /, **arguments):
        (result,) = await call_tools((ToolCall(called, arguments, "a"),), TOOLS, Context(task))
        return result.status, str(result.content)

    return call


@pytest.mark.parametrize(
    ("name", "arguments", "answer"),
    [
        ("directory", {"name": "mira "}, "lives in Tarn, has worked for Brook since 2021-03-05"),
        ("table", {"row": "Tarn", "column": "Distance"}, "12 km"),
        ("calculator", {"expression": "5200 - 3100"}, "2100"),
        ("calculator", {"expression": "(1 + 2) * -3 / 4"}, "-2.25"),
        ("calculator", {"expression": "0.1 + 0.2"}, "0.3"),
        ("calculator", {"expression": "1 / 3"}, "0.333333"),
        ("convert", {"quantity": "12 km", "unit": "m"}, "12000 m"),
        ("convert", {"quantity": "30m", "unit": "km"}, "0.03 km"),
        ("convert", {"quantity": "2 years", "unit": "months"}, "24 months"),
        ("calendar", {"day": "2021-03-05", "days": "90"}, "2021-06-03"),
        ("calendar", {"day": "2024-03-01", "days": -1}, "2024-02-29"),
    ],
)
async def test_each_tool_answers_in_few_words(ask, name, arguments, answer):
    assert await ask(name, **arguments) == (CallStatus.OK, answer)


@pytest.mark.parametrize(
    ("name", "arguments", "complaint"),
    [
        ("directory", {"name": "Nobody"}, "no entry 'Nobody'"),
        ("table", {"row": "Tarnish", "column": "distance"}, "no row 'Tarnish'"),
        ("table", {"row": "Tarn", "column": "colour"}, "no column of Tarn 'colour'"),
        ("calculator", {"expression": "2 ** 9"}, "is no expression"),
        ("calculator", {"expression": "__import__('os')"}, "is no expression"),
        ("calculator", {"expression": "1e400"}, "is no expression"),
        ("calculator", {"expression": "True + 1"}, "is no expression"),
        ("calculator", {"expression": "9" * 16}, "is no expression"),
        ("calculator", {"expression": "1 +"}, "is no expression"),
        ("calculator", {"expression": "(" * 190}, "is no expression"),
        ("calculator", {"expression": "1 + " * 60 + "1"}, "longer than 200"),
        ("calculator", {"expression": "1 / (2 - 2)"}, "divides by zero"),
        ("convert", {"quantity": "far", "unit": "m"}, "no number with a unit"),
        ("convert", {"quantity": "12 km", "unit": "kg"}, "Cannot convert km to kg"),
        ("convert", {"quantity": "12 miles", "unit": "m"}, "The units are km, m, cm"),
        ("calendar", {"day": "5 March", "days": 3}, "There is no day"),
        ("calendar", {"day": "2021-03-05", "days": 10**9}, "There is no day"),
    ],
)
async def test_what_cannot_be_done_is_said(ask, name, arguments, complaint):
    status, said = await ask(name, **arguments)
    assert status is CallStatus.TOOL_ERROR
    assert complaint in said


@given(st.sampled_from(list(UNITS)), st.data(), st.integers(0, 10**6))
async def test_a_conversion_there_and_back_changes_nothing(kind, data, number):
    one, other = (data.draw(st.sampled_from(list(UNITS[kind]))) for _ in range(2))
    if UNITS[kind][one] < UNITS[kind][other]:
        one, other = other, one  # to the finer unit, which needs no rounding
    there = await TOOLS["convert"](quantity=f"{number} {one}", unit=other)
    assert await TOOLS["convert"](quantity=there, unit=one) == f"{number} {one}"


@given(st.fractions(-(10**6), 10**6))
def test_digits_are_as_near_as_they_can_be(number):
    assert abs(Fraction(in_digits(number)) - number) <= Fraction(1, 10**6)
