"""Columns that a frozen model, or the policy as it is, gives by a forward pass over the batch."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Literal

from agentrl.errors import ConfigError
from agentrl.learning.annotate.annotator import Annotator, Materials, Scorer
from agentrl.learning.batch import Batch, pack
from agentrl.learning.policy import Policy, PolicyOutput
from agentrl.learning.score import score
from agentrl.trajectory import Group, Task, Trajectory, Turn


def reference(materials: Materials) -> Annotator:
    """`reference_logprob_T`, by the policy as it was before reinforcement learning: what a KL term holds on to."""
    policy = materials.load_start()

    def fill(batch: Batch, groups: Sequence[Group]) -> Batch:
        return replace(batch, reference_logprob_T=_score(policy, batch, materials).logprob_T)

    return Scorer(fill)


def old_logprobs(materials: Materials) -> Annotator:
    """`old_logprob_T`, by the policy before its update.

    The ratio then starts at 1 whatever the engine's numbers are, and how far those are off is for a correction.

    Source: verl ray_trainer.py, fit (the pass that computes old_log_probs).
    """

    def fill(batch: Batch, groups: Sequence[Group]) -> Batch:
        return replace(batch, old_logprob_T=_score(materials.policy, batch, materials).logprob_T)

    return Scorer(fill)


def entropy(materials: Materials) -> Annotator:
    """`entropy_T`, by the policy before its update, where the engine gave none."""

    def fill(batch: Batch, groups: Sequence[Group]) -> Batch:
        if batch.entropy_T is not None:
            return batch
        return replace(batch, entropy_T=_score(materials.policy, batch, materials, entropy=True).entropy_T)

    return Scorer(fill)


def teacher(materials: Materials, *, path: str) -> Annotator:
    """`reference_logprob_T`, by another model: the KL term then distils it, on what the policy itself samples.

    Args:
        materials: What to make it of.
        path: A directory or a hub name, of a model with the policy's tokenizer.

    Raises:
        ConfigError: There is no such model, or it reads other tokens.

    Source: arXiv 2306.13649 (on-policy distillation), 2506.02208 (KDRL: beside reinforcement).
    Differs: of the teacher's distribution, the probability of the sampled token alone is used. Checked: from the
        papers' text alone.
    """
    policy = materials.load_model(path)
    own, other = (_vocabulary(each) for each in (materials.policy, policy))
    if own != other:
        raise ConfigError(
            f"The teacher {path!r} reads other tokens than the policy ({len(other)} and {len(own)} of them). Take one "
            "of the same family, with the same tokenizer."
        )

    def fill(batch: Batch, groups: Sequence[Group]) -> Batch:
        return replace(batch, reference_logprob_T=_score(policy, batch, materials).logprob_T)

    return Scorer(fill)


def privileged(
    materials: Materials, *, model: Literal["start", "current"] = "start", hint: str = "\n\nThe answer: {answer}"
) -> Annotator:
    """`reference_logprob_T`, by the policy itself with the answer in its prompt: by the KL term it teaches itself.

    Args:
        materials: What to make it of.
        model: "start": the policy as it was before reinforcement learning; "current": as it is.
        hint: What is added to the end of the prompt's last message; {answer} stands for the accepted answers.

    Raises:
        ConfigError: The suite knows no answers.

    Source: arXiv 2601.18734 (OPSD), section 4.1; siyan-zhao/OPSD, data_collator.py (where the solution stands).
    Differs: of the teacher's distribution, the probability of the sampled token alone is used, where the paper compares
        whole distributions; every prompt that a trajectory opens a sequence with gets the hint; a task without answers
        gets none. Checked: the code that builds the prompts was read, the rest is from the paper's text.
    """
    answers = answers_of(materials, "privileged")
    policy = materials.load_start() if model == "start" else materials.policy

    def told(trajectory: Trajectory) -> Trajectory:
        accepted = answers(trajectory.task)
        if not accepted:
            return trajectory
        ids = materials.encode(hint.format(answer="; ".join(accepted)))
        opens = (number == 0 or turn.opens_sequence for number, turn in enumerate(trajectory.turns))
        turns = (
            _with_hint(turn, ids, materials.opening_ids) if is_prompt else turn
            for turn, is_prompt in zip(trajectory.turns, opens, strict=True)
        )
        return replace(trajectory, turns=tuple(turns))

    def fill(batch: Batch, groups: Sequence[Group]) -> Batch:
        informed = pack([replace(group, trajectories=tuple(map(told, group.trajectories))) for group in groups])
        logprob_T = _score(policy, informed, materials).logprob_T
        reference_T = logprob_T.new_zeros(batch.num_tokens)
        reference_T[batch.action_T] = logprob_T[informed.action_T]
        return replace(batch, reference_logprob_T=reference_T)

    return Scorer(fill)


def answers_of(materials: Materials, name: str) -> Callable[[Task], Sequence[str]]:
    """What gives the accepted answers of a task; `name` is the annotator that asks."""
    if materials.answers is None:
        raise ConfigError(
            f"The annotator {name!r} needs answers, and the suite knows none: give it `answers`, a function from a "
            "task to the accepted ones, or choose another algorithm."
        )
    return materials.answers


def _score(policy: Policy, batch: Batch, materials: Materials, *, entropy: bool = False) -> PolicyOutput:
    return score(policy, batch, temperature=materials.temperature, max_tokens=materials.max_tokens, entropy=entropy)


def _vocabulary(policy: Policy) -> Mapping[str, int]:
    return {} if policy.tokenizer is None else policy.tokenizer.get_vocab()


def _with_hint(turn: Turn, hint: Sequence[int], opening: Sequence[int]) -> Turn:
    """The turn, whose context is a prompt, with the hint at the end of the prompt's last message."""
    end = len(turn.context_ids) - len(opening)
    if turn.context_ids[end:] != tuple(opening):
        raise ConfigError(
            "The annotator 'privileged' cannot tell where a prompt's last message ends: the prompt does not end as the "
            "chat template opens an assistant's message after a user's."
        )
    return replace(turn, context_ids=(*turn.context_ids[:end], *hint, *opening))
