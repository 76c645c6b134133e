import enum
import threading
from collections.abc import Callable
from typing import Any, Literal

import pytest
from pydantic import BaseModel

from agentrl.acting.context import Context
from agentrl.acting.tool import Tool, tool
from agentrl.acting.tool_schema import usage
from agentrl.errors import ConfigError, ToolError


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Item(BaseModel):
    title: str
    count: int = 1


class Node(BaseModel):
    name: str
    children: list["Node"] = []


@tool
async def search(query: str, num_passages: int = 3, *, context: Context) -> str:
    """Search the corpus.

    It is small.

    Args:
        query: What to look for,
            in words.
        num_passages: How many passages to return.
    """
    return f"{query} x {num_passages} for {context.task.id}"


def parameters(made: Tool[..., Any]) -> Any:
    return made.schema.parameters


def test_schema_says_what_signature_and_docstring_say_and_no_more() -> None:
    assert search.name == "search"
    assert search.schema.description == "Search the corpus.\n\nIt is small."
    assert parameters(search) == {
        "type": "object",
        "properties": {
            "query": {"type": "string", "description": "What to look for, in words."},
            "num_passages": {"type": "integer", "description": "How many passages to return.", "default": 3},
        },
        "required": ["query"],
    }


def test_a_tool_without_parameters_has_an_empty_object_as_schema() -> None:
    @tool
    async def wait() -> str:
        """Wait."""
        return ""

    assert parameters(wait) == {"type": "object", "properties": {}}


def test_every_kind_of_type_gets_a_schema_without_titles_references_or_null() -> None:
    @tool
    async def order(
        items: list[Item],
        title: str,
        colour: Colour = Colour.RED,
        size: Literal["s", "l"] = "s",
        note: str | None = None,
        key: int | str = 0,
        extra: dict[str, float] | None = None,
    ) -> str:
        """Order."""
        return ""

    item = {
        "type": "object",
        "properties": {"title": {"type": "string"}, "count": {"type": "integer", "default": 1}},
        "required": ["title"],
    }
    assert parameters(order)["properties"] == {
        "items": {"type": "array", "items": item},
        "title": {"type": "string"},
        "colour": {"type": "string", "enum": ["red", "blue"], "default": "red"},
        "size": {"type": "string", "enum": ["s", "l"], "default": "s"},
        "note": {"type": "string"},
        "key": {"anyOf": [{"type": "integer"}, {"type": "string"}], "default": 0},
        "extra": {"type": "object", "additionalProperties": {"type": "number"}},
    }
    assert parameters(order)["required"] == ["items", "title"]


def test_a_recursive_model_keeps_its_references() -> None:
    @tool
    async def plant(root: Node) -> str:
        """Plant a tree."""
        return root.children[0].name

    assert parameters(plant)["properties"] == {"root": {"$ref": "#/$defs/Node"}}
    assert parameters(plant)["$defs"]["Node"]["properties"]["children"]["items"] == {"$ref": "#/$defs/Node"}
    checked = plant.signature.validate({"root": {"name": "a", "children": [{"name": "b"}]}})
    assert checked["root"].children[0].name == "b"


def test_usage_is_the_call_in_one_line() -> None:
    assert usage(search.schema) == "search(query: string, num_passages: integer = 3)"

    @tool
    async def paint(colours: list[Colour], at: int | None = None, how: Literal["thin"] = "thin") -> str:
        """Paint."""
        return ""

    assert usage(paint.schema) == 'paint(colours: array of "red" | "blue", at: integer = null, how: "thin" = "thin")'


def test_validation_gives_values_of_the_annotated_types() -> None:
    @tool
    async def order(item: Item, colour: Colour, amounts: list[float]) -> str:
        """Order."""
        return ""

    checked = order.signature.validate({"item": {"title": "a"}, "colour": "blue", "amounts": [1, "2.5"]})
    assert checked == {"item": Item(title="a"), "colour": Colour.BLUE, "amounts": [1.0, 2.5]}


def test_arguments_left_out_are_left_to_the_functions_defaults() -> None:
    assert search.signature.validate({"query": "x"}) == {"query": "x"}


def test_validation_lists_every_problem_and_the_expected_call() -> None:
    with pytest.raises(ToolError) as caught:
        search.signature.validate({"num_passages": "many", "page": 2})
    text = str(caught.value)
    assert "query: Field required" in text
    assert 'num_passages: Input should be a valid integer, unable to parse string as an integer, got "many"' in text
    assert "page: Extra inputs are not permitted" in text
    assert text.endswith("Expected: search(query: string, num_passages: integer = 3).")


def test_the_context_cannot_be_given_by_the_model() -> None:
    with pytest.raises(ToolError, match="context: Extra inputs are not permitted"):
        search.signature.validate({"query": "x", "context": {}})


def test_parameters_may_have_any_name() -> None:
    @tool
    async def odd(schema: str, json: int, model_config: bool, copy: str, _hidden: str = "") -> str:
        """Odd names."""
        return f"{schema} {json} {model_config} {copy}{_hidden}"

    given = {"schema": "a", "json": 1, "model_config": True, "copy": "c", "_hidden": "h"}
    assert list(parameters(odd)["properties"]) == list(given)
    assert odd.signature.validate(given) == given


def test_the_context_may_be_a_positional_parameter() -> None:
    @tool
    async def first(context: Context, query: str) -> str:
        """Search."""
        return query

    assert first.signature.context_parameter == "context"
    assert list(parameters(first)["properties"]) == ["query"]


def test_a_tool_without_docstring_is_refused() -> None:
    with pytest.raises(ConfigError, match="The tool silent has no docstring"):

        @tool
        async def silent(x: int) -> int:
            return x


def test_an_unannotated_parameter_is_refused() -> None:
    with pytest.raises(ConfigError, match="The parameter 'x' of the tool vague has no type"):

        @tool
        async def vague(x) -> int:  # pyright: ignore
            """Vague."""
            return 0


@pytest.mark.parametrize("kind", ["args", "kwargs", "positional"])
def test_parameters_that_a_model_cannot_name_are_refused(kind: str) -> None:
    async def args(*values: int) -> int:
        """Take any."""
        return 0

    async def kwargs(**values: int) -> int:
        """Take any."""
        return 0

    async def positional(value: int, /) -> int:
        """Take one."""
        return 0

    functions: dict[str, Any] = {"args": args, "kwargs": kwargs, "positional": positional}
    with pytest.raises(ConfigError, match="every parameter must be a named one"):
        tool(functions[kind])


def test_a_docstring_that_describes_what_is_not_taken_is_refused() -> None:
    with pytest.raises(ConfigError, match="describes number, which it does not take"):

        @tool
        async def renamed(amount: int) -> int:
            """Add.

            Args:
                number: What to add.
            """
            return amount


def test_a_type_that_json_cannot_carry_is_refused() -> None:
    async def locked(lock: threading.Thread) -> str:
        """Lock."""
        return ""

    async def call(back: Callable[[int], int]) -> str:
        """Call back."""
        return ""

    functions: list[Any] = [locked, call]
    for function in functions:
        with pytest.raises(ConfigError, match=f"The tool {function.__name__} has a parameter that JSON cannot carry"):
            tool(function)


def test_an_annotation_that_names_nothing_is_refused() -> None:
    async def forward(x: "NotDefinedAnywhere") -> str:  # noqa: F821 # pyright: ignore
        """Refer forward."""
        return ""

    with pytest.raises(ConfigError, match="NotDefinedAnywhere"):
        tool(forward)


def test_annotations_may_be_texts_and_what_is_returned_need_not_be_known() -> None:
    async def quoted(number: "int", context: "Context", items: "list[Item]") -> "NotDefinedAnywhere":  # noqa: F821 # pyright: ignore
        """Take quoted types."""

    made = tool(quoted)
    assert usage(made.schema) == "quoted(number: integer, items: array of object)"
    assert made.signature.context_parameter == "context"


def test_only_so_many_problems_are_listed() -> None:
    @tool
    async def add_all(numbers: list[int]) -> int:
        """Add."""
        return sum(numbers)

    with pytest.raises(ToolError) as caught:
        add_all.signature.validate({"numbers": ["x" * 10_000] * 1000})
    assert "; and 992 more. Expected: add_all(numbers: array of integer)." in str(caught.value)
    assert len(str(caught.value)) < 4000


def test_two_contexts_are_refused() -> None:
    with pytest.raises(ConfigError, match="2 parameters of type Context"):

        @tool
        async def both(a: Context, b: Context) -> str:
            """Take two."""
            return ""
