from dataclasses import replace
from functools import partial

import pytest
import torch

from agentrl.errors import ConfigError
from agentrl.learning.algorithms import algorithm
from agentrl.learning.credit.anchor import gigpo
from agentrl.learning.credit.composition import sampling_entropy
from agentrl.learning.credit.entropy import aepo, empg, seed_grpo
from agentrl.learning.credit.filters import cppo, d3s, simple_tir


def turn(entropy, key, **entry):
    return {"entropies": (entropy,), "state_key": key, **entry}


@pytest.fixture
def batch(tiny_batch):
    return tiny_batch(
        [
            [
                [turn(0.5, "a"), turn(1.5, "b", reward=1.0)],
                [turn(0.1, "a"), turn(0.7, "c", valid=False)],
                [turn(0.9, "a", reward=0.5)],
            ]
        ]
    )


def test_modifications_are_made_one_upon_the_other(batch):
    by_state = partial(gigpo, discount=0.9)
    unsure = aepo(batch, base=by_state)
    silenced = simple_tir(batch, base=partial(aepo, base=by_state))
    assert silenced[batch.trajectory_T == 1].abs().max() == 0 < unsure[batch.trajectory_T == 1].abs().max()
    assert torch.equal(silenced[batch.trajectory_T != 1], unsure[batch.trajectory_T != 1])


@pytest.mark.parametrize("modify", [aepo, empg, seed_grpo, cppo, d3s, simple_tir])
def test_each_modifies_what_it_is_given(batch, modify):
    nothing = modify(batch, base=lambda batch: torch.zeros_like(batch.sampled_logprob_T))
    assert not nothing.any()
    assert modify(batch, base=gigpo).tolist() != modify(batch).tolist()
    assert torch.equal(algorithm("grpo", credit=modify, base=gigpo).credit(batch), modify(batch, base=gigpo))


def test_advantages_stay_of_the_type_of_the_log_probabilities(batch):
    single = replace(batch, sampled_logprob_T=batch.sampled_logprob_T.float())
    for modify in (aepo, empg, seed_grpo, cppo, d3s, simple_tir):
        advantage_T = modify(single, base=gigpo)
        assert advantage_T.dtype == torch.float32
        torch.testing.assert_close(advantage_T.double(), modify(batch, base=gigpo), rtol=0, atol=1e-5)


def test_entropies_are_there_or_asked_for(batch):
    assert sampling_entropy(batch)[batch.action_T].tolist() == pytest.approx([0.5, 1.5, 0.1, 0.7, 0.9])
    with pytest.raises(ConfigError, match="add the annotator 'entropy'"):
        sampling_entropy(replace(batch, entropy_T=None))
