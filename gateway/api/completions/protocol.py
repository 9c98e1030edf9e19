"""The schema of a completion request, and its translation for the engine."""

from functools import cached_property
from typing import Annotated, ClassVar, cast

from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from engine import GenerateRequest
from gateway.api.body.bounded import Text, TokenIds
from gateway.api.sampling import SamplingFields
from gateway.api.schema import Unsupported, only_supported

_Tokens = Annotated[TokenIds, Field(min_length=1)]
_Many = Field(fail_fast=True, min_length=1, max_length=128)


class CompletionRequest(SamplingFields):
    """What a client may send; what other names do is in `body.unknown_fields`."""

    max_values: ClassVar[int] = 300_000  # token ids

    prompt: Text | _Tokens | Annotated[list[Text], _Many] | Annotated[list[_Tokens], _Many]
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    best_of: Annotated[int, Field(ge=0, le=20)] | None = None
    echo: Annotated[bool, only_supported(False)] | None = None
    logprobs: Annotated[int, Field(ge=0, le=5)] | None = None
    add_special_tokens: Annotated[bool, only_supported(True)] | None = None
    suffix: Unsupported = None

    @field_validator("best_of")
    @classmethod
    def _at_most_n(cls, value: int | None, info: ValidationInfo) -> int | None:
        if value is not None and value > (info.data.get("n") or 1):
            raise PydanticCustomError("unsupported_value", "must not be more than n")
        return value

    @cached_property
    def prompts(self) -> list[str | tuple[int, ...]]:
        """The prompts, of which there may be one."""
        single = isinstance(self.prompt, str) or isinstance(self.prompt[0], int)
        prompts = cast(list[str | list[int]], [self.prompt] if single else self.prompt)
        return [prompt if isinstance(prompt, str) else tuple(prompt) for prompt in prompts]

    def to_engine(self, request_id: str) -> list[GenerateRequest]:
        """Return one engine request for each choice of each prompt."""
        samplings = self.sampling(
            self.max_tokens or 16, logprobs=self.logprobs, structured=self.structured_by_vllm
        )
        pairs = [(prompt, sampling) for prompt in self.prompts for sampling in samplings]
        return [
            GenerateRequest(
                request_id=f"{request_id}-{n}",
                prompt=prompt,
                sampling=sampling,
                report_prompt=bool(self.return_token_ids) or self.continuous_usage,
            )
            for n, (prompt, sampling) in enumerate(pairs)
        ]
