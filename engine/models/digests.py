"""`file_digests`: digests of large files, computed in parallel and kept by size and time."""

import fcntl
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

KEPT: Final = ".neuron-gateway-digests.json"
_ELSEWHERE: Final = Path("~/.cache/neuron-gateway/digests")  # where a folder is read-only
_CHUNK: Final = 16 * 2**20  # bytes; another size makes other digests
_THREADS: Final = min(16, os.cpu_count() or 1)  # each holds one chunk
_SETTLED_SECONDS: Final = 2.0  # a younger file may change again without another time


def file_digests(folder: Path, names: Sequence[str]) -> dict[str, str]:
    """Return a digest of the content of each file in a folder, by its name.

    A file of the same size and modification time as before is not read again. Of several processes
    one reads and the others wait.
    """
    if not names:
        return {}
    with _kept_digests(folder) as kept:
        for name in names:
            status = (folder / name).stat()
            stamp = [status.st_size, status.st_mtime_ns]
            if kept.get(name, [])[:2] != stamp:
                kept[name] = [*stamp, _digest(folder / name, status.st_size)]
        return {name: kept[name][2] for name in names}


def _digest(file: Path, size: int) -> str:
    """Return a hash of the hashes of a file's chunks."""

    def chunk(offset: int) -> bytes:
        with file.open("rb") as source:
            source.seek(offset)
            return hashlib.sha256(source.read(_CHUNK)).digest()

    with ThreadPoolExecutor(_THREADS) as threads:
        chunks = b"".join(threads.map(chunk, range(0, size, _CHUNK)))
    return hashlib.sha256(chunks).hexdigest()


@contextmanager
def _kept_digests(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield the digests of a folder by file name, to be changed; write them at the end."""
    with _open_locked(folder) as file:
        file.seek(0)
        kept = _parsed(file.read())
        yield kept
        latest = time.time_ns() - _SETTLED_SECONDS * 1e9
        settled = {name: entry for name, entry in kept.items() if entry[1] < latest}
        file.seek(0)
        file.truncate()
        json.dump(settled, file, indent=1, sort_keys=True)


def _open_locked(folder: Path) -> IO[str]:
    """Open and lock the file beside the weights, or in the cache, or one that is not kept."""
    other = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]
    for file in (folder / KEPT, _ELSEWHERE.expanduser() / f"{other}.json"):
        try:
            if file.parent != folder:
                file.parent.mkdir(parents=True, exist_ok=True)
            return _locked(file)
        except OSError:  # read-only, or a file system without locks
            continue
    return tempfile.TemporaryFile("w+", encoding="utf-8")


def _locked(file: Path) -> IO[str]:
    opened = file.open("a+", encoding="utf-8")
    try:
        fcntl.flock(opened, fcntl.LOCK_EX)
    except OSError:
        opened.close()
        raise
    return opened


def _parsed(text: str) -> dict[str, Any]:
    """Return what was kept; nothing where the file is damaged."""
    try:
        kept = json.loads(text)
    except ValueError:
        return {}
    return kept if isinstance(kept, dict) else {}
