"""An engine that hangs or dies: its streams' errors, the reason in /readyz, the next start."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from engine import EngineDead
from tests.conftest import wait_until
from tests.engine.neuron.conftest import Lab, lab_in

pytestmark = [
    pytest.mark.neuron_lab,
    pytest.mark.timeout(240),
    pytest.mark.filterwarnings("default"),
]

ASK = {"model": "tiny", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 150}


def stream(url: str, break_it: Any, after: int = 4) -> list[str]:
    """Return a stream's data; after some frames, `break_it` is called."""
    data: list[str] = []
    asked = ASK | {"stream": True}
    with httpx.stream("POST", f"{url}/v1/chat/completions", json=asked, timeout=60) as answer:
        for line in answer.iter_lines():
            if line.startswith("data: "):
                data.append(line.removeprefix("data: "))
                if len(data) == after:
                    break_it()
    return data


def reason(url: str) -> str:
    """Wait until the gateway is not ready; return the reason that it names."""
    wait_until(lambda: httpx.get(f"{url}/readyz").status_code == 503, 20)
    answer = httpx.get(f"{url}/readyz")
    assert answer.json()["status"] == "dead"
    return str(answer.json()["models"]["tiny"]["reason"])


def engine_process(lab: Lab) -> int:
    return int(lab.calls[-1]["pid"])


def is_gone(pid: int) -> bool:
    """Return whether a process has ended; its parent may not have waited for it yet."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state == "Z"


def test_a_death_ends_streams_with_an_error_and_a_new_engine_serves(lab: Lab) -> None:
    with lab.gateway() as url:
        *_, error, done = stream(url, lambda: lab.fault("exit:134"))
        assert json.loads(error)["error"]["type"] == "server_error"
        assert done == "[DONE]"
        assert "died" in reason(url)
        assert httpx.post(f"{url}/v1/chat/completions", json=ASK).status_code == 503
    with lab.gateway() as url:
        assert httpx.post(f"{url}/v1/chat/completions", json=ASK).status_code == 200


def test_a_hang_is_noticed_ends_the_streams_and_the_process(lab: Lab) -> None:
    with lab.gateway(hang_timeout_seconds=2) as url:
        watched: list[str] = []
        watcher = threading.Thread(target=lambda: watched.append(reason(url)))

        def hang() -> None:
            lab.fault("hang")
            watcher.start()

        *_, error, done = stream(url, hang)
        assert json.loads(error)["error"]["type"] == "server_error"
        assert done == "[DONE]"
        watcher.join()
        assert watched == ["The engine makes no progress. No step ended in 2 s."]
        wait_until(lambda: is_gone(engine_process(lab)))


@pytest.fixture
def with_hardware_error(tmp_path: Any, tiny: Any) -> Iterator[Lab]:
    message = "nrt_execute failed: NRT_EXEC_HW_ERR_COLLECTIVES status=1200"
    with lab_in(tmp_path, tiny, NEURON_LAB_FAULT_TEXT=message) as lab:
        yield lab


def test_a_hardware_error_has_its_cause(with_hardware_error: Lab) -> None:
    with with_hardware_error.gateway() as url:
        *_, error, _done = stream(url, lambda: with_hardware_error.fault("raise"))
        assert "hardware: replace_node" in reason(url)
        assert "NRT" not in error


async def test_full_memory_at_load_names_what_to_lower(tmp_path: Any, tiny: Any) -> None:
    message = "Failed to alloc DEVICE memory: 123 bytes, nrt_tensor_allocate status=4"
    knobs = {"NEURON_LAB_FAULT": "raise@load", "NEURON_LAB_FAULT_TEXT": message}
    with lab_in(tmp_path, tiny, **knobs) as lab, pytest.raises(EngineDead) as death:
        async with lab.engine():
            pass
    assert "Lower max_num_seqs" in str(death.value)
    assert "device_memory: reduce" in str(death.value)
