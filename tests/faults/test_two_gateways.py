"""Two gateways on one machine: neither answers for the other, from the first moment on."""

import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Barrier
from typing import Any

import httpx
import pytest

from gateway.keys.store import new_key
from tests.serving import STEADY, free_port, ray_folder, repeated, served

pytestmark = [
    pytest.mark.ray,
    pytest.mark.timeout(1500),
    pytest.mark.filterwarnings("default"),  # Ray's own
]

# With either version of Python the ports are the same; all rounds twice would take CI too long.
ROUNDS = 10 if sys.version_info < (3, 12) else 2


def hear(url: str) -> str:
    """Return the models that are listed, or the status."""
    try:
        answer = httpx.get(f"{url}/v1/models", timeout=10)
    except httpx.HTTPError:
        return "none"
    if answer.status_code != 200:
        return str(answer.status_code)
    return " ".join(model["id"] for model in answer.json()["data"])


def life(folder: Path, ray: str, both: Barrier, **args: Any) -> set[str]:
    """Run a gateway until both are ready; return all that a client without a key heard."""
    folder.mkdir()
    port = free_port()
    with (
        repeated(partial(hear, f"http://127.0.0.1:{port}")) as heard,
        served(folder, args, environment={"RAY_TMPDIR": ray}, port=port),
    ):
        both.wait(120)
    return set(heard)


def test_neither_of_two_gateways_answers_for_the_other(tmp_path: Path) -> None:
    keys = tmp_path / "keys.yaml"
    new_key(keys, "alice")
    engine = {"max_model_len": 4096, "device": STEADY}
    for turn in range(ROUNDS):
        both = Barrier(2)
        with ray_folder() as ray, ThreadPoolExecutor(2) as pool:
            first, second = (
                pool.submit(life, tmp_path / f"{name}{turn}", ray, both, **more,
                            models=[{"id": name, "engine": engine}])
                for name, more in (("open", {}), ("locked", {"keys_file": str(keys)}))
            )  # fmt: skip
        assert first.result() - {"none", "503"} == {"open"}
        assert second.result() - {"none", "503"} == {"401"}
