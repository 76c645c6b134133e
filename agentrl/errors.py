"""Exceptions, and the one place that classifies foreign ones.

    AgentRLError
     +- ConfigError             the run is described wrongly          -> the process stops before work starts (exit 2)
     +- ToolError               the model used a tool wrongly         -> shown to the model, the turn goes on
     +- RolloutError            this trajectory cannot be trusted     -> recorded, excluded from training, refilled
         +- EngineError             the engine failed to sample
         +- EnvironmentFault        the environment raised or hung
         +- SandboxError            the machinery behind a tool failed
         +- GraderError             the reward could not be decided

Users raise plain Python errors and `ToolError`; `boundary` attributes everything else to the boundary it crossed.
"""

from collections.abc import Generator
from contextlib import contextmanager


class AgentRLError(Exception):
    """Root of every error that agentrl raises on purpose."""


class ConfigError(AgentRLError):
    """The run, or what it refers to, is described wrongly; the message says what was given and what to do."""


class ToolError(AgentRLError):
    """What the model asked of a tool cannot be done; the text is shown to the model."""


class RolloutError(AgentRLError):
    """The trajectory at hand cannot be trusted: it is excluded, never scored as 0."""


class EngineError(RolloutError):
    """The engine did not return a usable completion."""


class EnvironmentFault(RolloutError):
    """The environment raised, or passed a deadline, through no fault of the model."""


class SandboxError(RolloutError):
    """The machinery behind a tool (process, browser, server) failed."""


class GraderError(RolloutError):
    """A reward could not be decided."""


@contextmanager
def boundary(kind: type[RolloutError], where: str) -> Generator[None, None, None]:
    """Attribute whatever escapes to the boundary it crossed; our own errors pass through unchanged.

    Example:
        with boundary(EnvironmentFault, "household.reset"):
            observation = await environment.reset(task)
    """
    try:
        yield
    except AgentRLError:
        raise
    except Exception as error:
        raise kind(f"{where}: {type(error).__name__}: {error}") from error
