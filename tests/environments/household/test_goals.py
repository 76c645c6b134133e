"""The compiled goals against the goals as written, which an evaluator of PDDL without short cuts decides."""

import random
import re
from collections.abc import Iterator

import pytest

from agentrl_environments.household.alfworld import parse_problem
from agentrl_environments.household.engine import Game
from agentrl_environments.household.house import Kind

Facts = dict[str, set[tuple[str, ...]]]


def read(text: str) -> list:
    """The first bracketed expression as nested lists."""
    stack: list[list] = [[]]
    for token in re.findall(r"[()]|[^\s()]+", text):
        if token == "(":
            stack.append([])
        elif token == ")":
            done = stack.pop()
            if len(stack) == 1:
                return done
            stack[-1].append(done)
        else:
            stack[-1].append(token)
    raise AssertionError("the expression does not end")


def bindings(condition: list, facts: Facts, bound: dict[str, str]) -> Iterator[dict[str, str]]:
    """Every way to bind the free variables that makes the condition true."""
    head, *rest = condition
    if head == "and":
        yield from conjunction(sorted(rest, key=lambda part: part[0] == "not"), facts, bound)
    elif head == "exists":
        names = [name for name in rest[0] if name.startswith("?")]
        inner = {name: value for name, value in bound.items() if name not in names}
        if next(bindings(rest[1], facts, inner), None) is not None:
            yield bound
    elif head == "not":
        if next(bindings(rest[0], facts, bound), None) is None:
            yield bound
    elif head == "=":
        if bound[rest[0]] == bound[rest[1]]:
            yield bound
    else:
        for fact in facts.get(head, ()):
            if all(bound.get(name, value) == value for name, value in zip(rest, fact, strict=True)):
                yield bound | dict(zip(rest, fact, strict=True))


def conjunction(parts: list, facts: Facts, bound: dict[str, str]) -> Iterator[dict[str, str]]:
    if not parts:
        yield bound
        return
    for extended in bindings(parts[0], facts, bound):
        yield from conjunction(parts[1:], facts, extended)


def facts_of(game: Game) -> Facts:
    """The state in the words of the domain; things and receptacles go by their names."""
    things, places = game.house.things, game.house.receptacles
    able = {"cleanable": "clean", "heatable": "heat", "coolable": "cool"}
    marks = {"isclean": game.clean, "ishot": game.hot, "iscool": game.cool, "istoggled": game.toggled}
    facts: Facts = {
        "inreceptacle": {
            (things[thing].name, place.name) for index, place in enumerate(places) for thing in game.contents[index]
        },
        "objecttype": {(thing.name, f"{thing.type}type") for thing in things},
        "receptacletype": {(place.name, f"{place.type}type") for place in places},
        "receptacleatlocation": {(place.name, f"location {place.location}") for place in places},
        "atlocation": {("agent", f"location {game.location}")},
        "holds": {("agent", things[game.held].name)} if game.held >= 0 else set(),
        "toggleable": {(thing.name,) for thing in things if thing.toggleable},
    }
    for predicate, treatment in able.items():
        facts[predicate] = {(thing.name,) for thing in things if treatment in thing.treatable}
    for predicate, mask in marks.items():
        facts[predicate] = {(thing.name,) for index, thing in enumerate(things) if mask >> index & 1}
    return facts


def holds(condition: list, game: Game) -> bool:
    facts = facts_of(game)
    constants = {f"{kind.type}type" for kind in (*game.house.things, *game.house.receptacles)}
    constants |= {f"{game.house.goal.thing}type", f"{game.house.goal.target}type"}
    return next(bindings(condition, facts, {name: name for name in constants}), None) is not None


def num_wins(problem: str, commands: list[str], seed: int) -> int:
    """In how many states it is won, by both; they must agree before, during and after the commands."""
    condition = read(problem[problem.index("(:goal") :].lower())[1]
    game, rng = Game(parse_problem(problem, ".")), random.Random(seed)
    wandering = [None] * 15
    wins = 0
    for command in [*wandering, *commands, *wandering]:
        handy = [c for c in game.admissible if not c.startswith(("look", "help", "inventory", "examine"))]
        game.step(command or rng.choice(handy))
        assert game.won == holds(condition, game), (game.house.goal, game.snapshot())
        wins += game.won
    return wins


@pytest.mark.parametrize("kind", list(Kind))
def test_compiled_goals_agree_with_the_written_ones_on_the_small_game(problem, solution, kind):
    wins = sum(num_wins(problem(kind.value), solution(kind.value), seed) for seed in range(60))
    assert 0 < wins < 60 * 30


def test_compiled_goals_agree_with_the_written_ones_on_real_games(real_games):
    wins = sum(num_wins(entry["problem"], entry["walkthrough"], seed) for seed, entry in enumerate(real_games[::30]))
    assert wins > 50
