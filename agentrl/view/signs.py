"""How advantages look in the terminal: signed numbers, and a strip with one character a turn."""

from collections.abc import Sequence

from rich.text import Text

NO_ADVANTAGE = 1e-8  # one that is smaller is none
LEGEND = (
    "Advantages are means over turns. Turn by turn: + positive, - negative, . none; bold from half of the step's "
    "largest on."
)
_POSITIVE, _NEGATIVE = "green", "red"


def signed(advantage: float) -> Text:
    """An advantage as a number; what is appended has no colour of its own."""
    if abs(advantage) < NO_ADVANTAGE:
        return Text.assemble(("0", "dim"))
    return Text.assemble((f"{advantage:+.3f}", _POSITIVE if advantage > 0 else _NEGATIVE))


def strip(advantages: Sequence[float], largest: float) -> Text:
    """One character a turn: its advantage's sign, bold where it is at least half of the largest."""
    text = Text(overflow="fold")
    for advantage in advantages:
        if abs(advantage) < NO_ADVANTAGE:
            text.append(".", "dim")
            continue
        style = _POSITIVE if advantage > 0 else _NEGATIVE
        text.append("+" if advantage > 0 else "-", f"bold {style}" if abs(advantage) >= largest / 2 else style)
    return text
