"""The official losses' padded rows as a batch, and their numbers beside ours."""

from dataclasses import replace

import pytest
import torch

from agentrl.learning.batch import Batch
from agentrl.learning.losses import AGGREGATION, total_loss


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


@pytest.fixture(scope="session")
def official(vectors, row_batch, agree):
    """Hold a surrogate against the stored values and gradients of an official loss, case by case; how many there were.

    `surrogate` makes it of a case's configuration; `prepare` is a survey, or whatever else fills columns, of the
    configuration too. The cases are all those of the file whose name starts with `prefix`.
    """

    def check(file, surrogate, aggregation, *, prefix="", prepare=None) -> int:
        stored = vectors(file)
        cases = [case for case in stored["cases"] if case["name"].startswith(prefix)]
        for case in cases:
            batch, logprob_T = row_batch(case["input"])
            batch = replace(batch, step_logprob_T=logprob_T.detach(), weight_T=AGGREGATION[aggregation](batch))
            if "entropy" in case["input"]:
                entropy_T = torch.tensor(case["input"]["entropy"], dtype=torch.float64).flatten()
                batch = replace(batch, entropy_T=entropy_T)
            if prepare is not None:
                batch = prepare(case, batch)
            loss, _ = total_loss(logprob_T, batch, surrogate=surrogate(case["config"]))
            loss.backward()
            agree(loss.detach(), case["expected"]["loss"], stored["tolerance"])
            agree(logprob_T.grad, case["expected"]["grad_log_prob"], stored["tolerance"])
        return len(cases)

    return check


@pytest.fixture(scope="session")
def with_ratios(tiny_batch):
    """A batch of one trajectory with a turn of one token for each ratio, and the log-probabilities that give them."""

    def build(*ratios, advantage=1.0) -> tuple[Batch, torch.Tensor]:
        batch = tiny_batch([[[0.0] * len(ratios)]])
        advantage_U = torch.as_tensor(advantage, dtype=torch.float64).expand(len(ratios))
        batch = replace(batch, advantage_T=batch.turn_to_token(advantage_U))
        logprob_T = batch.sampled_logprob_T + batch.turn_to_token(torch.tensor(ratios, dtype=torch.float64).log())
        return replace(batch, step_logprob_T=logprob_T), logprob_T.clone().requires_grad_()

    return build


@pytest.fixture(scope="session")
def of_tokens():
    """The values and gradients of a surrogate on the sampled tokens; elsewhere there must be none."""

    def measure(surrogate, logprob_T, batch) -> tuple[list[float], list[float]]:
        loss_T = surrogate(logprob_T, batch)
        (gradient_T,) = torch.autograd.grad(loss_T.sum(), logprob_T)
        assert not loss_T[~batch.action_T].any()
        assert not gradient_T[~batch.action_T].any()
        return loss_T[batch.action_T].tolist(), gradient_T[batch.action_T].tolist()

    return measure
