"""How long credit takes for 4,096 trajectories of 50 turns, by every function of the table.

Run it: python examples/benchmarks/credit.py      (processor seconds, the least of three)
"""

import time

import torch

from agentrl.learning.batch import Batch
from agentrl.learning.credit import CREDIT

NUM_TRAJECTORIES, NUM_TURNS, NUM_TOKENS, GROUP_SIZE, NUM_STATES = 4096, 50, 10, 8, 5000


def large_batch() -> Batch:
    """Turns of 6 context tokens and 4 sampled ones, with random rewards and states."""
    turn = torch.arange(NUM_TRAJECTORIES * NUM_TURNS)
    token = torch.arange(turn.numel() * NUM_TOKENS)
    generator = torch.Generator().manual_seed(0)
    return Batch(
        token_T=token % 1000,
        action_T=token % NUM_TOKENS >= 6,
        sampled_logprob_T=torch.zeros(token.numel()),
        turn_T=token // NUM_TOKENS,
        position_T=token % (NUM_TURNS * NUM_TOKENS),
        reward_U=torch.rand(turn.numel(), generator=generator, dtype=torch.float64),
        trajectory_U=turn // NUM_TURNS,
        sequence_U=turn // NUM_TURNS,
        version_U=torch.zeros_like(turn),
        valid_U=turn % 7 > 0,
        group_B=torch.arange(NUM_TRAJECTORIES) // GROUP_SIZE,
        terminated_B=torch.ones(NUM_TRAJECTORIES, dtype=torch.bool),
        state_key_U=torch.randint(0, NUM_STATES, turn.shape, generator=generator),
        origin_U=turn - (turn % NUM_TURNS < 10) * (turn // NUM_TURNS % 2) * NUM_TURNS,  # pairs share ten turns
        matched_U=turn % 5 > 0,
        information_gain_U=torch.rand(turn.numel(), generator=generator) * (turn % NUM_TURNS < NUM_TURNS - 1),
        process_reward_T=torch.rand(token.shape, generator=generator) * (token % NUM_TOKENS >= 6),
        value_T=torch.rand(token.shape, generator=generator) * (token % NUM_TOKENS >= 6),
        entropy_T=torch.where(token % NUM_TOKENS >= 6, torch.rand(token.shape, generator=generator), 0),
        answer_B=torch.arange(NUM_TRAJECTORIES) % 5,
        prior_value_B=torch.full((NUM_TRAJECTORIES,), 25.0, dtype=torch.float64),
        prior_mean_B=torch.full((NUM_TRAJECTORIES,), 25.0, dtype=torch.float64),
        prior_std_B=torch.full((NUM_TRAJECTORIES,), 2.0, dtype=torch.float64),
        prior_count_B=torch.full((NUM_TRAJECTORIES,), 3.0, dtype=torch.float64),
    )


def main() -> None:
    """Print one line a function."""
    batch = large_batch()
    for name, credit in CREDIT.items():
        seconds: list[float] = []
        for _ in range(3):
            began = time.process_time()
            credit(batch)
            seconds.append(time.process_time() - began)
        print(f"{name:<28} {min(seconds):.3f} s")


if __name__ == "__main__":
    main()
