"""What probes ask: HEAD, `/health`, `/ping`, `/version`."""

from pathlib import Path

import httpx
import pytest

from gateway.keys.store import new_key
from gateway.version import VERSION
from tests.conftest import Serve, running, simulated
from tests.raw_http import BODY, CHAT

GETS = ("/", "/v1/models", "/v1/models/sim", "/healthz", "/readyz", "/health", "/ping", "/version",
        "/openapi.json", "/docs", "/docs/assets/swagger-ui.css", "/readme")  # fmt: skip


@pytest.mark.parametrize("path", GETS)
def test_head_is_answered_as_get_without_the_body(url: str, path: str) -> None:
    get, head = httpx.get(url + path), httpx.head(url + path)
    assert (get.status_code, head.status_code, head.content) == (200, 200, b"")
    changing = {"openai-processing-ms", "x-request-id", "date"}
    first, second = ({k: v for k, v in a.headers.items() if k not in changing} for a in (get, head))
    assert first == second
    assert head.headers["content-length"] == str(len(get.content))


def test_head_is_refused_where_get_is(url: str) -> None:
    assert httpx.head(f"{url}/v1/models/none").status_code == 404
    assert httpx.head(f"{url}/nothing").status_code == 404
    assert httpx.head(url + CHAT).status_code == 405
    assert httpx.head(f"{url}/metrics").status_code == 200


def test_health_and_version_are_there_without_a_key(serve: Serve, tmp_path: Path) -> None:
    new_key(tmp_path / "keys.yaml", "alice")
    url = serve(keys_file=str(tmp_path / "keys.yaml"))
    for method, path in (("GET", "/health"), ("GET", "/ping"), ("POST", "/ping")):
        answer = httpx.request(method, url + path)
        assert (answer.status_code, answer.content) == (200, b"")
    assert httpx.get(f"{url}/version").json() == {"version": VERSION}


def test_health_is_503_where_no_engine_is_ready() -> None:
    config = simulated({"faults": {"die_at_token": 1}})
    with running(config) as url:
        httpx.post(url + CHAT, json=BODY)
        for path in ("/health", "/ping"):
            assert httpx.get(url + path).status_code == 503
