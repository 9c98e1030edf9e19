"""`KeyStore`: API keys from a mounted file of hashes, which is read again when it changes."""

import asyncio
import fcntl
import hashlib
import hmac
import logging
import os
import secrets
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import Field, ValidationError, field_validator

from engine import ConfigModel
from gateway.caller import Caller
from gateway.config import ConfigError, describe, read_yaml

PREFIX: Final = "ngw-"
RELOAD_SECONDS: Final = 1.0  # between two looks at the file
_log: Final = logging.getLogger(__name__)


class ApiKey(Caller):
    """A caller by the SHA-256 of its key, whose 256 random bits make a plain hash enough."""

    name: str = Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    metrics: bool = False


class KeyFile(ConfigModel):
    """The file: a list of keys with different names and hashes."""

    keys: tuple[ApiKey, ...]

    @field_validator("keys")
    @classmethod
    def _keys_differ(cls, keys: tuple[ApiKey, ...]) -> tuple[ApiKey, ...]:
        for field in ("name", "sha256"):
            values = Counter(getattr(key, field) for key in keys)
            if twice := next((value for value, count in values.items() if count > 1), None):
                raise ValueError(f"the {field} {twice} is used twice. Give every key its own")
        return keys


def read_keys(path: Path) -> tuple[ApiKey, ...]:
    """Read a file of keys; raises ConfigError with the field and the fix."""
    document = read_yaml(path, "`neuron-gateway keys new NAME` makes one.")
    try:
        return KeyFile.model_validate(document).keys
    except ValidationError as error:
        raise ConfigError(f"{path}: {describe(error, 'keys')}") from None


class KeyStore:
    """The keys of a file; a change that cannot be read leaves the keys as they were."""

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._keys = _by_digest(path)
        self._version = _version(path)
        self._checked_at = clock()

    async def find(self, text: str) -> ApiKey | None:
        """Return the key with this text, if any; the time does not grow with the number of keys."""
        now = self._clock()
        if now - self._checked_at >= RELOAD_SECONDS:
            self._checked_at = now
            await asyncio.to_thread(self._reload)
        digest = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
        key = self._keys.get(digest)
        return key if key and hmac.compare_digest(key.sha256, digest) else None

    def _reload(self) -> None:
        version = _version(self._path)
        if version == self._version:
            return
        self._version = version
        try:
            self._keys = _by_digest(self._path)
            _log.info("%s was read again: %d keys", self._path, len(self._keys))
        except ConfigError as error:
            _log.error("%s The keys stay as they were.", error)


def _by_digest(path: Path) -> dict[str, ApiKey]:
    return {key.sha256: key for key in read_keys(path)}


def _version(path: Path) -> tuple[int, int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino


def new_key(path: Path, name: str, **limits: Any) -> str:
    """Create a key, add its hash to the file, and return its text, which is stored nowhere.

    Raises ConfigError where the name is taken or a limit is invalid.
    """
    text = PREFIX + secrets.token_urlsafe(32)
    set_limits = {field: value for field, value in limits.items() if value is not None}
    try:
        key = ApiKey(name=name, sha256=hashlib.sha256(text.encode()).hexdigest(), **set_limits)
    except ValidationError as error:
        raise ConfigError(describe(error, "keys")) from None
    path.parent.mkdir(parents=True, exist_ok=True)
    with _only_writer(path):
        existing = read_keys(path) if path.exists() else ()
        if any(other.name == name for other in existing):
            raise ConfigError(f"{path}: the name {name} is taken. Choose another name.")
        _write(path, (*existing, key))
    return text


def remove_key(path: Path, name: str) -> None:
    """Remove a key from the file; raises ConfigError where no key has that name."""
    with _only_writer(path):
        existing = read_keys(path)
        remaining = tuple(key for key in existing if key.name != name)
        if remaining == existing:
            fix = "`neuron-gateway keys list` shows them."
            raise ConfigError(f"{path}: no key is named {name}. {fix}")
        _write(path, remaining)


@contextmanager
def _only_writer(path: Path) -> Iterator[None]:
    """Lock the file's folder, since the file itself is replaced.

    Raises ConfigError where the folder cannot be written.
    """
    try:
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)
    except OSError as error:
        fix = "Give a file in a folder that can be written."
        raise ConfigError(f"{path}: cannot be written ({error.strerror}). {fix}") from None


def _write(path: Path, keys: tuple[ApiKey, ...]) -> None:
    """Replace the file atomically, readable by its owner alone."""
    document = {"keys": [key.model_dump(mode="json", exclude_defaults=True) for key in keys]}
    handle, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(handle, "w") as file:
        file.write("# Made by `neuron-gateway keys`. Hashes only; nobody can read a key from it.\n")
        yaml.safe_dump(document, file, sort_keys=False)
    Path(part).replace(path)
