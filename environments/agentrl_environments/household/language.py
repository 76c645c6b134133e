"""The sentences of the game: ALFWorld's, to the letter."""

from collections.abc import Iterable, Sequence

NOTHING_HAPPENS = "Nothing happens."
WELCOME = "-= Welcome to TextWorld, ALFRED! =-"
HELP = """Available commands:
  look:                             look around your current location
  inventory:                        check your current inventory
  go to (receptacle):               move to a receptacle
  open (receptacle):                open a receptacle
  close (receptacle):               close a receptacle
  take (object) from (receptacle):  take an object from a receptacle
  move (object) to (receptacle):  place an object in or on a receptacle
  examine (something):              examine a receptacle or an object
  use (object):                     use an object
  heat (object) with (receptacle):  heat an object using a receptacle
  clean (object) with (receptacle): clean an object using a receptacle
  cool (object) with (receptacle):  cool an object using a receptacle
  slice (object) with (object):     slice an object using a sharp object
"""


def enumeration(phrases: Sequence[str]) -> str:
    """The phrases as a list in words: "nothing", "x", "x, and y", "x, y, and z"."""
    if not phrases:
        return "nothing"
    if len(phrases) == 1:
        return phrases[0]
    return f"{', '.join(phrases[:-1])}, and {phrases[-1]}"


def things(names: Iterable[str]) -> str:
    """The names with their articles, as a list in words. The article is always "a"."""
    return enumeration([f"a {name}" for name in names])


def intro(receptacles: Iterable[str], task: str) -> str:
    """The first observation of a game."""
    return f"{WELCOME}\n\n{in_the_middle(receptacles)}\n\nYour task is to: {task}"


def in_the_middle(seen: Iterable[str]) -> str:
    """What is seen before going anywhere."""
    return f"You are in the middle of a room. Looking quickly around you, you see {things(seen)}."


def facing(receptacles: Sequence[str], beside: Iterable[str]) -> str:
    """The answer to `look` at a location."""
    return f"You are facing the {enumeration(receptacles)}. Next to it, you see {things(beside)}."


def receptacle(name: str, contents: Iterable[str], *, openable: bool, opened: bool) -> str:
    """What a receptacle looks like."""
    if not openable:
        return f"On the {name}, you see {things(contents)}."
    if opened:
        return f"The {name} is open. In it, you see {things(contents)}."
    return f"The {name} is closed."


def container(name: str, contents: Iterable[str]) -> str:
    """What a bowl or a box that is held looks like."""
    return f"This is a normal {name}. In it, you see {things(contents)}."


def thing(name: str, *, hot: bool, cool: bool, clean: bool, sliced: bool) -> str:
    """What any other thing that is held looks like."""
    if cool and not (hot or clean or sliced):
        return f"This is a cold {name}."
    temperature = "hot" if hot else "cool" if cool else ""
    state = " and ".join(word for word in (temperature, "clean" if clean else "") if word)
    if sliced and state:
        return f"This is a {state} sliced {name}."
    if sliced or state:
        return f"This is a {state or 'sliced'} {name}."
    return f"There's nothing special about {name}."
