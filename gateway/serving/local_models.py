"""The local folders of a config's models, which are fetched or converted where they are missing."""

from collections.abc import Callable

from engine import ModelNotAvailable, resolve_model
from gateway.config import AppConfig, ConfigError, ModelConfig
from gateway.serving.environment import cache_folder


def with_local_models(config: AppConfig, progress: Callable[[str], None]) -> AppConfig:
    """Return the config with a local folder for each model; calls `progress` with each phase.

    Raises ConfigError where a model cannot be fetched or converted.
    """
    models = tuple(_with_local_model(model, progress) for model in config.models)
    return config.model_copy(update={"models": models})


def _with_local_model(model: ModelConfig, progress: Callable[[str], None]) -> ModelConfig:
    if not model.engine.device.reads_model:
        return model
    try:
        folder = resolve_model(model.engine.model, cache=cache_folder(), progress=progress)
    except ModelNotAvailable as error:
        raise ConfigError(str(error)) from None
    engine = model.engine.model_copy(update={"model": str(folder)})
    return model.model_copy(update={"engine": engine})
