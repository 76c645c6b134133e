import pytest

from agentrl.acting.rules import ALLOW_ALL, Rules, allow, deny
from agentrl.errors import SandboxError


def test_without_rules_everything_is_allowed() -> None:
    assert ALLOW_ALL.denial("anything", {}) is None


def test_the_first_rule_that_matches_decides() -> None:
    rules = Rules((allow("read_file"), deny("*_file", reason="Files may only be read."), allow("write_file")))
    assert rules.denial("read_file", {}) is None
    assert rules.denial("write_file", {}) == "Files may only be read."
    assert rules.denial("search", {}) is None


def test_a_default_of_denial_leaves_only_what_is_allowed() -> None:
    rules = Rules((allow("search"),), default_allowed=False)
    assert rules.denial("search", {}) is None
    assert rules.denial("Search", {}) == "Calls of Search are not allowed."


def test_a_condition_sees_the_arguments() -> None:
    rules = Rules((deny("write", lambda arguments: not arguments["path"].startswith("out/")),))
    assert rules.denial("write", {"path": "out/a"}) is None
    assert rules.denial("write", {"path": "/etc/passwd"}) == "A call of write with these arguments is not allowed."


def test_a_condition_that_fails_excludes_the_trajectory_and_allows_nothing() -> None:
    rules = Rules((allow("write", lambda arguments: arguments["no such"]),))
    with pytest.raises(SandboxError, match=r"the rule for 'write': KeyError"):
        rules.denial("write", {"path": "a"})
