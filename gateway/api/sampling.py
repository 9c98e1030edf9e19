"""The fields that requests for generation share, and their sampling parameters."""

from typing import Annotated, Any

from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from engine import SamplingParams, Structured
from gateway.api.body.bounded import Name, TokenId
from gateway.api.chat.response_format import StructuredOutputs, VllmSchema
from gateway.api.schema import RequestModel, StreamOptions

LogitBias = Annotated[
    dict[Annotated[str, Field(max_length=9)], Annotated[float, Field(ge=-100, le=100)]],
    Field(max_length=1024),
]
_StopString = Annotated[str, Field(min_length=1, max_length=1024)]
StopStrings = _StopString | Annotated[list[_StopString], Field(max_length=64)]


class GenerationFields(RequestModel):
    """Fields of every request for generation, with OpenAI's ranges."""

    model: Name | None = None  # may be missing where one model is served
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    stop: StopStrings | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    logit_bias: LogitBias | None = None
    stream: bool | None = None
    user: Name | None = None

    # vLLM's extensions, as benchmark tools send them.
    top_k: Annotated[int, Field(ge=-1, le=2**31)] | None = None
    min_p: Annotated[float, Field(ge=0, le=1)] | None = None
    repetition_penalty: Annotated[float, Field(gt=0, le=10)] | None = None
    min_tokens: Annotated[int, Field(ge=0, le=2**31)] | None = None
    ignore_eos: bool | None = None
    stop_token_ids: Annotated[list[TokenId], Field(fail_fast=True, max_length=64)] | None = None
    skip_special_tokens: bool | None = None

    @field_validator("stream_options", check_fields=False)
    @classmethod
    def _only_with_stream(cls, value: Any, info: ValidationInfo) -> Any:
        if value is not None and not info.data.get("stream"):
            raise PydanticCustomError("needs_stream", "is only allowed with stream: true")
        return value

    @field_validator("logit_bias")
    @classmethod
    def _keys_are_token_ids(cls, bias: dict[str, float] | None) -> dict[str, float] | None:
        # "01" would be the token of "1" once more, and one of the two would be dropped.
        if any(not key.isdecimal() or key != str(int(key)) for key in bias or {}):
            raise PydanticCustomError("logit_bias_key", "keys must be token ids, like '50256'")
        return bias


class SamplingFields(GenerationFields):
    """Fields of a chat or a completion, which have several choices."""

    n: Annotated[int, Field(ge=1, le=128)] | None = None
    stream_options: StreamOptions | None = None
    return_token_ids: bool | None = None

    # vLLM's names of what `response_format` asks for.
    guided_json: VllmSchema | None = None
    structured_outputs: StructuredOutputs | None = None

    @field_validator("n")
    @classmethod
    def _greedy_has_one_choice(cls, n: int | None, info: ValidationInfo) -> int | None:
        if (n or 1) > 1 and info.data.get("temperature") == 0:
            raise PydanticCustomError("greedy_n", "must be 1 with temperature 0: all would agree")
        return n

    @field_validator("structured_outputs")
    @classmethod
    def _one_format(cls, value: Any, info: ValidationInfo) -> Any:
        if value is not None and info.data.get("guided_json") is not None:
            raise PydanticCustomError("two_formats", "is not allowed with guided_json")
        return value

    @property
    def structured_by_vllm(self) -> Structured | None:
        """What vLLM's own parameters hold the output to."""
        if self.guided_json is not None:
            return Structured(json_schema=self.guided_json, param="guided_json")
        return self.structured_outputs.structured() if self.structured_outputs else None

    @property
    def include_usage(self) -> bool:
        """Whether the stream ends with a usage chunk."""
        return bool(self.stream_options and self.stream_options.include_usage)

    @property
    def continuous_usage(self) -> bool:
        """Whether each chunk of the stream has the usage so far; as in vLLM with usage alone."""
        options = self.stream_options
        return self.include_usage and bool(options and options.continuous_usage_stats)

    def sampling(
        self,
        max_tokens: int | None,
        *,
        logprobs: int | None = None,
        structured: Structured | None = None,
    ) -> tuple[SamplingParams, ...]:
        """Return the engine's parameters, once for each of the `n` choices."""
        fields = self.model_dump(include=_SAME_NAMES, exclude_none=True)
        if self.top_p == 0:  # vLLM wants more than nothing; OpenAI takes it as greedy
            fields |= {"top_p": 1.0, "temperature": 0.0}
        if self.top_k == -1:  # another way to say that it is off
            fields["top_k"] = 0
        if self.logit_bias:
            fields["logit_bias"] = {int(token): bias for token, bias in self.logit_bias.items()}
        return tuple(
            SamplingParams(
                **fields,
                seed=None if self.seed is None else self.seed + choice,
                max_tokens=max_tokens,
                logprobs=logprobs,
                structured=structured,
                stop=(self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ()),
                stop_token_ids=tuple(self.stop_token_ids or ()),
            )
            for choice in range(self.n or 1)
        )


_SAME_NAMES = {
    "temperature", "top_p", "frequency_penalty", "presence_penalty",
    "top_k", "min_p", "repetition_penalty", "min_tokens", "ignore_eos",
    "skip_special_tokens",
}  # fmt: skip
