"""Aggregation: what each token's loss counts for in the sum that is the loss.

A weight is fixed on the batch of one optimizer step, before that is split, so that the sum over micro-batches and
processes is the loss of the whole. Units (turns, sequences, trajectories) without a sampled token do not count.
"""

from torch import Tensor

from agentrl.learning.batch import Batch
from agentrl.learning.segments import segment_count


def token_mean(batch: Batch) -> Tensor:
    """Every token counts the same; the weights sum to 1.

    Shapes: returns weight_T [T]; 0 off-action.
    Source: arXiv 2503.14476, eq. 8; verl agg_loss, "token-mean".
    """
    return _token_sum(batch) / batch.action_T.sum().clamp(min=1)


def token_sum(batch: Batch) -> Tensor:
    """Every token counts 1.

    Shapes: returns weight_T [T]; 0 off-action.
    Source: verl agg_loss, "token-sum".
    """
    return _token_sum(batch)


def turn_mean(batch: Batch) -> Tensor:
    """Every turn counts the same, and so does every token within one; the weights sum to 1.

    Shapes: returns weight_T [T]; 0 off-action.
    Source: verl agg_loss, "seq-mean-token-mean", where each row is a turn.
    """
    return _mean_of_means(batch, batch.turn_T, batch.num_turns)


def sequence_mean(batch: Batch) -> Tensor:
    """Every sequence counts the same, and so does every token within one; the weights sum to 1.

    Shapes: returns weight_T [T]; 0 off-action.
    Source: verl agg_loss, "seq-mean-token-mean", where each row is a sequence.
    """
    return _mean_of_means(batch, batch.sequence_T, batch.num_sequences)


def trajectory_mean(batch: Batch) -> Tensor:
    """Every trajectory counts the same, and so does every token within one; the weights sum to 1.

    Shapes: returns weight_T [T]; 0 off-action.
    Source: arXiv 2402.03300, eq. 3; verl agg_loss, "seq-mean-token-mean", where each row is a trajectory.
    """
    return _mean_of_means(batch, batch.trajectory_T, batch.num_trajectories)


def turn_mean_token_sum(batch: Batch) -> Tensor:
    """The mean over turns of the sum over their tokens.

    Shapes: returns weight_T [T]; 0 off-action.
    Source: verl agg_loss, "seq-mean-token-sum", where each row is a turn.
    """
    return _mean_of_sums(batch, batch.turn_T, batch.num_turns)


def sequence_mean_token_sum(batch: Batch) -> Tensor:
    """The mean over sequences of the sum over their tokens.

    Shapes: returns weight_T [T]; 0 off-action.
    Source: verl agg_loss, "seq-mean-token-sum", where each row is a sequence.
    """
    return _mean_of_sums(batch, batch.sequence_T, batch.num_sequences)


def trajectory_mean_token_sum(batch: Batch) -> Tensor:
    """The mean over trajectories of the sum over their tokens: the expectation that the policy gradient theorem names.

    Shapes: returns weight_T [T]; 0 off-action.
    Source: verl agg_loss, "seq-mean-token-sum", where each row is a trajectory.
    """
    return _mean_of_sums(batch, batch.trajectory_T, batch.num_trajectories)


def trajectory_sum_token_mean(batch: Batch) -> Tensor:
    """The sum over trajectories of the mean over their tokens: `trajectory_mean` without dividing by their number.

    Shapes: returns weight_T [T]; 0 off-action.
    Source: arXiv 2509.02333 (DCPO), "only token mean".
    Differs: the authors' code has a mean over all tokens under that name, which is `token_mean`.
    """
    num_T = segment_count(batch.trajectory_T[batch.action_T], batch.num_trajectories).clamp(min=1)[batch.trajectory_T]
    return _token_sum(batch) / num_T


def constant(batch: Batch, *, norm_tokens: int = 1024) -> Tensor:
    """The mean over trajectories of the sum over their tokens, over `norm_tokens`: no length enters.

    Shapes: returns weight_T [T]; 0 off-action.
    Source: arXiv 2503.20783, section 3; verl agg_loss, "seq-mean-token-sum-norm".
    Differs: the constant is given, where the reference code defaults to the padded length of the micro-batch.
    """
    return trajectory_mean_token_sum(batch) / norm_tokens


def _token_sum(batch: Batch) -> Tensor:
    return batch.action_T.to(batch.sampled_logprob_T.dtype)


def _mean_of_means(batch: Batch, unit_T: Tensor, num: int) -> Tensor:
    count_N = segment_count(unit_T[batch.action_T], num)
    num_filled = (count_N > 0).sum().clamp(min=1)
    return _token_sum(batch) / (count_N.clamp(min=1) * num_filled)[unit_T]


def _mean_of_sums(batch: Batch, unit_T: Tensor, num: int) -> Tensor:
    num_filled = (segment_count(unit_T[batch.action_T], num) > 0).sum().clamp(min=1)
    return _token_sum(batch) / num_filled
