"""Memory: what a player knows who has nothing but the text of the observations, full or compact."""

import re

from agentrl_environments.household.actions import parse
from agentrl_environments.household.language import NOTHING_HAPPENS

_NAME = re.compile(r"[a-z]+ \d+")
_ROOM = re.compile(r"[Yy]ou see ([^.]+)\.")
_CONTENTS = re.compile(r"(?:On the ([^,.]+)|The ([^,.]+) is open\. In it), you see ([^.]+)\.")
_CLOSED = re.compile(r"The ([^,.]+) is closed\.")
_FINDING = re.compile(r"At ([^.]+)\. (Closed|Not here|Found ([^.]+))\.")


def type_of(name: str) -> str:
    """The type in a name: "mug" of "mug 1"."""
    return name.rpartition(" ")[0]


class Memory:
    """What has been seen and done in one game."""

    def __init__(self, intro: str) -> None:
        room = _ROOM.search(intro)
        self.places: list[str] = _NAME.findall(room[1]) if room else []
        self.here: set[str] = set()  # receptacles that can be reached without going anywhere
        self.held: str | None = None
        self.where: dict[str, str] = {}  # the receptacle of each thing that was seen, and not taken from it
        self.closed: set[str] = set()
        self.searched: set[str] = set()  # receptacles that hold nothing more to be seen
        self.treated: set[str] = set()  # things that were cleaned, heated or cooled
        self.failed: set[str] = set()  # commands that did nothing
        self._is_compact = "Goal: " in intro

    def note(self, command: str, answer: str) -> None:
        """Remember what the command did, as far as its answer tells."""
        parsed = parse(command)
        if answer.startswith(NOTHING_HAPPENS):
            if parsed and parsed.tool == "go_to":
                self.here.add(parsed.arguments["receptacle"])  # it was here already
            else:
                self.failed.add(command)
            return
        if parsed:
            self._note_effect(parsed.tool, **parsed.arguments)
        self._read(answer)

    def _note_effect(self, tool: str, object: str = "", receptacle: str = "", **_: str) -> None:
        match tool:
            case "go_to":
                self.here = {receptacle}
            case "open":
                self.closed.discard(receptacle)
            case "close":
                self.closed.add(receptacle)
            case "take":
                self.held = object
                self.where.pop(object, None)
            case "move":
                self.held = None
                self.where[object] = receptacle
            case "clean" | "heat" | "cool":
                self.treated.add(object)
            case _:
                pass
        if self._is_compact and tool in ("take", "move"):
            self.searched.clear()  # compact observations speak of one thing only, and it is now another

    def _read(self, answer: str) -> None:
        for on, within, listed in _CONTENTS.findall(answer):
            place = on or within
            self._forget_contents(place)
            self.where.update(dict.fromkeys(_NAME.findall(listed), place))
            self.searched.add(place)
            self.closed.discard(place)
        self.closed.update(_CLOSED.findall(answer))
        for here, finding, found in _FINDING.findall(answer):
            self._read_finding(_NAME.findall(here), finding, found)

    def _read_finding(self, here: list[str], finding: str, found: str) -> None:
        if finding == "Closed":
            self.closed.update(here)
        elif finding == "Not here":
            self.searched.update(here)
            for place in here:
                self._forget_contents(place)
        elif found not in self.places:
            self.where[found] = here[0]

    def _forget_contents(self, place: str) -> None:
        self.where = {thing: seen for thing, seen in self.where.items() if seen != place}
