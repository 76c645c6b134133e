"""Annotators fill columns that need a model, after collecting and before credit is assigned; some learn to.

Which ones a run has is a row's choice; they are made when the policy is there, and asked in the row's order.
"""

from collections.abc import Callable, Sequence
from types import MappingProxyType

from agentrl.choice import checked_arguments, choose
from agentrl.learning.algorithms import Algorithm, Part
from agentrl.learning.annotate import scorers
from agentrl.learning.annotate.annotator import Annotator, Materials
from agentrl.learning.annotate.critic import critic
from agentrl.learning.annotate.implicit import implicit_reward
from agentrl.learning.annotate.information import information_gains
from agentrl.learning.annotate.similar_anchors import similar_anchors

__all__ = ["ANNOTATORS", "Annotator", "Materials", "annotators_of", "make_annotators"]

ANNOTATORS: MappingProxyType[str, Callable[..., Annotator]] = MappingProxyType(
    {
        "critic": critic,
        "entropy": scorers.entropy,
        "implicit_reward": implicit_reward,
        "information_gain": information_gains,
        "old_logprobs": scorers.old_logprobs,
        "privileged": scorers.privileged,
        "reference": scorers.reference,
        "similar_anchors": similar_anchors,
        "teacher": scorers.teacher,
    }
)

_REFERENCES = frozenset({"privileged", "teacher"})  # that fill `reference_logprob_T` in the reference's place


def annotators_of(recipe: Algorithm) -> tuple[Part, ...]:
    """The annotators of the algorithm, behind those that its other parts need and that it does not name.

    Raises:
        ConfigError: There is no such annotator, or it takes no such argument.
    """
    needs = {
        "reference": bool(recipe.kl_coefficient),
        "old_logprobs": recipe.correction is not None,
        "entropy": recipe.needs_entropies,  # costs nothing where the engine gives them
    }
    names = {"reference" if part.name in _REFERENCES else part.name for part in recipe.annotators}
    needed = (Part(name) for name, is_needed in needs.items() if is_needed and name not in names)
    named = (*needed, *recipe.annotators)
    for part in named:
        checked_arguments(choose(ANNOTATORS, part.name, "annotator"), part.arguments, f"The annotator {part.name!r}")
    return named


def make_annotators(parts: Sequence[Part], materials: Materials) -> dict[str, Annotator]:
    """The annotators by number and name, in order."""
    return {
        f"{number}-{part.name}": choose(ANNOTATORS, part.name, "annotator")(materials, **part.arguments)
        for number, part in enumerate(parts)
    }
