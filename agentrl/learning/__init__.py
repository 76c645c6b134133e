"""The learning half: from a batch of trajectories to an optimizer step. Torch, and nothing asynchronous."""

from importlib.util import find_spec

from agentrl.errors import ConfigError

_missing = [name for name in ("torch", "transformers", "tokenizers", "safetensors", "numpy") if find_spec(name) is None]
if _missing:
    raise ConfigError(f"Training needs {', '.join(_missing)}: pip install 'agentrl[train]'")
