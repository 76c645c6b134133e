"""Credit by what a critic expected: generalised advantage estimation, over tokens or over turns."""

from typing import Literal, NamedTuple, TypeAlias

import torch
from torch import Tensor

from agentrl.errors import ConfigError
from agentrl.learning.batch import Batch
from agentrl.learning.credit.comparison import whiten
from agentrl.learning.credit.returns import reward_of_steps
from agentrl.learning.segments import discounted_sum, segment_first, segment_last

Step: TypeAlias = Literal["tokens", "turns"]


class CriticCredit(NamedTuple):
    """The two parts of the advantage, before it is whitened, and what the critic should have expected."""

    reward_T: Tensor  # what was earned from the step on, discounted by discount x gae_lambda
    value_T: Tensor  # how what the critic expected rose from the step on, discounted likewise
    target_T: Tensor  # the advantage plus what the critic expected: what to train it towards; 0 off-action


def gae(
    batch: Batch,
    *,
    discount: float = 1.0,
    gae_lambda: float = 0.95,
    over: Step = "tokens",
    bootstrap: bool = False,
    whitened: bool = False,
) -> Tensor:
    """Advantage of each token or turn: the discounted sum, from it on, of how much better it went than expected.

    A step is followed by the next one that the policy sampled, whatever the environment said in between. A turn's
    reward is earned by its last sampled token, or by the last one before it where it has none.

    Args:
        batch: With `value_T`.
        discount: Of a reward or value, by steps (gamma).
        gae_lambda: 1: what was earned, minus what was expected; 0: only what the next value says.
        over: What a step is: "tokens"; "turns", whose value is that before their first sampled token.
        bootstrap: A trajectory that was cut off is taken to go on as well as its last step promised; else nothing
            follows a cut, as nothing follows an end. Limits are part of most tasks, and one of them is on messages
            that cannot be acted upon, which bootstrapping would forgive: so it is to be asked for.
        whitened: Standardise over all sampled tokens of the batch.

    Raises:
        ConfigError: The batch has no values.

    Shapes: returns advantage_T [T]; 0 off-action; constant inside a turn if over turns.
    Source: arXiv 1506.02438, eq. 16; verl core_algos.py, compute_gae_advantage_return. Over turns: the same recursion.
    Differs: the reference code has neither `over="turns"` nor `bootstrap`, and always whitens.
    """
    parts = critic_credit(batch, discount=discount, gae_lambda=gae_lambda, over=over, bootstrap=bootstrap)
    advantage_T = parts.reward_T + parts.value_T
    advantage_T = whiten(advantage_T, batch.action_T) if whitened else advantage_T
    return advantage_T.to(batch.sampled_logprob_T.dtype)


def critic_credit(
    batch: Batch, *, discount: float = 1.0, gae_lambda: float = 0.95, over: Step = "tokens", bootstrap: bool = False
) -> CriticCredit:
    """The parts of the advantage, and the targets of the critic; arguments as of `gae`.

    Shapes: columns of [T] f64; 0 off-action.
    Source: arXiv 1506.02438, eq. 16; verl core_algos.py, compute_gae_advantage_return.
    """
    if batch.value_T is None:
        raise ConfigError(
            "Generalised advantage estimation needs a critic's values, and the batch has none: add the annotator "
            "that fills them, or choose an algorithm that needs none, such as 'grpo' or 'turn_return'."
        )
    turn_N = batch.turn_T[batch.action_T]  # N: steps, of which there are fewer below if they are turns
    value_N = batch.value_T[batch.action_T].double()
    step_N = torch.arange(turn_N.numel(), device=turn_N.device)
    if over == "turns":
        first_N = segment_first(turn_N)
        step_N, turn_N, value_N = first_N.cumsum(0) - 1, turn_N[first_N], value_N[first_N]
    trajectory_N = batch.trajectory_U[turn_N]
    last_N = segment_last(trajectory_N)
    cut_N = last_N & ~batch.terminated_B[trajectory_N] & bootstrap
    next_N = torch.where(last_N, torch.where(cut_N, value_N, 0), value_N.roll(-1))
    fade = discount * gae_lambda
    reward_N = discounted_sum(reward_of_steps(batch, turn_N), trajectory_N, fade)
    rise_N = discounted_sum(discount * next_N - value_N, trajectory_N, fade)
    columns = [torch.zeros(batch.num_tokens, dtype=torch.float64, device=turn_N.device) for _ in range(3)]
    for column_T, x_N in zip(columns, (reward_N, rise_N, reward_N + rise_N + value_N), strict=True):
        column_T[batch.action_T] = x_N[step_N]
    return CriticCredit(*columns)
