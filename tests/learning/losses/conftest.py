"""The official losses' padded rows as a batch."""

from dataclasses import replace

import pytest
import torch

from agentrl.learning.batch import Batch


@pytest.fixture(scope="session")
def row_batch(tiny_batch):
    """Rows of columns and a mask: a row is a trajectory, a token with mask 0 the context of a turn of its own."""

    def build(data) -> tuple[Batch, torch.Tensor]:
        turns = [[{"num_context": 1 - int(m), "num_actions": int(m)} for m in row] for row in data["response_mask"]]
        batch = tiny_batch([turns])
        old_T, advantage_T, logprob_T = (
            torch.tensor(data[name], dtype=torch.float64).flatten()
            for name in ("old_log_prob", "advantages", "log_prob")
        )
        batch = replace(batch, sampled_logprob_T=old_T, advantage_T=advantage_T)
        return batch, logprob_T.requires_grad_()

    return build
