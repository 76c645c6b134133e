"""Annotators fill columns that need a model, after collecting and before credit is assigned."""

from dataclasses import replace

import torch

from agentrl.learning.batch import Batch
from agentrl.learning.policy import Policy


def reference_logprobs(batch: Batch, policy: Policy, *, temperature: float = 1.0) -> Batch:
    """The batch with the log-probabilities that a frozen policy gives the sampled tokens; what a KL term holds on to.

    Args:
        batch: Whole sequences.
        policy: The reference, which is not changed.
        temperature: The one the tokens were sampled at.
    """
    with torch.no_grad():
        output = policy.logprobs(batch.to(policy.device), temperature=temperature)
    return replace(batch, reference_logprob_T=output.logprob_T.to(batch.token_T.device))
