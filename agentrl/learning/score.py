"""What a policy says about the sampled tokens of a batch of any size, without gradients."""

import torch

from agentrl.learning.batch import Batch, consecutive
from agentrl.learning.policy import Policy, PolicyOutput


@torch.no_grad()
def score(
    policy: Policy, batch: Batch, *, temperature: float = 1.0, max_tokens: int = 8192, entropy: bool = False
) -> PolicyOutput:
    """What the policy says about the sampled tokens; the batch passes in parts, and nothing is kept for gradients.

    Args:
        policy: Who is asked.
        batch: Whole sequences.
        temperature: The one the tokens were sampled at.
        max_tokens: Most tokens in one forward pass; a longer sequence goes alone.
        entropy: Also return the entropies.
    """
    parts = [
        policy.logprobs(part.to(policy.device), temperature=temperature, entropy=entropy)
        for part in consecutive(batch, max_tokens)
    ]
    device = batch.token_T.device
    entropies = [part.entropy_T for part in parts if part.entropy_T is not None]
    return PolicyOutput(
        logprob_T=torch.cat([part.logprob_T for part in parts]).to(device),
        entropy_T=torch.cat(entropies).to(device) if entropy else None,
    )
