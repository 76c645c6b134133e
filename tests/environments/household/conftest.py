"""A small hand-written game in ALFWorld's form, and the real games where they are found."""

import json
import lzma
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agentrl_environments.household.alfworld import parse_problem
from agentrl_environments.household.engine import Game
from agentrl_environments.household.house import House

_ROOT = Path(__file__).parents[3]
_PLACES = [os.environ.get("ALFWORLD_DATA"), str(_ROOT.parent / "shared" / "data" / "alfworld")]

_FACTS = """
(receptacleType CounterTop_bar_1 CounterTopType) (receptacleAtLocation CounterTop_bar_1 loc_bar_1)
(receptacleType Cabinet_bar_1 CabinetType) (receptacleAtLocation Cabinet_bar_1 loc_bar_2) (openable Cabinet_bar_1)
(receptacleType Cabinet_bar_2 CabinetType) (receptacleAtLocation Cabinet_bar_2 loc_bar_2) (openable Cabinet_bar_2)
(receptacleType Sink_bar_1_bar_SinkBasin SinkBasinType) (receptacleAtLocation Sink_bar_1_bar_SinkBasin loc_bar_3)
(receptacleType Microwave_bar_1 MicrowaveType) (receptacleAtLocation Microwave_bar_1 loc_bar_4)
(openable Microwave_bar_1)
(receptacleType Fridge_bar_1 FridgeType) (receptacleAtLocation Fridge_bar_1 loc_bar_5) (openable Fridge_bar_1)
(receptacleType SideTable_bar_1 SideTableType) (receptacleAtLocation SideTable_bar_1 loc_bar_6)
(objectType Mug_bar_1 MugType) (inReceptacle Mug_bar_1 CounterTop_bar_1) (objectAtLocation Mug_bar_1 loc_bar_1)
(objectType Mug_bar_2 MugType) (inReceptacle Mug_bar_2 Cabinet_bar_1) (objectAtLocation Mug_bar_2 loc_bar_2)
(isReceptacleObject Mug_bar_1) (isReceptacleObject Mug_bar_2)
(inReceptacleObject ButterKnife_bar_1 Mug_bar_1)
(objectType ButterKnife_bar_1 ButterKnifeType) (inReceptacle ButterKnife_bar_1 CounterTop_bar_1)
(objectAtLocation ButterKnife_bar_1 loc_bar_1)
(objectType Apple_bar_1 AppleType) (inReceptacle Apple_bar_1 CounterTop_bar_1) (objectAtLocation Apple_bar_1 loc_bar_1)
(objectType DeskLamp_bar_1 DeskLampType) (inReceptacle DeskLamp_bar_1 SideTable_bar_1) (toggleable DeskLamp_bar_1)
(objectAtLocation DeskLamp_bar_1 loc_bar_6)
(objectType Window_bar_1 WindowType) (objectAtLocation Window_bar_1 loc_bar_1)
(pickupable Mug_bar_1) (pickupable Mug_bar_2) (pickupable ButterKnife_bar_1) (pickupable Apple_bar_1)
(cleanable Mug_bar_1) (cleanable Mug_bar_2) (cleanable Apple_bar_1)
(heatable Mug_bar_1) (heatable Mug_bar_2) (heatable Apple_bar_1)
(coolable Mug_bar_1) (coolable Mug_bar_2) (coolable Apple_bar_1)
(sliceable Apple_bar_1) (isCool Mug_bar_2) (atLocation agent1 loc_bar_0)
(canContain CounterTopType MugType) (canContain CounterTopType AppleType) (canContain CabinetType MugType)
(canContain SideTableType MugType) (canContain SideTableType AppleType) (canContain MicrowaveType MugType)
"""
_TREATED = """(exists (?r - receptacle) (exists (?o - object) (and ({able} ?o) (objectType ?o MugType)
(receptacleType ?r SideTableType) ({mark} ?o) (inReceptacle ?o ?r))))"""
GOALS = {
    "pick_and_place_simple": """(exists (?r - receptacle) (exists (?o - object) (and (inReceptacle ?o ?r)
(objectType ?o MugType) (receptacleType ?r SideTableType))))""",
    "look_at_obj_in_light": """(exists (?ot - object ?r - receptacle ?a - agent ?l - location) (and
(objectType ?ot DeskLampType) (toggleable ?ot) (isToggled ?ot) (receptacleAtLocation ?r ?l) (atLocation ?a ?l)
(inReceptacle ?ot ?r))) (exists (?o - object ?a - agent) (and (objectType ?o MugType) (holds ?a ?o)))""",
    "pick_clean_then_place_in_recep": _TREATED.format(able="cleanable", mark="isClean"),
    "pick_heat_then_place_in_recep": _TREATED.format(able="heatable", mark="isHot"),
    "pick_cool_then_place_in_recep": _TREATED.format(able="coolable", mark="isCool"),
    "pick_two_obj_and_place": """(exists (?r - receptacle) (exists (?o1 - object) (and (objectType ?o1 MugType)
(receptacleType ?r SideTableType) (inReceptacle ?o1 ?r) (exists (?o2 - object) (and (not (= ?o1 ?o2))
(objectType ?o2 MugType) (receptacleType ?r SideTableType) (inReceptacle ?o2 ?r))))))""",
}  # by kind of task

_FETCH = ["go to countertop 1", "take mug 2 from countertop 1"]
_PUT = ["go to sidetable 1", "move mug 2 to sidetable 1"]
SOLUTIONS = {
    "pick_and_place_simple": [*_FETCH, *_PUT],
    "look_at_obj_in_light": [*_FETCH, "go to sidetable 1", "use desklamp 1"],
    "pick_clean_then_place_in_recep": [*_FETCH, "go to sinkbasin 1", "clean mug 2 with sinkbasin 1", *_PUT],
    "pick_heat_then_place_in_recep": [*_FETCH, "go to microwave 1", "heat mug 2 with microwave 1", *_PUT],
    "pick_cool_then_place_in_recep": [*_FETCH, "go to fridge 1", "cool mug 2 with fridge 1", *_PUT],
    "pick_two_obj_and_place": [
        *[*_FETCH, *_PUT, "go to cabinet 2", "open cabinet 2", "take mug 1 from cabinet 2"],
        *["go to sidetable 1", "move mug 1 to sidetable 1"],
    ],
}  # by kind of task


def _problem(kind: str = "pick_and_place_simple") -> str:
    return f"(define (problem plan) (:init {_FACTS}) (:goal (and {GOALS[kind]})))"


def _data() -> Path | None:
    return next((Path(path) for path in _PLACES if path and Path(path).exists()), None)


@pytest.fixture
def problem() -> Callable[..., str]:
    """The small game's PDDL, with a goal of the given kind."""
    return _problem


@pytest.fixture
def solution() -> Callable[[str], list[str]]:
    """Commands that solve the small game with a goal of the given kind."""
    return SOLUTIONS.__getitem__


@pytest.fixture
def house() -> House:
    """The small game: put a mug on the side table."""
    return parse_problem(_problem(), "put a mug in sidetable.")


@pytest.fixture
def game(house: House) -> Game:
    return Game(house)


@pytest.fixture(scope="session")
def data() -> Path:
    """Where the real games are."""
    path = _data()
    if path is None:
        pytest.skip("ALFWorld's games are neither where ALFWORLD_DATA says nor in ../shared/data/alfworld")
    return path


@pytest.fixture(scope="session")
def real_games(data: Path) -> list[dict[str, Any]]:
    """The real games as they are stored, one object each."""
    path = data / "games.jsonl.xz"
    if not path.is_file():
        pytest.skip(f"{data} has no games.jsonl.xz: it is not the compact form that these tests read")
    with lzma.open(path) as lines:
        return [json.loads(line) for line in lines]
