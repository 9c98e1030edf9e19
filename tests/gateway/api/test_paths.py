"""Slips in a path: slashes too many are served; for others the right path is named."""

import json
from pathlib import Path

import httpx
import pytest

from gateway.keys.store import new_key
from tests.conftest import Serve, wait_until
from tests.raw_http import BODY, CHAT, ask


@pytest.mark.parametrize(
    "target", [f"{CHAT}/", "/v1//chat/completions", "//v1/chat//completions//"]
)
def test_slashes_too_many_are_served(url: str, target: str) -> None:
    status, body = ask(url, target, "POST", json=BODY)
    assert status == 200, body
    assert json.loads(body)["object"] == "chat.completion"


@pytest.mark.parametrize(
    "target", ["/v1/models/", "/v1//models", "//v1/models//", "/v1/models/?a=/"]
)
def test_the_list_of_models_may_have_slashes_too_many(url: str, target: str) -> None:
    status, body = ask(url, target)
    assert (status, json.loads(body)["object"]) == (200, "list")


@pytest.mark.parametrize("target", ["/", "//", "///?x=//"])
def test_the_root_is_the_index(url: str, target: str) -> None:
    status, body = ask(url, target)
    assert (status, json.loads(body)["name"]) == (200, "neuron-gateway")


@pytest.mark.parametrize("id_", ["org/model", "/models/llama", "/models/llama/", "a//b"])
def test_a_model_is_found_whatever_the_slashes_of_its_id(serve: Serve, id_: str) -> None:
    url = serve(model={"id": id_})
    for spelling in (id_, id_.replace("/", "%2F"), id_.strip("/"), f"{id_}/"):
        status, body = ask(url, f"/v1/models/{spelling}")
        assert (status, json.loads(body).get("id")) == (200, id_), spelling
    assert ask(url, "/v1/models/other")[0] == 404


def test_an_id_that_is_written_exactly_comes_first(serve: Serve) -> None:
    device = {"kind": "simulated", "time_scale": 0}
    url = serve(models=[{"id": id_, "engine": {"device": device}} for id_ in ("m", "/m")])
    for target, id_ in (("/v1/models/m", "m"), ("/v1/models/%2Fm", "/m")):
        assert json.loads(ask(url, target)[1])["id"] == id_


def test_an_encoded_slash_is_no_slash(url: str) -> None:
    for target in ("/v1%2F/models", "/v1/models%2F", "/%2Fhealthz", "/healthz%2F"):
        assert ask(url, target)[0] == 404, target


NEAR = {
    ("POST", "/v1/v1/chat/completions"): "Did you mean POST /v1/chat/completions? Set the client",
    ("POST", "/chat/completions"): "Did you mean POST /v1/chat/completions? Set the client",
    ("POST", "/api/v1/chat/completions/"): "Did you mean POST /v1/chat/completions? Set the",
    ("POST", "/openai/v1/responses"): "Did you mean POST /v1/responses? Set the client's base URL",
    ("POST", "/openai/deployments/sim/completions"): "Did you mean POST /v1/completions? Set the",
    ("GET", "/models"): "Did you mean GET /v1/models? Set the client's base URL",
    ("GET", "/v1/v1/models/org/model"): "Did you mean GET /v1/models/org/model? Set the",
    ("POST", "/v1/tokenize"): "Did you mean POST /tokenize?",
    ("POST", "/v1/chat/completion"): "Did you mean POST /v1/chat/completions?",
    ("POST", "/v1/engines"): "Check the path.",
}  # fmt: skip


@pytest.mark.parametrize(("request_line", "hint"), NEAR.items(), ids=lambda v: str(v)[:40])
def test_a_path_nearby_is_a_404_that_names_the_right_one(
    url: str, request_line: tuple[str, str], hint: str
) -> None:
    method, target = request_line
    status, body = ask(url, target, method, json=BODY)
    assert status == 404
    assert hint in json.loads(body)["error"]["message"]


@pytest.mark.parametrize(
    "target",
    ["//v1/models", "/v1/models/", "/healthz/../v1/models", "/healthz//../v1/models",
     "/docs/assets//../../v1/models", "//docs/assets/..%2f..%2fv1/models", "/%2Fhealthz/v1/models",
     "/HEALTHZ", "/healthz%2F", "/v1/models/healthz", "/healthz;/v1/models", "/v1/models?/healthz"],
)  # fmt: skip
def test_no_spelling_of_a_path_gets_past_the_keys(
    serve: Serve, tmp_path: Path, target: str
) -> None:
    new_key(tmp_path / "keys.yaml", "alice")
    url = serve(keys_file=str(tmp_path / "keys.yaml"))
    assert ask(url, target)[0] in (401, 404)
    assert b"sim" not in ask(url, target)[1]


def test_metrics_and_log_have_the_path_that_is_served(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", "gateway.observe.access_log"):
        ask(url, "//v1//models/")
        wait_until(lambda: '"path": "/v1/models"' in caplog.text)
    assert 'path="/v1/models"' in httpx.get(f"{url}/metrics").text
    assert "//" not in httpx.get(f"{url}/metrics").text


@pytest.mark.parametrize(
    ("path", "allowed"),
    [("/ping", "GET, HEAD, POST"), ("/v1/models", "GET, HEAD"), ("/v1/responses", "POST")],
)
def test_a_wrong_method_is_told_all_that_the_path_has(url: str, path: str, allowed: str) -> None:
    answer = httpx.delete(url + path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
