"""`SupportedParameters`: rejects by name what the engine behind it would ignore."""

from collections.abc import AsyncGenerator
from dataclasses import fields, replace
from typing import Final

from engine import (
    HINTS,
    GenerateRequest,
    ModelInfo,
    SamplingParams,
    Structured,
    TokenDelta,
    UnsupportedParameter,
    UnsupportedValue,
)
from gateway.policies.base import EngineMiddleware

_DEFAULTS: Final = SamplingParams()


def without_hints(request: GenerateRequest, model: ModelInfo) -> tuple[GenerateRequest, list[str]]:
    """Return a request without the hints that the model's engine ignores, and their names."""
    hints = [
        name
        for name in sorted(HINTS & model.unsupported)
        if getattr(request.sampling, name) != getattr(_DEFAULTS, name)
    ]
    if not hints:
        return request, hints
    defaults = {name: getattr(_DEFAULTS, name) for name in hints}
    return replace(request, sampling=replace(request.sampling, **defaults)), hints


class SupportedParameters(EngineMiddleware):
    """Middleware: every sampling parameter must have a value that the engine honours."""

    def generate(self, request: GenerateRequest) -> AsyncGenerator[TokenDelta, None]:
        """Return the stream of the wrapped engine.

        Raises UnsupportedParameter or UnsupportedValue here, before the first step of the stream.
        """
        self._check_parameters(request.sampling)
        self._check_values(request.sampling)
        return self._engine.generate(request)

    def _check_parameters(self, sampling: SamplingParams) -> None:
        for field in fields(sampling):
            unsupported = field.name in self.model.unsupported
            value = getattr(sampling, field.name)
            if unsupported and value != getattr(_DEFAULTS, field.name):
                name = value.param if isinstance(value, Structured) else field.name
                raise UnsupportedParameter(
                    f"Unsupported parameter: '{name}' cannot be honoured by the engine of "
                    f"model '{self.model.id}'. Leave it out.",
                    param=name,
                )

    def _check_values(self, sampling: SamplingParams) -> None:
        """Raise UnsupportedValue for what the engine would cut or replace without an error."""
        for name, limit in self.model.at_most.items():
            if getattr(sampling, name) > limit:
                raise UnsupportedValue(
                    f"Invalid '{name}': model '{self.model.id}' serves {limit:g} at most.", name
                )
        for name, only in self.model.fixed.items():
            if getattr(sampling, name) != only:
                raise UnsupportedValue(
                    f"Invalid '{name}': model '{self.model.id}' serves only {only:g}.", name
                )
