"""A request in vLLM's types, and the one place where its versions (0.13, 0.16, 0.32) differ."""

import json
from typing import Any

from engine.errors import InvalidRequest
from engine.prompts.encoder import EncodedPrompt
from engine.types import Chat, GenerateRequest, Structured


def vllm_request(request: GenerateRequest, prepared: EncodedPrompt) -> tuple[Any, Any]:
    """Say it in vLLM's types; `max_tokens` is always given, since vLLM's own default is 16."""
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    wanted = request.sampling
    params = SamplingParams(
        max_tokens=prepared.room,
        min_tokens=min(prepared.room, max(0, wanted.min_tokens - len(request.emitted))),
        temperature=wanted.temperature,
        top_p=wanted.top_p,
        top_k=wanted.top_k,
        min_p=wanted.min_p,
        presence_penalty=wanted.presence_penalty,
        frequency_penalty=wanted.frequency_penalty,
        repetition_penalty=wanted.repetition_penalty,
        stop=list(wanted.stop),
        stop_token_ids=list(wanted.stop_token_ids),
        seed=wanted.seed,
        logit_bias=dict(wanted.logit_bias) if wanted.logit_bias else None,
        logprobs=wanted.logprobs,
        structured_outputs=_structured_outputs(wanted.structured),
        ignore_eos=wanted.ignore_eos,
        # Some families mark their tool calls with special tokens, which the parsers must see.
        skip_special_tokens=wanted.skip_special_tokens and not _has_tools(request),
        output_kind=RequestOutputKind.DELTA,
    )
    return _vllm_prompt(list(prepared.token_ids)), params


def _has_tools(request: GenerateRequest) -> bool:
    return isinstance(request.prompt, Chat) and bool(request.prompt.tools)


def _structured_outputs(wanted: Structured | None) -> Any:
    from vllm.sampling_params import StructuredOutputsParams

    if wanted is None:
        return None
    if wanted.json_schema is None:
        return StructuredOutputsParams(json_object=True)
    return StructuredOutputsParams(json=json.dumps(wanted.json_schema))


def client_errors() -> tuple[type[Exception], ...]:
    """Name vLLM's errors for a bad request; up to 0.16 they are ValueErrors."""
    try:
        from vllm.exceptions import VLLMClientError
    except ImportError:
        return (ValueError,)
    return (ValueError, VLLMClientError)


def refusal(error: Exception, request: GenerateRequest | None) -> InvalidRequest:
    """Say in our words what vLLM refused: mostly a schema that its grammars cannot express."""
    structured = request.sampling.structured if request else None
    if structured is None:
        param = getattr(error, "parameter", None)
        what = f"this value of {param}" if param else "this request"
        return InvalidRequest(f"The engine cannot serve {what}.", param)
    return InvalidRequest(
        "The engine's grammar cannot express this JSON schema. Use plainer keywords.",
        param=structured.param,
    )


def _vllm_prompt(ids: list[int]) -> Any:
    """Say token ids in vLLM's newer form, which skips its renderer, or in that of up to 0.16."""
    try:
        from vllm.inputs import tokens_input
    except ImportError:
        from vllm import TokensPrompt

        return TokensPrompt(prompt_token_ids=ids)
    return tokens_input(ids)
