"""Two replicas: what one refuses is offered to the other, and `/readyz` counts both."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import httpx
import pytest

from tests.faults.test_metrics_port import metrics_url
from tests.serving import STEADY, Gateway, ask, served, stream, until

pytestmark = [
    pytest.mark.ray,
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("default"),  # Ray's own
]

TRIES = 20
FORMS: dict[str, dict[str, Any]] = {
    "one hop": {"topology": "one-hop"},
    "two hops": {"topology": "two-hops", "ingress_replicas": 2},
}


@pytest.fixture(scope="module", params=FORMS)
def gateway(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    engine = {"max_model_len": 4096, "max_num_seqs": 2, "device": STEADY}
    args = {
        "models": [{"id": "sim", "engine": engine, "replicas": 2}],
        "limits": {"engine_queue_depth": 0, "max_queued": 0},
    }
    with served(tmp_path_factory.mktemp("ray"), args | FORMS[request.param]) as gateway:
        yield gateway


def of_seconds(gateway: Gateway, seconds: int, choices: int = 1) -> dict[str, Any]:
    return ask(gateway.url, n=choices, max_tokens=50 * seconds, ignore_eos=True, stream=True)


def loads(gateway: Gateway) -> set[tuple[int, int, int]]:
    """Return the replicas, slots and running requests, as several answers show them."""
    answers = [gateway.load() for _ in range(10)]
    return {(load["replicas"], load["slots"], load["running"]) for load in answers}


def status(request: dict[str, Any], all_run: Barrier) -> int:
    """Return the status of a stream that runs beside all others."""
    with httpx.stream(**request, timeout=30) as answer:
        all_run.wait(30)
        answer.read()
        return answer.status_code


def test_all_slots_of_both_replicas_are_used_before_a_request_is_refused(gateway: Gateway) -> None:
    until(lambda: loads(gateway) == {(2, 4, 0)}, 30)
    for _ in range(TRIES):
        all_run = Barrier(4)
        with ThreadPoolExecutor(3) as pool:
            requests = [of_seconds(gateway, 1, choices) for choices in (2, 1, 1)]
            streams = [pool.submit(status, request, all_run) for request in requests]
            all_run.wait(30)
            refused = httpx.request(**of_seconds(gateway, 1), timeout=30)
            assert [stream.result() for stream in streams] == [200, 200, 200]
        assert (refused.status_code, float(refused.headers["retry-after"]) > 0) == (429, True)


def test_readyz_counts_the_slots_and_the_requests_of_both_replicas(gateway: Gateway) -> None:
    until(lambda: loads(gateway) == {(2, 4, 0)}, 30)
    with ThreadPoolExecutor(3) as pool:
        for _ in range(3):
            pool.submit(stream, gateway, of_seconds(gateway, 5))  # what is shown is up to 1 s old
        until(lambda: loads(gateway) == {(2, 4, 3)}, 5)
    until(lambda: loads(gateway) == {(2, 4, 0)}, 5)


def test_the_gauges_of_the_replicas_add_up_to_the_models(gateway: Gateway) -> None:
    url = metrics_url(gateway)

    def slots() -> float:
        lines = httpx.get(url, timeout=20).text.splitlines()
        samples = [line for line in lines if line.startswith("ray_neuron_gateway_slots{")]
        return sum(float(line.split()[-1]) for line in samples)

    until(lambda: slots() == 4, 60)
