"""What holds for every path: the error envelope, headers, limits."""

from dataclasses import replace

import httpx
import pytest

from engine import EngineBackend, EngineConfig, create_engine
from gateway.config import ConfigError
from tests.conftest import Serve, running, simulated

CHAT = "/v1/chat/completions"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, None),
        ("GET", "/v1/nothing", 404, None),
        ("POST", "/v1/embeddings", 404, None),
        ("GET", CHAT, 405, "method_not_supported"),
        ("DELETE", "/v1/models", 405, "method_not_supported"),
        ("GET", "/v1/models/none", 404, "model_not_found"),
    ],
)
def test_every_refusal_has_openais_shape(
    url: str, method: str, path: str, status: int, code: str | None
) -> None:
    answer = httpx.request(method, url + path)
    assert answer.status_code == status
    assert answer.json()["error"].keys() == {"message", "type", "param", "code"}
    assert answer.json()["error"]["code"] == code


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"nonsense", b"[]", b"null", b"\xff\xfe", b'{"model": "\xff"}'],
    ids=["empty", "cut", "words", "list", "null", "not utf-8", "bad string"],
)
def test_a_body_that_is_no_object_is_a_400(url: str, body: bytes) -> None:
    answer = httpx.post(url + CHAT, content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, None)


def test_a_body_over_the_limit_is_a_413(url: str) -> None:
    body = b" " * (4 * 2**20 + 1)
    answer = httpx.post(url + CHAT, content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "request_too_large")


def test_a_chunked_body_over_the_limit_is_a_413(url: str) -> None:
    chunks = (b" " * 2**20 for _ in range(8))
    answer = httpx.post(url + CHAT, content=chunks, headers={"content-type": "application/json"})
    assert answer.status_code == 413


def test_another_media_type_is_a_415(url: str) -> None:
    answer = httpx.post(url + CHAT, content=b"{}", headers={"content-type": "text/plain"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "unsupported_media_type")


def test_an_unknown_model_is_a_404(url: str) -> None:
    body = {"model": "gpt", "messages": [{"role": "user", "content": "hi"}]}
    answer = httpx.post(url + CHAT, json=body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (404, "model")


def test_a_callers_request_id_is_kept(url: str) -> None:
    answer = httpx.get(f"{url}/healthz", headers={"x-request-id": "mine-1"})
    assert answer.headers.get_list("x-request-id") == ["mine-1"]


@pytest.mark.parametrize("wished", ["", "a b", "x" * 129], ids=["none", "blank", "long"])
def test_a_bad_request_id_is_replaced(url: str, wished: str) -> None:
    answer = httpx.get(f"{url}/healthz", headers={"x-request-id": wished})
    assert len(answer.headers["x-request-id"]) == 32


def test_models_show_their_limits(url: str) -> None:
    models = httpx.get(f"{url}/v1/models").json()
    assert [(m["id"], m["max_model_len"], m["unsupported"]) for m in models["data"]] == [
        ("sim", 4096, [])
    ]
    assert httpx.get(f"{url}/v1/models/sim").json() == models["data"][0]


def test_models_show_the_digest_of_weights_that_an_engine_found_at_its_start() -> None:
    def make(model_id: str, config: EngineConfig) -> EngineBackend:
        engine = create_engine(model_id, config)
        engine.model = replace(engine.model, weights="0123456789abcdef")  # type: ignore[misc]
        return engine

    with running(simulated(), make_engine=make) as url:
        assert httpx.get(f"{url}/v1/models/sim").json()["weights"] == "0123456789abcdef"


def test_readyz_shows_the_phase_and_the_load(url: str) -> None:
    answer = httpx.get(f"{url}/readyz").json()
    assert answer["status"] == "ready"
    assert answer["models"]["sim"]["slots"] == 4


@pytest.mark.parametrize(
    "path", ["embeddings", "audio/speech", "images/generations", "moderations"]
)
def test_an_endpoint_for_other_models_says_so(url: str, path: str) -> None:
    answer = httpx.post(f"{url}/v1/{path}", json={})
    assert answer.status_code == 404
    assert "another kind of model" in answer.json()["error"]["message"]


PREFLIGHT = {"origin": "https://chat.example", "access-control-request-method": "POST"}


def test_no_page_may_call_the_gateway_by_default(url: str) -> None:
    answer = httpx.get(f"{url}/v1/models", headers={"origin": "https://chat.example"})
    assert "access-control-allow-origin" not in answer.headers
    assert httpx.options(f"{url}/v1/chat/completions", headers=PREFLIGHT).status_code == 405


def test_pages_of_the_configs_origins_may_call_the_gateway(serve: Serve) -> None:
    url = serve(cors={"allow_origins": ["https://chat.example"]})
    asked = {"access-control-request-headers": "authorization,x-stainless-lang"}
    for origin, allowed in (("https://chat.example", True), ("https://other.example", False)):
        headers = PREFLIGHT | asked | {"origin": origin}
        answer = httpx.options(f"{url}/v1/chat/completions", headers=headers)
        assert (answer.headers.get("access-control-allow-origin") == origin) is allowed
    answer = httpx.get(f"{url}/v1/models", headers={"origin": "https://chat.example"})
    assert answer.headers["access-control-allow-origin"] == "https://chat.example"
    assert "x-request-id" in answer.headers["access-control-expose-headers"].lower()


@pytest.mark.parametrize("origin", ["https://a.example/", "a.example", ""])
def test_what_is_no_origin_is_refused_when_the_file_is_read(origin: str) -> None:
    with pytest.raises(ConfigError, match=r"cors\.allow_origins\.0"):
        simulated(cors={"allow_origins": [origin]})
