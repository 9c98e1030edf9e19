"""A GenerateRequest in vLLM's types."""

import json
from typing import Any, Final

from engine.prompts.request_encoder import EncodedPrompt
from engine.tool_formats import FORMATS
from engine.types import Chat, GenerateRequest, Prompt, Structured
from engine.vllm.patches import token_prompt

# What vLLM's SamplingParams takes as it is.
_SAME: Final = (
    "temperature", "top_p", "top_k", "min_p", "presence_penalty", "frequency_penalty",
    "repetition_penalty", "seed", "logprobs", "ignore_eos",
)  # fmt: skip


def vllm_request(request: GenerateRequest, prompt: EncodedPrompt) -> tuple[Any, Any]:
    """Return a request as vLLM's prompt and SamplingParams.

    `max_tokens` is always given, since vLLM's own default is 16.
    """
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    sampling = request.sampling
    missing = max(0, sampling.min_tokens - len(request.emitted))
    params = SamplingParams(
        max_tokens=prompt.max_new_tokens,
        min_tokens=min(prompt.max_new_tokens, missing),
        **{name: getattr(sampling, name) for name in _SAME},
        stop=list(sampling.stop),
        stop_token_ids=list(sampling.stop_token_ids),
        logit_bias=dict(sampling.logit_bias) if sampling.logit_bias else None,
        structured_outputs=_structured_outputs(sampling.structured),
        # Some model families mark tool calls with special tokens, which the parsers must see.
        skip_special_tokens=sampling.skip_special_tokens and not _has_markers(request.prompt),
        output_kind=RequestOutputKind.DELTA,
    )
    return token_prompt(list(prompt.token_ids)), params


def _has_markers(prompt: Prompt) -> bool:
    if not isinstance(prompt, Chat):
        return False
    format_ = FORMATS.get(prompt.tool_format or "")
    return bool(prompt.tools) or (format_ is not None and format_.has_channels)


def _structured_outputs(structured: Structured | None) -> Any:
    from vllm.sampling_params import StructuredOutputsParams

    if structured is None:
        return None
    if structured.json_schema is None:
        return StructuredOutputsParams(json_object=True)
    return StructuredOutputsParams(json=json.dumps(structured.json_schema))
