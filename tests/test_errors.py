import pickle

import pytest

from agentrl import errors
from agentrl.errors import (
    AgentRLError,
    ConfigError,
    EngineError,
    EnvironmentFault,
    GraderError,
    RolloutError,
    SandboxError,
    ToolError,
    boundary,
)

TREE = [
    (ConfigError, AgentRLError),
    (ToolError, AgentRLError),
    (RolloutError, AgentRLError),
    (EngineError, RolloutError),
    (EnvironmentFault, RolloutError),
    (SandboxError, RolloutError),
    (GraderError, RolloutError),
]


@pytest.mark.parametrize(("kind", "parent"), TREE)
def test_the_tree_is_as_drawn(kind: type[Exception], parent: type[Exception]) -> None:
    assert kind.__base__ is parent
    assert errors.__doc__ is not None
    assert f"+- {kind.__name__} " in errors.__doc__
    assert kind.__doc__


def test_every_error_of_the_module_is_in_the_tree() -> None:
    defined = {value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)}
    assert defined == {AgentRLError, *(kind for kind, _ in TREE)}


@pytest.mark.parametrize("kind", [kind for kind, _ in TREE])
def test_errors_survive_pickling(kind: type[Exception]) -> None:
    copy = pickle.loads(pickle.dumps(kind("what happened")))
    assert type(copy) is kind
    assert str(copy) == "what happened"


def test_a_foreign_error_is_attributed_to_the_boundary_that_it_crossed() -> None:
    with (
        pytest.raises(SandboxError, match=r"^the tool search: KeyError: 'x'$") as caught,
        boundary(SandboxError, "the tool search"),
    ):
        raise KeyError("x")
    assert isinstance(caught.value.__cause__, KeyError)


@pytest.mark.parametrize("error", [ToolError("a"), ConfigError("b"), GraderError("c")])
def test_our_own_errors_pass_through_a_boundary_unchanged(error: AgentRLError) -> None:
    with pytest.raises(type(error)) as caught, boundary(SandboxError, "somewhere"):
        raise error
    assert caught.value is error


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_what_ends_the_process_is_no_failure_of_the_machinery(kind: type[BaseException]) -> None:
    with pytest.raises(kind), boundary(SandboxError, "somewhere"):
        raise kind


def test_a_boundary_changes_nothing_where_nothing_fails() -> None:
    with boundary(SandboxError, "somewhere"):
        value = 3
    assert value == 3
