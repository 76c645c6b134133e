import asyncio
from typing import Any

import pytest

from agentrl.acting.context import Context
from agentrl.acting.tool import by_name, tool, tools_of
from agentrl.errors import ConfigError
from agentrl.trajectory import Task


@tool
async def search(query: str, num_passages: int = 3, *, context: Context) -> str:
    """Search the corpus."""
    return f"{query} x {num_passages} for {context.task.id}"


class Counter:
    def __init__(self, count: int = 0) -> None:
        self.count = count

    @tool
    async def add(self, amount: int) -> int:
        """Add to the counter."""
        self.count += amount
        return self.count

    @tool(read_only=True, name="read")
    def current(self) -> int:
        """Read the counter."""
        return self.count

    def reset_to(self, count: int) -> None:
        """Not a tool."""
        self.count = count


async def test_decorated_functions_and_methods_are_called_as_before() -> None:
    assert await search("q", 2, context=Context(Task("t"))) == "q x 2 for t"
    counter = Counter()
    assert await counter.add(2) == 2
    assert await counter.add(amount=3) == 5
    assert counter.current() == 5


def test_only_marked_methods_are_tools() -> None:
    tools = tools_of(Counter())
    assert list(tools) == ["add", "read"]
    assert "reset_to" not in tools
    assert len(tools) == 2


async def test_tools_of_an_instance_act_on_that_instance() -> None:
    one, two = Counter(1), Counter(2)
    await tools_of(one)["add"](10)
    assert (one.count, two.count) == (11, 2)
    assert tools_of(two)["read"]() == 2


async def test_a_subclass_inherits_tools_replaces_them_and_takes_them_away() -> None:
    class Double(Counter):
        @tool
        async def add(self, amount: int) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
            """Add twice."""
            return await super().add(2 * amount)

        def current(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
            """Not a tool any more."""
            return -1

    double = Double()
    assert list(tools_of(double)) == ["add"]
    assert tools_of(double)["add"].schema.description == "Add twice."
    assert await double.add(4) == 8


def test_two_tools_of_one_name_are_refused() -> None:
    class Twice:
        @tool(name="go")
        async def left(self) -> str:
            """Go left."""
            return ""

        @tool(name="go")
        async def right(self) -> str:
            """Go right."""
            return ""

    with pytest.raises(ConfigError, match="Two tools are called 'go'"):
        tools_of(Twice())


def test_an_unmarked_function_among_tools_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"no tool; mark the function with @tool"):
        by_name([lambda: 1])  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    "options",
    [
        {"timeout_seconds": 0},
        {"timeout_seconds": float("nan")},
        {"retries": -1},
        {"max_characters": 0},
        {"max_concurrent": 0},
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, Any]) -> None:
    async def fine() -> str:
        """Be fine."""
        return ""

    with pytest.raises(ConfigError, match="The tool fine has"):
        tool(**options)(fine)


def test_generators_and_objects_are_no_tools() -> None:
    async def stream() -> Any:
        """Give one after the other."""
        yield 1

    for given in (stream, Counter, asyncio.sleep(0), 3):
        with pytest.raises(ConfigError, match="takes a `def` or `async def`"):
            tool(given)  # pyright: ignore
        if asyncio.iscoroutine(given):
            given.close()


def test_schemas_are_made_once_and_binding_shares_them() -> None:
    assert tools_of(Counter())["add"].signature is Counter.add.signature
