"""Which tool calls a trajectory may make: rules by tool name and by arguments; the first that matches decides.

What it does not protect against: a tool that does more than its arguments say. A rule sees names and arguments only.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, TypeAlias

from agentrl.errors import SandboxError, boundary

Condition: TypeAlias = Callable[[Mapping[str, Any]], bool]  # of the validated arguments


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One line: calls of these tools, with these arguments, are allowed or denied."""

    tool: str  # a name, or a pattern with * and ?
    allowed: bool
    when: Condition | None = None  # None matches any arguments
    reason: str = ""  # shown to the model on denial

    def matches(self, name: str, arguments: Mapping[str, Any]) -> bool:
        """Whether this rule decides the call.

        Raises:
            SandboxError: The condition raised: the call is not made, and the trajectory is excluded.
        """
        if not fnmatchcase(name, self.tool):
            return False
        with boundary(SandboxError, f"the rule for {self.tool!r}"):
            return self.when is None or bool(self.when(arguments))


def allow(tool: str, when: Condition | None = None) -> Rule:
    """A rule that allows the calls it matches."""
    return Rule(tool=tool, allowed=True, when=when)


def deny(tool: str, when: Condition | None = None, *, reason: str = "") -> Rule:
    """A rule that denies the calls it matches."""
    return Rule(tool=tool, allowed=False, when=when, reason=reason)


@dataclass(frozen=True, slots=True)
class Rules:
    """Rules in order; the default decides the calls that none of them matches.

    Example:
        Rules((allow("search"), allow("write", lambda a: a["path"].startswith("out/"))), default_allowed=False)
    """

    rules: tuple[Rule, ...] = ()
    default_allowed: bool = True

    def denial(self, name: str, arguments: Mapping[str, Any]) -> str | None:
        """Why the call is denied, in words for the model; None where it is allowed."""
        for rule in self.rules:
            if rule.matches(name, arguments):
                return None if rule.allowed else rule.reason or f"A call of {name} with these arguments is not allowed."
        return None if self.default_allowed else f"Calls of {name} are not allowed."


ALLOW_ALL = Rules()
