"""`EngineMiddleware`: what every Engine around an Engine has in common."""

from engine import Engine, ModelInfo


class EngineMiddleware:
    """Stands before an engine and has its model; a subclass adds `generate`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def model(self) -> ModelInfo:
        """The model of the engine behind."""
        return self._engine.model

    async def check_health(self) -> None:
        """Raise what the engine behind raises."""
        await self._engine.check_health()
