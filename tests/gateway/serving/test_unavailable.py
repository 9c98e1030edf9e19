"""The 503 in place of what Ray Serve answers by itself."""

from typing import Any

import httpx
import pytest
from starlette.responses import PlainTextResponse, Response
from starlette.testclient import TestClient

from gateway.errors import ApiError
from gateway.serving.unavailable import middlewares

JSON = Response('{"error": {}}', 503, media_type="application/json")


def get(app: Any, path: str = "/v1/models") -> httpx.Response:
    for middleware in middlewares():
        app = middleware.cls(app, *middleware.args, **middleware.kwargs)
    return TestClient(app).get(path)


async def silent(scope: Any, receive: Any, send: Any) -> None:
    """Answer nothing, as Serve where a replica is lost."""


@pytest.mark.parametrize("status", [404, 408, 429, 500, 503])
def test_an_error_of_serve_is_a_503_in_openais_shape(status: int) -> None:
    answer = get(PlainTextResponse("Path '/v1/models' not found.", status))
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/json")
    assert answer.headers["retry-after"] == "5"
    assert answer.json()["error"].keys() == ApiError(503, "").body()["error"].keys()
    assert answer.json()["error"]["type"] == "server_error"


def test_a_missing_answer_is_the_503() -> None:
    assert get(silent).json()["error"]["code"] == "service_unavailable"


@pytest.mark.parametrize(
    "answer", [JSON, PlainTextResponse("metrics"), PlainTextResponse("Disallowed CORS origin", 400)]
)
def test_an_answer_of_the_app_passes(answer: Response) -> None:
    passed = get(answer)
    assert (passed.status_code, passed.content) == (answer.status_code, answer.body)


def test_the_health_of_serve_passes() -> None:
    assert get(PlainTextResponse("DRAINING", 503), "/-/healthz").text == "DRAINING"
