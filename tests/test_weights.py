import subprocess
import sys
from pathlib import Path

import pytest
import torch

from agentrl.acting.engine import Sampling
from agentrl.acting.engine.local import LocalEngine
from agentrl.learning.batch import pack
from agentrl.learning.optimizer import adamw
from agentrl.learning.policy import Policy
from agentrl.learning.tiny import create_tiny
from agentrl.messages import Message
from agentrl.trajectory import Group, Outcome, Task, Trajectory, Turn
from agentrl.weights import publish


@pytest.fixture
def policy(tmp_path: Path) -> Policy:
    return Policy.load(create_tiny(tmp_path, [], ["text"], size="0.1m"))


def policy_logprobs(policy: Policy, ids: list[int], num: int) -> list[float]:
    """The last `num` tokens' log-probabilities, as the trainer's forward pass gives them."""
    turn = Turn(
        message=Message("assistant"),
        context_ids=tuple(ids[:-num]),
        action_ids=tuple(ids[-num:]),
        logprobs=(0.0,) * num,
        opens_sequence=True,
    )
    task = Task("task")
    trajectory = Trajectory(id="trajectory", task=task, prompt=(), turns=(turn,), outcome=Outcome.FINISHED)
    with torch.no_grad():
        output = policy.logprobs(pack([Group(id="group", task=task, trajectories=(trajectory,))]))
    return output.logprob_T[-num:].tolist()


async def test_the_engine_samples_with_what_was_published_and_says_its_version(policy: Policy) -> None:
    engine = LocalEngine(policy.model, max_length=100)
    optimizer = adamw(policy.parameters(), learning_rate=0.05)
    prompt, sampled = [5, 6, 7], []
    for version in (1, 2, 3):
        for _, value in policy.parameters():
            value.grad = torch.randn_like(value)
        optimizer.step()
        await publish(policy, engine, version)
        completion = await engine.generate(prompt, Sampling(max_tokens=20, seed=0), session="a")
        expected = policy_logprobs(policy, [*prompt, *completion.ids], 20)
        assert completion.version == version
        assert max(abs(a - b) for a, b in zip(expected, completion.logprobs, strict=True)) < 1e-5
        sampled.append(completion.logprobs)
    assert sampled[0] != sampled[1] != sampled[2]
    await engine.close()


@pytest.mark.parametrize(
    "program",
    [
        "import importlib.util as u; f = u.find_spec; u.find_spec = lambda n, *a: f(n, *a) if n != 'torch' else None; "
        "import agentrl.learning.batch",
        "import sys; sys.modules['transformers'] = None; import agentrl.acting.engine.local",
    ],
    ids=["learning", "local engine"],
)
def test_a_missing_extra_is_named_with_what_to_install(program: str) -> None:
    process = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert process.returncode == 1
    assert "ConfigError" in process.stderr.splitlines()[-1]
    assert "pip install 'agentrl[train]'" in process.stderr.splitlines()[-1]
