"""API keys: a mounted file of hashes, read again when it changes."""

import asyncio
import hashlib
import hmac
import logging
import os
import secrets
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from gateway.caller import Caller
from gateway.config import ConfigError

PREFIX: Final = "ngw-"
RELOAD_SECONDS: Final = 1.0  # how long a change of the file may go unseen
_log: Final = logging.getLogger(__name__)


class ApiKey(BaseModel):
    """One key by the SHA-256 of its text, and what its holder may do; None is without limit.

    A key has 256 random bits, so that a plain hash cannot be reversed. `priority` is its share
    where requests wait: one of 4 gets four times the tokens of one of 1. Concurrency is counted
    in each replica. `metrics` lets it read `/metrics`, where the names of all keys are.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    requests_per_minute: int | None = Field(default=None, ge=1)
    tokens_per_minute: int | None = Field(default=None, ge=1)
    concurrency: int | None = Field(default=None, ge=1)
    models: tuple[str, ...] | None = None
    priority: float = Field(default=1.0, ge=0.01, le=100)
    metrics: bool = False

    def caller(self) -> Caller:
        """Return the holder of the key."""
        return Caller(
            name=self.name,
            requests_per_minute=self.requests_per_minute,
            tokens_per_minute=self.tokens_per_minute,
            concurrency=self.concurrency,
            models=self.models,
            weight=self.priority,
            sees_metrics=self.metrics,
        )


class KeyFile(BaseModel):
    """The file: a list of keys whose names differ."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    keys: tuple[ApiKey, ...]

    @field_validator("keys")
    @classmethod
    def _names_differ(cls, keys: tuple[ApiKey, ...]) -> tuple[ApiKey, ...]:
        name, count = Counter(key.name for key in keys).most_common(1)[0] if keys else ("", 0)
        if count > 1:
            raise ValueError(f"{name} is there twice. Give every key a name of its own")
        return keys


def read_keys(path: Path) -> tuple[ApiKey, ...]:
    """Read a file of keys; raises ConfigError with the key of the file and the fix."""
    try:
        return KeyFile.model_validate(yaml.safe_load(path.read_text("utf-8"))).keys
    except OSError as error:
        fix = "`neuron-gateway keys new NAME` makes one."
        raise ConfigError(f"{path}: cannot be read ({error.strerror}). {fix}") from None
    except ValidationError as error:  # which is a ValueError too
        first = error.errors(include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "keys"
        message = first["msg"].removeprefix("Value error, ")
        raise ConfigError(f"{path}: {where}: {message}.") from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise ConfigError(f"{path}: is not valid YAML. Mend the syntax.") from None


class KeyStore:
    """The keys of a file. A change that cannot be read leaves the keys as they were."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._keys = read_keys(path)
        self._seen = _version(path)
        self._looked = time.monotonic()

    async def find(self, text: str) -> ApiKey | None:
        """Find the key with this text; takes as long for a wrong one as for a right one."""
        now = time.monotonic()
        if now - self._looked >= RELOAD_SECONDS:
            self._looked = now
            await asyncio.to_thread(self._look)
        digest = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
        found = None
        for key in self._keys:
            if hmac.compare_digest(key.sha256, digest):
                found = key
        return found

    def _look(self) -> None:
        version = _version(self._path)
        if version == self._seen:
            return
        self._seen = version
        try:
            self._keys = read_keys(self._path)
            _log.info("%s was read again: %d keys", self._path, len(self._keys))
        except ConfigError as error:
            _log.error("%s The keys stay as they were.", error)


def _version(path: Path) -> tuple[int, int, int] | None:
    try:
        seen = path.stat()
    except OSError:
        return None
    return seen.st_mtime_ns, seen.st_size, seen.st_ino


def new_key(path: Path, name: str, **limits: Any) -> str:
    """Make a key, add its hash to the file, and give its text, which is nowhere else.

    Raises ConfigError where the name is taken or a limit is wrong.
    """
    there = read_keys(path) if path.exists() else ()
    if any(key.name == name for key in there):
        raise ConfigError(f"{path}: {name} is there already. Give another name.")
    text = PREFIX + secrets.token_urlsafe(32)
    given = {field: value for field, value in limits.items() if value is not None}
    try:
        key = ApiKey(name=name, sha256=hashlib.sha256(text.encode()).hexdigest(), **given)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        raise ConfigError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}.") from None
    _write(path, (*there, key))
    return text


def remove_key(path: Path, name: str) -> None:
    """Take a key out of the file; raises ConfigError where there is none of that name."""
    there = read_keys(path)
    left = tuple(key for key in there if key.name != name)
    if left == there:
        raise ConfigError(f"{path}: {name} is not there. `neuron-gateway keys list` shows who is.")
    _write(path, left)


def _write(path: Path, keys: tuple[ApiKey, ...]) -> None:
    """Replace the file in one step, readable for its owner alone."""
    document = {"keys": [key.model_dump(mode="json", exclude_defaults=True) for key in keys]}
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(handle, "w") as file:
        file.write("# Made by `neuron-gateway keys`. Hashes only; nobody can read a key from it.\n")
        yaml.safe_dump(document, file, sort_keys=False)
    Path(part).replace(path)
