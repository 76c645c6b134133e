"""Credit: from a batch to the advantage of each of its tokens, by pure functions.

Each works on turns or trajectories and ends with `Batch.turn_to_token`; it sees the whole collected batch, before
that is split or dealt out. What needs a model is in the batch already, as a column.
"""

from functools import partial
from types import MappingProxyType

from agentrl.learning.batch import Batch
from agentrl.learning.credit import explanation
from agentrl.learning.credit.anchor import gigpo
from agentrl.learning.credit.branch import arpo, treepo
from agentrl.learning.credit.composition import Credit
from agentrl.learning.credit.critic import gae
from agentrl.learning.credit.distribution import bnpo, mc_grpo, ngrpo
from agentrl.learning.credit.entropy import aepo, empg, grpo_s, gtpo, seed_grpo
from agentrl.learning.credit.explanation import Explain, Explanation
from agentrl.learning.credit.filters import cppo, d3s, simple_tir
from agentrl.learning.credit.history import dcpo, spo
from agentrl.learning.credit.information import igpo
from agentrl.learning.credit.outcome import dapo, gpg, grpo, opo, reinforce, rloo
from agentrl.learning.credit.process import oprl, prime
from agentrl.learning.credit.semi_online import ui_s1
from agentrl.learning.credit.turn import turn_return
from agentrl.learning.credit.whitened import reinforce_plus_plus, reinforce_plus_plus_baseline

CREDIT: MappingProxyType[str, Credit] = MappingProxyType(
    {
        "aepo": aepo,
        "arpo": arpo,
        "arpo_hard": partial(arpo, attribution="hard"),
        "bnpo": bnpo,
        "cppo": cppo,
        "d3s": d3s,
        "dapo": dapo,
        "dcpo": dcpo,
        "dr_grpo": partial(grpo, std=False),
        "empg": empg,
        "flow_grpo": partial(grpo, statistics_over="turns"),
        "gae": gae,
        "gigpo": gigpo,
        "gpg": gpg,
        "grpo": grpo,
        "grpo_s": grpo_s,
        "gtpo": gtpo,
        "igpo": igpo,
        "mc_grpo": mc_grpo,
        "ngrpo": ngrpo,
        "opo": opo,
        "oprl": oprl,
        "prime": prime,
        "reinforce": reinforce,
        "reinforce_plus_plus": reinforce_plus_plus,
        "reinforce_plus_plus_baseline": reinforce_plus_plus_baseline,
        "rloo": rloo,
        "seed_grpo": seed_grpo,
        "simple_tir": simple_tir,
        "spo": spo,
        "treepo": treepo,
        "turn_gae": partial(gae, over="turns"),
        "turn_return": turn_return,
        "ui_s1": ui_s1,
    }
)

EXPLAIN: MappingProxyType[str, Explain] = MappingProxyType(
    {
        "arpo": explanation.explain_arpo,
        "gae": explanation.explain_gae,
        "gigpo": explanation.explain_gigpo,
        "grpo": explanation.explain_grpo,
        "igpo": explanation.explain_igpo,
        "oprl": explanation.explain_oprl,
        "rloo": explanation.explain_rloo,
        "turn_return": explanation.explain_turn_return,
        "ui_s1": explanation.explain_ui_s1,
    }
)


def explain(credit: Credit, batch: Batch) -> Explanation:
    """The advantage that a credit function gives, taken apart; in one piece, if EXPLAIN has no entry for it.

    Args:
        credit: A function of the table CREDIT, with or without keyword arguments bound to it, or one of your own.
        batch: What it would be given.
    """
    function, keywords = (credit.func, credit.keywords) if isinstance(credit, partial) else (credit, {})
    for name, taken_apart in EXPLAIN.items():
        if CREDIT[name] is function:
            return taken_apart(batch, **keywords)
    return Explanation({"advantage_T": credit(batch)}, None)
