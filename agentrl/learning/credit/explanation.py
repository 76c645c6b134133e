"""Why a turn has its advantage: the parts that it is the sum of, and the turns that it was compared with."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor

from agentrl.learning.batch import Batch
from agentrl.learning.credit.anchor import anchor_credit, gigpo
from agentrl.learning.credit.branch import arpo, branch_credit, hard_attribution
from agentrl.learning.credit.critic import critic_credit, gae
from agentrl.learning.credit.information import igpo, information_credit
from agentrl.learning.credit.outcome import grpo, rloo
from agentrl.learning.credit.process import oprl, process_credit
from agentrl.learning.credit.returns import return_to_go
from agentrl.learning.credit.semi_online import semi_online_credit, ui_s1
from agentrl.learning.credit.turn import sibling_baseline, turn_return
from agentrl.learning.segments import segment_position


class Explanation(NamedTuple):
    """An advantage taken apart."""

    parts: Mapping[str, Tensor]  # name -> column over turns (it ends in _U) or tokens (_T), 0 where there is nothing
    # to say; weights are in it: on sampled tokens the parts add up to the advantage, before that is whitened as a whole
    peers_U: (
        Tensor | None
    )  # int64  turns with the same number were compared with each other; None: turns were with none


Explain: TypeAlias = Callable[..., Explanation]  # (batch, and the keywords of the credit function)


def explain_grpo(batch: Batch, **keywords: Any) -> Explanation:
    """One part, by the trajectory's return."""
    return Explanation({"episode_U": batch.token_to_turn(grpo(batch, **keywords))}, batch.group_U)


def explain_rloo(batch: Batch) -> Explanation:
    """One part, by the trajectory's return."""
    return Explanation({"episode_U": batch.token_to_turn(rloo(batch))}, batch.group_U)


def explain_turn_return(batch: Batch, **keywords: Any) -> Explanation:
    """What the turn and those after it earned, and what the siblings say one may expect there."""
    return_U = return_to_go(batch, _settings(turn_return, keywords)["discount"])
    silent_U = batch.token_to_turn(turn_return(batch, **keywords)) == 0
    parts = {"return_to_go_U": return_U, "expected_U": -sibling_baseline(batch, return_U)}
    number_U = segment_position(batch.trajectory_U)
    peers_U = batch.group_U * (int(number_U.max()) + 1) + number_U
    return Explanation({name: torch.where(silent_U, 0, part_U) for name, part_U in parts.items()}, peers_U)


def explain_gigpo(batch: Batch, **keywords: Any) -> Explanation:
    """By the trajectory's return, and by the return-to-go from the same state."""
    settings = _settings(gigpo, keywords)
    step_weight = settings.pop("step_weight")
    parts = anchor_credit(batch, **settings)
    return Explanation({"episode_U": parts.episode_U, "step_U": step_weight * parts.step_U}, parts.anchor_U)


def explain_igpo(batch: Batch, **keywords: Any) -> Explanation:
    """By what the turn and those after it told of the answer, and by the trajectory's return."""
    parts = information_credit(batch, **_settings(igpo, keywords))
    return Explanation(parts._asdict(), batch.group_U)


def explain_oprl(batch: Batch, **keywords: Any) -> Explanation:
    """By the trajectory's return, and by the turn's process reward."""
    settings = _settings(oprl, keywords)
    weights = {"episode_U": settings.pop("episode_weight"), "step_U": settings.pop("step_weight")}
    parts = process_credit(batch, **settings)._asdict()
    return Explanation({name: weight * parts[name] for name, weight in weights.items()}, batch.group_U)


def explain_arpo(batch: Batch, **keywords: Any) -> Explanation:
    """By the return of the turn's own trajectory, and what sharing the decision with others changes in that."""
    settings = _settings(arpo, keywords)
    attribution = settings.pop("attribution")
    parts = branch_credit(batch, **settings)
    if attribution == "soft":
        return Explanation({"own_U": parts.own_U}, batch.group_U)
    return Explanation({"own_U": parts.own_U, "sharing_U": hard_attribution(parts) - parts.own_U}, parts.decision_U)


def explain_gae(batch: Batch, **keywords: Any) -> Explanation:
    """What was earned, and how what the critic expected rose."""
    settings = _settings(gae, keywords)
    settings.pop("whitened")
    parts = critic_credit(batch, **settings)
    return Explanation({"reward_T": parts.reward_T, "value_T": parts.value_T}, None)


def explain_ui_s1(batch: Batch, **keywords: Any) -> Explanation:
    """By the trajectory's return, and by what the turn's run of matches earned, against the group's same turn."""
    settings = _settings(ui_s1, keywords)
    weights = {"episode_U": settings.pop("episode_weight"), "step_U": settings.pop("step_weight")}
    parts = semi_online_credit(batch, **settings)
    columns = parts._asdict()
    return Explanation({name: weight * columns[name] for name, weight in weights.items()}, parts.place_U)


def _settings(credit: Callable[..., Tensor], keywords: Mapping[str, Any]) -> dict[str, Any]:
    """The keyword arguments of a credit function: its defaults, and what was given instead."""
    parameters = inspect.signature(credit).parameters.values()
    own = {word.name: word.default for word in parameters if word.kind is inspect.Parameter.KEYWORD_ONLY}
    return own | dict(keywords)
