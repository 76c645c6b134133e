"""What rooms hold: which receptacles there are, what is found in them, what may be put there, and what can be done.

The real games bring tables of their own; these are what houses are generated from, and what the experts expect.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from agentrl_environments.household.house import APPLIANCES, Kind, Treatment

OPENABLE = frozenset({"cabinet", "drawer", "fridge", "microwave", "safe"})
LAMPS = frozenset({"desklamp", "floorlamp"})
SLICEABLE = frozenset({"apple", "bread", "egg", "lettuce", "potato", "tomato"})
CONTAINERS = frozenset({"bowl", "box", "cup", "mug", "pan", "plate", "pot"})
_WASHABLE = """
apple bowl butterknife cloth cup dishsponge egg fork kettle knife ladle lettuce mug pan plate pot potato soapbar
spatula spoon tomato
"""
TREATABLE: Mapping[Treatment, frozenset[str]] = MappingProxyType(
    {
        Treatment.CLEAN: frozenset(_WASHABLE.split()),
        Treatment.COOL: SLICEABLE | CONTAINERS - {"box"} | {"winebottle"},
        Treatment.HEAT: frozenset({"apple", "bread", "cup", "egg", "mug", "plate", "potato", "tomato"}),
    }
)

# Of each thing, where it is found, with how many parts in all; and after the bar, where else it may be put.
_HOMES = """
alarmclock: desk 6 sidetable 6 dresser 4 shelf 4 diningtable 1 | drawer cabinet
apple: fridge 6 countertop 5 diningtable 4 sinkbasin 2 garbagecan 2 microwave 2 sidetable 1 | cabinet shelf
book: bed 7 desk 5 coffeetable 4 sofa 3 dresser 3 sidetable 2 drawer 2 armchair 2 shelf 2 | cabinet countertop
bowl: cabinet 6 countertop 4 fridge 3 diningtable 3 desk 2 shelf 2 coffeetable 2 sinkbasin 1 microwave 1 sidetable 1
box: sofa 4 coffeetable 4 diningtable 4 sidetable 2 armchair 1 dresser 1 shelf 1 | ottoman cabinet desk
bread: countertop 8 diningtable 4 fridge 2 sidetable 1 | microwave cabinet garbagecan shelf
butterknife: countertop 7 diningtable 4 drawer 3 sinkbasin 1 | sidetable cabinet
candle: countertop 4 toilet 4 sidetable 3 coffeetable 3 drawer 2 cabinet 2 shelf 1 cart 1 diningtable 1 | dresser
cd: drawer 5 desk 4 dresser 3 sidetable 3 shelf 2 garbagecan 1 | safe bed coffeetable cabinet countertop
cellphone: bed 5 desk 3 drawer 3 dresser 2 sidetable 2 sofa 2 coffeetable 2 shelf 1 armchair 1 | safe cabinet
cloth: cabinet 4 drawer 4 bathtubbasin 4 countertop 3 sinkbasin 2 shelf 1 toilet 1 cart 1 | sidetable
creditcard: drawer 4 sofa 3 desk 3 sidetable 3 coffeetable 3 dresser 3 shelf 2 armchair 2 diningtable 1 | safe cabinet
cup: cabinet 5 countertop 5 fridge 3 diningtable 3 sinkbasin 2 microwave 2 shelf 1 sidetable 1 | coffeemachine
dishsponge: countertop 5 cabinet 4 drawer 4 sinkbasin 3 diningtable 1 bathtubbasin 1 garbagecan 1 shelf 1 | sidetable
egg: fridge 6 countertop 5 sinkbasin 2 garbagecan 2 microwave 2 diningtable 2 | cabinet sidetable shelf
fork: countertop 6 drawer 5 diningtable 4 sinkbasin 2 | sidetable cabinet
glassbottle: cabinet 5 countertop 4 diningtable 2 sinkbasin 1 garbagecan 1 fridge 1 shelf 1 | sidetable
handtowel: handtowelholder 9 countertop 1 | cabinet garbagecan bathtubbasin shelf dresser
kettle: stoveburner 6 countertop 3 cabinet 3 diningtable 1 sinkbasin 1 | shelf sidetable
keychain: drawer 4 coffeetable 3 desk 3 sidetable 3 shelf 2 dresser 2 sofa 2 armchair 1 safe 1 diningtable 1 | ottoman
knife: countertop 6 drawer 4 diningtable 3 sinkbasin 1 | sidetable cabinet
ladle: countertop 5 drawer 3 cabinet 3 diningtable 2 sinkbasin 1 | sidetable
laptop: bed 8 sofa 4 desk 4 coffeetable 4 diningtable 2 dresser 1 armchair 1 | ottoman sidetable
lettuce: countertop 6 fridge 4 diningtable 4 sinkbasin 1 | garbagecan cabinet sidetable
mug: countertop 5 cabinet 4 coffeemachine 3 desk 3 fridge 2 diningtable 2 sidetable 2 shelf 2 microwave 1 sinkbasin 1
newspaper: sofa 4 coffeetable 4 diningtable 3 sidetable 3 shelf 2 armchair 1 dresser 1 drawer 1 | ottoman garbagecan
pan: stoveburner 7 countertop 4 cabinet 2 diningtable 1 fridge 1 | sinkbasin shelf
pen: desk 4 drawer 3 sidetable 3 shelf 2 dresser 2 coffeetable 2 diningtable 1 garbagecan 1 | countertop cabinet
pencil: desk 4 drawer 3 sidetable 3 shelf 2 dresser 2 coffeetable 2 diningtable 1 garbagecan 1 | countertop cabinet
peppershaker: cabinet 5 countertop 5 drawer 3 diningtable 2 shelf 1 | sidetable
pillow: bed 8 sofa 7 armchair 2 | ottoman
plate: cabinet 6 countertop 4 diningtable 3 coffeetable 2 fridge 1 shelf 1 sinkbasin 1 microwave 1 | sidetable
pot: stoveburner 8 countertop 2 cabinet 1 fridge 1 diningtable 1 | sinkbasin shelf
potato: fridge 5 countertop 5 diningtable 3 sinkbasin 2 microwave 2 garbagecan 1 | cabinet sidetable
remotecontrol: coffeetable 4 sofa 4 sidetable 3 drawer 2 dresser 2 tvstand 2 armchair 2 desk 1 | ottoman shelf
saltshaker: cabinet 5 countertop 5 drawer 3 diningtable 2 shelf 1 | sidetable
soapbar: countertop 3 toilet 3 sinkbasin 3 bathtubbasin 2 cabinet 2 drawer 2 garbagecan 1 shelf 1 cart 1 | sidetable
soapbottle: countertop 5 toilet 4 cabinet 4 shelf 2 garbagecan 2 diningtable 1 drawer 1 | cart sidetable
spatula: countertop 6 drawer 4 diningtable 3 sinkbasin 2 | sidetable cabinet
spoon: countertop 5 drawer 5 diningtable 3 sinkbasin 2 | sidetable cabinet
spraybottle: countertop 5 toilet 4 cabinet 3 shelf 2 garbagecan 1 cart 1 | sidetable drawer
statue: coffeetable 4 shelf 4 sidetable 3 diningtable 3 dresser 2 tvstand 1 desk 1 countertop 1 | cabinet drawer
tissuebox: coffeetable 4 countertop 3 sidetable 3 shelf 3 desk 2 drawer 2 diningtable 2 toilet 1 dresser 1 | cabinet
toiletpaper: toilet 4 countertop 4 cabinet 3 drawer 3 toiletpaperhanger 2 garbagecan 1 shelf 1 cart 1 | bathtubbasin
tomato: fridge 6 countertop 5 diningtable 4 garbagecan 1 sinkbasin 1 sidetable 1 | microwave cabinet shelf
towel: towelholder 9 countertop 1 | bathtubbasin shelf
vase: shelf 5 coffeetable 3 diningtable 2 sidetable 2 dresser 2 countertop 1 cabinet 1 | desk tvstand safe
watch: drawer 4 coffeetable 3 sidetable 3 shelf 2 dresser 2 desk 2 diningtable 1 tvstand 1 | safe cabinet countertop
wateringcan: coffeetable 4 shelf 3 sidetable 2 | diningtable dresser
winebottle: countertop 5 cabinet 4 diningtable 3 garbagecan 1 shelf 1 fridge 1 | sidetable
"""


def _read_homes() -> Mapping[str, Mapping[str, int]]:
    homes: dict[str, Mapping[str, int]] = {}
    for line in _HOMES.strip().splitlines():
        thing, _, places = line.partition(": ")
        found, _, allowed = places.partition(" | ")
        words = found.split()
        parts = {place: int(weight) for place, weight in zip(words[::2], words[1::2], strict=True)}
        homes[thing] = MappingProxyType(parts | dict.fromkeys(allowed.split(), 0))
    return MappingProxyType(homes)


HOMES = _read_homes()  # thing type -> receptacle type -> weight; 0: may be put there, and is not found there


def _fits() -> Mapping[str, frozenset[str]]:
    places = sorted({place for home in HOMES.values() for place in home})
    return MappingProxyType(
        {place: frozenset(thing for thing, home in HOMES.items() if place in home) for place in places}
    )


FITS = _fits()  # receptacle type -> types of the things that may be put there


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """A kind of room."""

    receptacles: Mapping[str, int]  # type -> how many there are at most
    things: tuple[str, ...]  # types of what is found there, lamps apart
    fixtures: frozenset[str] = frozenset()  # receptacle types of which there is always one
    on_demand: frozenset[str] = frozenset()  # receptacle types that are there only when the task needs them
    lamp: str | None = None


def _room(receptacles: str, things: str, *, fixtures: str = "", on_demand: str = "", lamp: str | None = None) -> Room:
    words = receptacles.split()
    return Room(
        receptacles={type_: int(most) for type_, most in zip(words[::2], words[1::2], strict=True)},
        things=tuple(things.split()),
        fixtures=frozenset(fixtures.split()),
        on_demand=frozenset(on_demand.split()),
        lamp=lamp,
    )


ROOMS: Mapping[str, Room] = MappingProxyType(
    {
        "kitchen": _room(
            "cabinet 16 coffeemachine 1 countertop 3 diningtable 1 drawer 8 fridge 1 garbagecan 1 microwave 1 shelf 3 "
            "sidetable 1 sinkbasin 1 stoveburner 4 toaster 1",
            "apple bowl bread butterknife cup dishsponge egg fork glassbottle kettle knife ladle lettuce mug pan "
            "peppershaker plate pot potato saltshaker soapbottle spatula spoon tomato winebottle",
            fixtures="coffeemachine countertop fridge garbagecan microwave sinkbasin stoveburner toaster",
        ),
        "bathroom": _room(
            "bathtubbasin 1 cabinet 5 cart 1 countertop 2 drawer 5 garbagecan 1 handtowelholder 2 shelf 2 sinkbasin 2 "
            "toilet 1 toiletpaperhanger 1 towelholder 1",
            "candle cloth dishsponge handtowel soapbar soapbottle spraybottle tissuebox toiletpaper towel",
            fixtures="garbagecan sinkbasin toilet",
        ),
        "bedroom": _room(
            "armchair 2 bed 2 desk 2 drawer 8 dresser 1 garbagecan 1 safe 1 shelf 6 sidetable 2",
            "alarmclock book bowl cd cellphone creditcard keychain laptop mug pen pencil pillow remotecontrol statue "
            "tissuebox vase watch",
            fixtures="bed garbagecan",
            lamp="desklamp",
        ),
        "livingroom": _room(
            "armchair 2 cabinet 4 coffeetable 2 diningtable 1 drawer 6 dresser 1 garbagecan 1 ottoman 1 shelf 6 "
            "sidetable 3 sofa 2 tvstand 1",
            "book box candle cellphone creditcard keychain laptop newspaper pen pencil pillow plate remotecontrol "
            "statue tissuebox vase watch wateringcan",
            fixtures="garbagecan sofa",
            lamp="floorlamp",
        ),
        "studio": _room(
            "cabinet 2 countertop 1 drawer 1 fridge 1 microwave 1 shelf 1 sidetable 1 sinkbasin 1",
            "apple book bowl candle cup egg fork knife mug pen plate potato spoon tomato vase watch",
            on_demand="fridge microwave sinkbasin",
            lamp="desklamp",
        ),
    }
)
LAMP_PLACES = ("coffeetable", "desk", "diningtable", "dresser", "shelf", "sidetable")


@cache
def goals_in(room_name: str, kind: Kind) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """What tasks of the kind in the room can be about: types of things, each with the types of where it may belong."""
    room, treatment = ROOMS[room_name], kind.treatment
    if kind is Kind.LIGHT:
        return tuple((thing, (room.lamp,)) for thing in room.things) if room.lamp else ()
    appliances = APPLIANCES[treatment] if treatment else frozenset[str]()
    if treatment and appliances.isdisjoint(room.receptacles):
        return ()
    things = [thing for thing in room.things if treatment is None or thing in TREATABLE[treatment]]
    places = [place for place in room.receptacles if place not in appliances | room.on_demand]
    found = {thing: tuple(place for place in places if place in HOMES[thing]) for thing in things}
    return tuple((thing, targets) for thing, targets in found.items() if targets)
