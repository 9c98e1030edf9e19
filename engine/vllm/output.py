"""vLLM's RequestOutputs as TokenDeltas. Imports nothing of vLLM."""

from typing import Any, Final

from engine.errors import GenerationFailed
from engine.prompts.request_encoder import EncodedPrompt
from engine.types import FinishReason, GenerateRequest, TokenDelta, TokenLogprob, Usage

_FINISH_REASONS: Final[dict[str | None, FinishReason | None]] = {
    None: None,
    "stop": "stop",
    "length": "length",
    "repetition": "stop",  # vLLM's own; OpenAI's API has no such reason
}


class DeltaBuilder:
    """Turns the outputs of one request into deltas and counts its tokens."""

    def __init__(self, request: GenerateRequest, prompt: EncodedPrompt) -> None:
        self._prompt_tokens = prompt.prompt_tokens
        self._completion_tokens = len(request.emitted)
        self._alternatives = request.sampling.logprobs
        self._report = prompt.report

    def delta(self, output: Any) -> TokenDelta:
        """Return one RequestOutput as a delta; raise GenerationFailed where vLLM aborted."""
        completion = output.outputs[0]
        self._completion_tokens += len(completion.token_ids)
        report, self._report = self._report, None
        return TokenDelta(
            text=completion.text,
            token_ids=tuple(completion.token_ids),
            logprobs=self._logprobs(completion),
            finish_reason=_finish_reason(completion.finish_reason),
            usage=self._usage(output.num_cached_tokens) if output.finished else None,
            report=report,
        )

    def empty_delta(self) -> TokenDelta:
        """Return the only delta of a request whose tokens were all emitted before."""
        return TokenDelta(finish_reason="length", usage=self._usage(0), report=self._report)

    def _logprobs(self, completion: Any) -> tuple[TokenLogprob, ...]:
        if self._alternatives is None or completion.logprobs is None:
            return ()
        pairs = zip(completion.token_ids, completion.logprobs, strict=True)
        return tuple(_logprob(token, entries, self._alternatives) for token, entries in pairs)

    def _usage(self, cached_tokens: int | None) -> Usage:
        return Usage(
            prompt_tokens=self._prompt_tokens,
            completion_tokens=self._completion_tokens,
            cached_tokens=min(cached_tokens or 0, self._prompt_tokens),
        )


def _logprob(token_id: int, entries: dict[int, Any], alternatives: int) -> TokenLogprob:
    """Return the chosen token and the likeliest; vLLM adds the chosen to those where needed."""
    likeliest = sorted(entries.values(), key=lambda entry: -entry.logprob)[:alternatives]
    chosen = entries[token_id]
    return TokenLogprob(
        token=chosen.decoded_token or "",
        logprob=chosen.logprob,
        top=tuple(TokenLogprob(token=e.decoded_token or "", logprob=e.logprob) for e in likeliest),
    )


def _finish_reason(reason: str | None) -> FinishReason | None:
    if reason in _FINISH_REASONS:
        return _FINISH_REASONS[reason]
    raise GenerationFailed("The engine aborted this request.")  # "abort" and "error"
