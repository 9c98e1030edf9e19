"""Local copies of a config's models, checked, before an engine starts or compiles."""

from gateway.commands.preflight import check
from gateway.commands.progress import Progress
from gateway.config import AppConfig
from gateway.serving.local_models import with_local_models


def prepare_models(config: AppConfig, progress: Progress, *, keys: bool = True) -> AppConfig:
    """Return the config with local model folders, downloaded or converted as needed, and check it.

    Without `keys`, keys_file is not read. Raises ConfigError.
    """
    try:
        local = with_local_models(config, progress)
    finally:
        progress.end()
    check(local, keys=keys)
    return local
