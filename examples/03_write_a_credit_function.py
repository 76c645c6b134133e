"""A credit function of one's own, tried on ten lines of data, without a model.

It is then named in a run file:

    [algorithm]
    name = "grpo"
    args = { credit = "my_module:last_turn_credit" }

Run it: python examples/03_write_a_credit_function.py
"""

import torch
from torch import Tensor

import agentrl as ar
from agentrl.learning.segments import segment_mean


def last_turn_credit(batch: ar.Batch) -> Tensor:
    """Advantage: the trajectory's return minus its group's mean, for the last turn alone.

    Shapes: returns advantage_T [T]; 0 off-action.
    """
    return_B = torch.zeros(batch.num_trajectories, dtype=batch.reward_U.dtype)
    return_B.index_add_(0, batch.trajectory_U, batch.reward_U)
    baseline_G = segment_mean(return_B, batch.group_B, batch.num_groups)
    advantage_B = return_B - baseline_G[batch.group_B]
    is_last_U = torch.ones(batch.num_turns, dtype=torch.bool)
    is_last_U[:-1] = batch.trajectory_U[1:] != batch.trajectory_U[:-1]
    return batch.turn_to_token(torch.where(is_last_U, advantage_B[batch.trajectory_U], 0.0))


def group(*returns: float) -> ar.Group:
    """Siblings of two turns each, which earn their return with the second."""
    task = ar.Task("example")

    def turn(reward: float) -> ar.Turn:
        ids = {"context_ids": (1, 2), "action_ids": (3,), "logprobs": (-0.7,)}
        return ar.Turn(message=ar.Message("assistant", "..."), reward=reward, **ids)

    trajectories = tuple(
        ar.Trajectory(id=str(n), task=task, prompt=(), turns=(turn(0.0), turn(r)), outcome=ar.Outcome.FINISHED)
        for n, r in enumerate(returns)
    )
    return ar.Group(id="g", task=task, trajectories=trajectories)


def main() -> None:
    """Print what each turn gets, by this function and by the algorithms of the table."""
    batch = ar.pack([group(1.0, 0.0, 0.0), group(1.0, 1.0, 1.0)])
    for name in ("grpo", "turn_return", last_turn_credit):
        credit = name if callable(name) else ar.algorithm(name).credit
        advantages = batch.token_to_turn(credit(batch)).view(-1, 2)
        title = name if isinstance(name, str) else name.__name__
        print(f"{title:<18}", *(f"{first:+.2f},{second:+.2f}" for first, second in advantages.tolist()))


if __name__ == "__main__":
    main()
