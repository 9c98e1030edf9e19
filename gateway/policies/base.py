"""`EngineMiddleware`: the base of every Engine that wraps another Engine."""

from engine import Engine, ModelInfo


class EngineMiddleware:
    """Forwards the model and the health of the wrapped engine; a subclass adds `generate`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def model(self) -> ModelInfo:
        """The model of the wrapped engine."""
        return self._engine.model

    async def check_health(self) -> None:
        """Raise what the wrapped engine raises."""
        await self._engine.check_health()
