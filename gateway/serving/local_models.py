"""Where the models of a config are on this machine: fetched or converted where they must be."""

from collections.abc import Callable

from engine import ModelNotAvailable, resolve_model
from gateway.config import AppConfig, ConfigError, ModelConfig
from gateway.serving.environment import cache_folder


def with_local_models(config: AppConfig, progress: Callable[[str], None]) -> AppConfig:
    """Give the config with a local folder for each model, converted or fetched where it must be.

    Raises ConfigError where a model cannot be had.
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
    return model.model_copy(
        update={"engine": model.engine.model_copy(update={"model": str(folder)})}
    )
