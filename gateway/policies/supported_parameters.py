"""`SupportedParameters`: refuses by name what the engine behind it would ignore."""

from collections.abc import AsyncGenerator
from dataclasses import fields
from typing import Final

from engine import (
    GenerateRequest,
    SamplingParams,
    Structured,
    TokenDelta,
    UnsupportedParameter,
    UnsupportedValue,
)
from gateway.policies.base import EngineMiddleware

_DEFAULTS: Final = SamplingParams()


class SupportedParameters(EngineMiddleware):
    """An Engine around an Engine: parameters must have values that the engine honours."""

    def generate(self, request: GenerateRequest) -> AsyncGenerator[TokenDelta, None]:
        """Return the inner engine's stream, or raise UnsupportedParameter at once."""
        self._refuse(request.sampling)
        self._refuse_values(request.sampling)
        return self._engine.generate(request)

    def _refuse(self, sampling: SamplingParams) -> None:
        for field in fields(sampling):
            ignored = field.name in self.model.unsupported
            value = getattr(sampling, field.name)
            if ignored and value != getattr(_DEFAULTS, field.name):
                name = value.param if isinstance(value, Structured) else field.name
                raise UnsupportedParameter(
                    f"Unsupported parameter: '{name}' cannot be honoured by the engine of "
                    f"model '{self.model.id}'. Leave it out.",
                    param=name,
                )

    def _refuse_values(self, sampling: SamplingParams) -> None:
        """Refuse what the engine would cut, or serve as something else, in silence."""
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
