"""`ModelShape`: the sizes of a decoder-only model, for the arithmetic of memory and heads."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from engine.data import read_data

BF16_BYTES: Final = 2
_DBRX: Final = {
    "hidden_size": "d_model",
    "intermediate_size": "ffn_hidden_size",
    "max_position_embeddings": "max_seq_len",
    "num_attention_heads": "n_heads",
    "num_hidden_layers": "n_layers",
    "num_key_value_heads": "kv_n_heads",
    "num_experts_per_tok": "moe_top_k",
    "num_local_experts": "moe_num_experts",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelShape:
    """Sizes of a Llama-like model, by the names of its config.json, shortened.

    `experts` is the number of MLPs in each layer of a mixture of experts, each of
    `intermediate_size`; 0 for a dense model. A token uses `experts_per_token` of them.
    `parameters_given` is the number of weights, and `active_given` of those that one token uses,
    where they are known and the other sizes are not. `quant_method` is that of a quantized
    checkpoint.
    """

    architecture: str
    hidden_size: int
    intermediate_size: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    vocab_size: int
    max_position_embeddings: int
    experts: int = 0
    experts_per_token: int = 0
    tied_embeddings: bool = False
    rope_type: str = "default"
    parameters_given: int | None = None
    active_given: int | None = None
    quant_method: str = ""

    @property
    def parameters(self) -> int:
        """The number of weights: embeddings, attention, gated MLPs, router and norms."""
        if self.parameters_given is not None:
            return self.parameters_given
        queries = 2 * self.hidden_size * self.heads * self.head_dim  # with the output projection
        keys = 2 * self.hidden_size * self.kv_heads * self.head_dim  # with the values
        mlps = self._mlp * max(1, self.experts)
        router = self.hidden_size * self.experts
        layer = queries + keys + mlps + router + 2 * self.hidden_size
        return self.embeddings + self.layers * layer + self.hidden_size

    @property
    def _mlp(self) -> int:
        return 3 * self.hidden_size * self.intermediate_size

    @property
    def active_parameters(self) -> int:
        """The number of weights that one token uses: all of a dense model."""
        return self.active_given or self.parameters_read(1)

    def parameters_read(self, tokens: int) -> int:
        """Return the number of weights that a decode step of a batch of `tokens` reads.

        NxDI reads the experts that each token has chosen, and all experts where those could be
        all (AWS, "MoE architecture deep dive": batch size x top_k >= experts).
        """
        read = min(self.experts, tokens * self.experts_per_token) or self.experts
        return self.parameters - self.layers * (self.experts - read) * self._mlp

    @property
    def embeddings(self) -> int:
        """The number of weights of the embeddings and of the output layer."""
        return self.vocab_size * self.hidden_size * (1 if self.tied_embeddings else 2)

    @property
    def weight_bytes(self) -> int:
        """Bytes of all weights in bfloat16."""
        return self.parameters * BF16_BYTES

    @property
    def quantized_bytes(self) -> int:
        """Bytes of all weights where those between embeddings and output layer have one byte."""
        return self.parameters + self.embeddings * (BF16_BYTES - 1)

    @property
    def kv_bytes_per_token(self) -> int:
        """Bytes of one token in a bfloat16 KV cache."""
        return 2 * self.layers * self.kv_heads * self.head_dim * BF16_BYTES

    def sharded(self, degree: int) -> "ModelShape":
        """Return the shape that NxDI runs at a tensor parallel degree.

        Query heads are padded to a multiple of `degree`. KV heads are repeated until each rank has
        one, where `degree` is a multiple of them; where neither divides the other there is one for
        each query head.
        """
        heads = -(-self.heads // degree) * degree
        if self.kv_heads % degree == 0:
            kv_heads = self.kv_heads
        else:
            kv_heads = degree if degree % self.kv_heads == 0 else heads
        return replace(self, heads=heads, kv_heads=kv_heads)


def read_config(model: str | Path) -> dict[str, Any] | None:
    """Return the `config.json` of a local folder, None where there is none; raise ValueError."""
    file = Path(model).expanduser() / "config.json"
    if not file.is_file():
        return None
    found = json.loads(file.read_text("utf-8"))
    return found if isinstance(found, dict) else {}


def text_config(config: dict[str, Any]) -> dict[str, Any]:
    """Return a config.json with the sizes of its language model at the top, by Llama's names.

    Models that read images have theirs under `text_config`. DBRX has its own names, of which some
    are nested too.
    """
    flat = dict(config)
    for nested in ("text_config", "attn_config", "ffn_config"):
        flat |= config.get(nested) or {}
    return {ours: flat[theirs] for ours, theirs in _DBRX.items() if theirs in flat} | flat


def read_architecture(model: str) -> str | None:
    """Return the class of a model, None for a name that is neither a local folder nor known.

    Raises ValueError where the folder's config.json names none.
    """
    config = read_config(model)
    if config is None:
        return KNOWN[model].architecture if model in KNOWN else None
    if not config.get("architectures"):
        raise ValueError("config.json has no architectures")
    return str(config["architectures"][0])


def read_shape(model: str) -> ModelShape | None:
    """Return the shape of a local folder or of a known name, None for any other name.

    Raises ValueError where the folder's config.json is not that of a decoder-only model.
    """
    config = read_config(model)
    return KNOWN.get(model) if config is None else _shape(config)


def known_shape(model: str) -> ModelShape | None:
    """Return the same, None also for a folder that cannot be read: others report that."""
    try:
        return read_shape(model)
    except (OSError, ValueError):
        return None


def _shape(config: dict[str, Any]) -> ModelShape:
    text = text_config(config)
    try:
        heads, hidden = text["num_attention_heads"], text["hidden_size"]
        rope = text.get("rope_scaling") or {}
        return ModelShape(
            architecture=(config.get("architectures") or ["unknown"])[0],
            hidden_size=hidden,
            intermediate_size=text.get("moe_intermediate_size") or text["intermediate_size"],
            layers=text["num_hidden_layers"],
            heads=heads,
            kv_heads=text.get("num_key_value_heads") or heads,
            head_dim=text.get("head_dim") or hidden // heads,
            vocab_size=text["vocab_size"],
            max_position_embeddings=text["max_position_embeddings"],
            experts=text.get("num_local_experts") or text.get("num_experts") or 0,
            experts_per_token=text.get("num_experts_per_tok") or 0,
            tied_embeddings=bool(text.get("tie_word_embeddings", False)),
            quant_method=str((config.get("quantization_config") or {}).get("quant_method", "")),
            rope_type=str(rope.get("rope_type") or rope.get("type") or "default"),
        )
    except KeyError as error:
        raise ValueError(f"config.json has no {error.args[0]}") from None


KNOWN: Final = read_data("models/known.yaml", dict[str, ModelShape])
