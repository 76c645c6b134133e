"""The model that is trained: load, save, log-probabilities of a batch."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self, cast

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils.logging import disable_progress_bar

from agentrl.errors import ConfigError
from agentrl.learning.batch import Batch
from agentrl.learning.branches import Branches
from agentrl.learning.packed import ATTENTION, Packing, packing

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16, "float64": torch.float64}
_MAX_LOGITS = 2**26  # elements that exist at a time

disable_progress_bar()  # transformers draws one for every load and save, into whatever live display is running


class PolicyOutput(NamedTuple):
    """What the policy says about the tokens of a batch."""

    logprob_T: Tensor  # f32  nats; 0 where not asked for
    entropy_T: Tensor | None  # f32  nats, of the distribution the token was drawn from; 0 where not asked for


class Policy:
    """A causal language model of transformers, run on flat rows of whole sequences.

    Raises:
        ConfigError: The model computes something that flat rows do not reproduce.
    """

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase | None = None) -> None:
        self.model = model.eval()
        self.tokenizer = tokenizer
        self._body = cast(nn.Module, model.base_model)
        self._head = cast(nn.Module, model.get_output_embeddings())
        self._check_model()

    @classmethod
    def load(
        cls, name: str | Path, *, dtype: str = "float32", device: str = "cpu", gradient_checkpointing: bool = False
    ) -> Self:
        """The policy in a directory, or of a name on the Hugging Face hub.

        Args:
            name: A directory that `save` wrote or any other in Hugging Face format, or `organisation/model`.
            dtype: Of the parameters.
            device: Where to put it.
            gradient_checkpointing: Compute each layer again in the backward pass instead of keeping what it computed.

        Raises:
            ConfigError: There is no such model, or it cannot be trained here.
        """
        if dtype not in _DTYPES:
            raise ConfigError(f"dtype must be one of {', '.join(_DTYPES)}; got {dtype!r}.")
        source = _locate(name)
        try:
            model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(source, dtype=_DTYPES[dtype])
            tokenizer = AutoTokenizer.from_pretrained(source)
        except (OSError, ValueError) as error:
            raise ConfigError(f"The model {source!r} cannot be loaded: {error}") from error
        model.to(torch.device(device))  # pyright: ignore[reportArgumentType]
        policy = cls(model, tokenizer)
        if gradient_checkpointing:
            # Renamed in transformers 5.23; the old name warns there.
            getattr(model, "activation_checkpointing_enable", model.gradient_checkpointing_enable)()
            model.train()  # transformers checkpoints in training mode alone
        return policy

    def save(self, directory: str | Path) -> None:
        """Write model and tokenizer in Hugging Face format."""
        self.model.save_pretrained(directory)
        if self.tokenizer is not None:
            self.tokenizer.save_pretrained(directory)

    def load_weights(self, directory: str | Path) -> None:
        """Take over, in place, the weights of a model that `save` wrote."""
        source: Any = AutoModelForCausalLM.from_pretrained(_locate(directory), dtype=self.model.dtype)
        self.model.load_state_dict(source.state_dict())

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return self.model.device

    def weights(self) -> Mapping[str, Tensor]:
        """The parameters and buffers by name, not copied."""
        return self.model.state_dict()

    def parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """The trained parameters and their names; one that is shared comes once."""
        return ((name, value) for name, value in self.model.named_parameters() if value.requires_grad)

    def logprobs(
        self, batch: Batch, *, temperature: float = 1.0, entropy: bool = False, at_T: Tensor | None = None
    ) -> PolicyOutput:
        """Log-probability of each sampled token, given what precedes it in its sequence.

        Args:
            batch: Whole sequences.
            temperature: The distributions are those of logits / temperature: give what the tokens were sampled at.
            entropy: Also return the entropy of each distribution.
            at_T: Bool: the tokens to look at, instead of the sampled ones; never the first of a sequence.
        """
        wanted_T = batch.action_T if at_T is None else at_T
        index_N = wanted_T.nonzero().squeeze(1)
        if bool((batch.position_T[index_N] == 0).any()):
            raise ValueError("The first token of a sequence has no log-probability; leave it out of action_T and at_T.")
        hidden_ND = self.hidden(batch).index_select(0, index_N - 1)
        logprob_N, entropy_N = self._scores(hidden_ND, batch.token_T[index_N], temperature, entropy)
        zero_T = torch.zeros(batch.token_T.shape, dtype=logprob_N.dtype, device=index_N.device)
        logprob_T = zero_T.index_put((index_N,), logprob_N)
        return PolicyOutput(logprob_T, zero_T.index_put((index_N,), entropy_N) if entropy else None)

    def branch_logprobs(
        self, batch: Batch, branches: Branches, *, temperature: float = 1.0, at_N: Tensor | None = None
    ) -> Tensor:
        """Log-probability of each token of the branches, given its sequence up to the stem and its branch so far.

        Args:
            batch: Whole sequences.
            branches: What goes on from their tokens.
            temperature: As in `logprobs`.
            at_N: Bool: the tokens to look at; the others' is 0.

        Shapes: returns [N], nats.
        """
        hidden_RD = self._hidden(
            torch.cat([batch.token_T, branches.token_N]),
            torch.cat([batch.position_T, branches.position_N(batch.position_T)]),
            packing(batch.position_T, branches),
        )
        at_N = torch.ones_like(branches.token_N, dtype=torch.bool) if at_N is None else at_N
        hidden_ND = hidden_RD.index_select(0, branches.previous_N(batch.num_tokens)[at_N])
        logprob_N, _ = self._scores(hidden_ND, branches.token_N[at_N], temperature, entropy=False)
        return torch.zeros(at_N.shape, dtype=logprob_N.dtype, device=at_N.device).masked_scatter(at_N, logprob_N)

    def hidden(self, batch: Batch) -> Tensor:
        """The last layer's states, from which everything is predicted that follows a token.

        Shapes: returns [T, D].
        """
        return self._hidden(batch.token_T, batch.position_T, packing(batch.position_T))

    @property
    def _chunk(self) -> int:
        config: Any = self.model.config.get_text_config()
        return max(1, _MAX_LOGITS // config.vocab_size)

    def _hidden(self, token_T: Tensor, position_T: Tensor, layout: Packing) -> Tensor:
        output = self._body(
            input_ids=token_T.unsqueeze(0), position_ids=position_T.unsqueeze(0), use_cache=False, packing=layout
        )
        return output.last_hidden_state[0]

    def _scores(self, hidden_ND: Tensor, target_N: Tensor, temperature: float, entropy: bool) -> tuple[Tensor, Tensor]:
        """Log-probabilities and entropies, chunk by chunk."""
        parts = zip(hidden_ND.split(self._chunk), target_N.split(self._chunk), strict=True)
        scores = [self._score(hidden, target, temperature, entropy) for hidden, target in parts]
        logprobs, entropies = zip(*scores, strict=True)
        return torch.cat(logprobs), torch.cat(entropies)

    def _score(self, hidden_ND: Tensor, target_N: Tensor, temperature: float, entropy: bool) -> tuple[Tensor, Tensor]:
        """Log-probabilities and entropies; a full chunk is computed again in the backward pass instead of kept."""
        if torch.is_grad_enabled() and len(hidden_ND) == self._chunk:
            scores = checkpoint(self._score_chunk, hidden_ND, target_N, temperature, entropy, use_reentrant=False)
            return cast(tuple[Tensor, Tensor], scores)
        return self._score_chunk(hidden_ND, target_N, temperature, entropy)

    def _score_chunk(
        self, hidden_ND: Tensor, target_N: Tensor, temperature: float, entropy: bool
    ) -> tuple[Tensor, Tensor]:
        logits_NV: Tensor = self._head(hidden_ND)
        logits_NV = logits_NV.to(torch.promote_types(logits_NV.dtype, torch.float32))
        if temperature != 1:  # a pass over the largest tensor there is
            logits_NV = logits_NV / temperature
        log_NV = logits_NV.log_softmax(-1)
        logprob_N = log_NV.gather(1, target_N[:, None]).squeeze(1)
        if not entropy:
            return logprob_N, torch.zeros_like(logprob_N)
        return logprob_N, -(log_NV.exp() * log_NV).sum(-1)

    @torch.no_grad()
    def _check_model(self) -> None:
        """Raise unless two sequences in a row give what the model by itself gives for each of them."""
        token_T = torch.arange(1, 9, device=self.device)
        position_T = torch.tensor([0, 1, 2, 3, 4, 0, 1, 2], device=self.device)
        parts = [token_T[None, :5], token_T[None, 5:]]
        self.model.set_attn_implementation("eager")
        expected_TV = torch.cat([self.model(input_ids=part, use_cache=False).logits[0] for part in parts])
        try:
            self.model.set_attn_implementation(ATTENTION)
            actual_TV: Tensor = self._head(self._hidden(token_T, position_T, packing(position_T)))
        except (TypeError, ValueError) as error:
            raise ConfigError(f"{type(self.model).__name__} does not take agentrl's attention: {error}") from error
        tolerance = 1e-3 if expected_TV.dtype.itemsize >= 4 else 5e-2
        worst = float((actual_TV - expected_TV).abs().max() / expected_TV.abs().max())
        if not worst <= tolerance:
            raise ConfigError(
                f"{type(self.model).__name__} cannot be trained in flat rows: its logits come out wrong by {worst:.1e} "
                "of their size. Models that mix tokens by other means than attention, or that change the "
                "logits after the output embedding, are not offered."
            )


def _locate(name: str | Path) -> str:
    """What to load: a directory that is there, or a name on the hub, if it cannot be meant as a path."""
    text = str(name)
    path = Path(text).expanduser()
    if path.is_dir():
        return str(path)
    looks_like_path = isinstance(name, Path) or text.startswith((".", "/", "~", os.sep)) or text.count("/") != 1
    if looks_like_path or path.exists() or path.parent.is_dir():
        raise ConfigError(
            f"There is no model directory {text!r} (looked in {Path.cwd()}). Give a directory that holds a "
            "config.json, or a name on the Hugging Face hub in the form organisation/model."
        )
    return text
