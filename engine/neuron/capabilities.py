"""What the Neuron plugin does with each sampling parameter: the table that refusals follow.

Seen with plugin 0.4.1 on vLLM 0.13.0 and 0.5.0 on 0.16.0, or read in their code.
"""

from dataclasses import dataclass
from typing import Final, Literal

Sampling = Literal["on_device", "cpu"]
GLOBAL_TOP_K: Final = 256  # what the device takes a top_k of 0, or of 256 and more, for


@dataclass(frozen=True, slots=True)
class Capability:
    """One field of `SamplingParams`, its names in the API, and why each sampling refuses it."""

    parameter: str
    api: str
    on_device: str | None = None
    cpu: str | None = None

    def refusal(self, sampling: Sampling) -> str | None:
        """Return why the parameter is refused, None where it is honoured."""
        return self.on_device if sampling == "on_device" else self.cpu

    def outcome(self, sampling: Sampling) -> str:
        """Return in a few words whether the parameter is honoured."""
        if reason := self.refusal(sampling):
            return f"refused: {reason}"
        limit = maximum_values(sampling).get(self.parameter)
        if limit is None:
            return "honoured"
        return f"honoured to {limit:.0f}; without it the {GLOBAL_TOP_K} likeliest tokens"


_ROWS = "only temperature, top_k and top_p reach the device"
CAPABILITIES: Final = (
    Capability("max_tokens", "`max_tokens`, `max_completion_tokens`, `max_output_tokens`"),
    Capability("stop", "`stop`"),
    Capability("stop_token_ids", "`stop_token_ids`"),
    Capability("ignore_eos", "`ignore_eos`"),
    Capability("skip_special_tokens", "`skip_special_tokens`"),
    Capability("temperature", "`temperature`"),
    Capability("top_p", "`top_p`"),
    Capability("top_k", "`top_k`"),
    Capability("seed", "`seed`", "the device draws by itself", "the plugin keeps no generator"),
    Capability("logprobs", "`logprobs`, `top_logprobs`", "the plugin fails with an index error"),
    Capability("logit_bias", "`logit_bias`", _ROWS),
    Capability("presence_penalty", "`presence_penalty`", _ROWS),
    Capability("frequency_penalty", "`frequency_penalty`", _ROWS),
    Capability("repetition_penalty", "`repetition_penalty`", _ROWS),
    Capability("min_p", "`min_p`", _ROWS),
    Capability("min_tokens", "`min_tokens`", "the end of text is not held back"),
    Capability(
        "structured",
        "`response_format`, `text.format`, `tool_choice` that forces a call",
        "the grammar is not applied: the text is free",
    ),
)


def unsupported(sampling: Sampling) -> frozenset[str]:
    """Return the fields of `SamplingParams` that are refused."""
    return frozenset(c.parameter for c in CAPABILITIES if c.refusal(sampling))


def maximum_values(sampling: Sampling) -> dict[str, float]:
    """Return the highest values of parameters that the device would cut in silence."""
    return {"top_k": GLOBAL_TOP_K - 1} if sampling == "on_device" else {}
