"""Who may call: bearer keys, what each admits to, and the paths that are open without one."""

from pathlib import Path

import httpx
import openai
import pytest
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from gateway.context import RequestContext, set_context
from gateway.keys.middleware import ApiKeyMiddleware
from gateway.keys.rate_limit import RateLimiter
from gateway.keys.store import KeyStore, new_key, remove_key
from tests.conftest import Serve, wait_until

CHAT = {"model": "sim", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 5}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys.yaml"


@pytest.fixture
def alice(file: Path) -> str:
    return new_key(file, "alice")


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def test_the_sdk_works_with_its_key_and_no_other(serve: Serve, file: Path, alice: str) -> None:
    url = serve(keys_file=str(file))
    good = openai.OpenAI(base_url=f"{url}/v1", api_key=alice)
    assert good.models.list().data[0].id == "sim"
    bad = openai.OpenAI(base_url=f"{url}/v1", api_key=f"{alice}x", max_retries=0)
    with pytest.raises(openai.AuthenticationError) as rejected:
        bad.models.list()
    assert rejected.value.code == "invalid_api_key"
    assert alice not in str(rejected.value)


@pytest.mark.parametrize("header", [None, "", "Basic abc", "Bearer"])
def test_without_a_bearer_key_it_is_a_401_that_says_what_to_send(
    serve: Serve, file: Path, alice: str, header: str | None
) -> None:
    url = serve(keys_file=str(file))
    headers = {} if header is None else {"authorization": header}
    refused = httpx.post(f"{url}/v1/chat/completions", json=CHAT, headers=headers)
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, None)
    assert refused.headers["www-authenticate"] == "Bearer"
    assert refused.headers["x-request-id"]


@pytest.mark.parametrize("path", ["/v1/nothing", "/tokenize", "/docs/assets"])
def test_only_probes_and_the_reference_are_open(
    serve: Serve, file: Path, alice: str, path: str
) -> None:
    url = serve(keys_file=str(file))
    assert httpx.post(f"{url}{path}", json=CHAT).status_code == 401
    assert httpx.get(f"{url}/healthz").status_code == 200
    assert httpx.get(f"{url}/readyz").status_code == 200


def test_a_key_for_other_models_sees_and_uses_none(serve: Serve, file: Path) -> None:
    key = new_key(file, "bob", models=("other",))
    url = serve(keys_file=str(file))
    assert httpx.get(f"{url}/v1/models", headers=bearer(key)).json()["data"] == []
    hidden, unknown = (
        httpx.post(f"{url}/v1/chat/completions", json=CHAT | {"model": m}, headers=bearer(key))
        for m in ("sim", "nonsense")
    )
    assert hidden.status_code == unknown.status_code == 404
    assert hidden.json() == unknown.json()
    assert httpx.get(f"{url}/v1/models/sim", headers=bearer(key)).status_code == 404
    body = {"model": "sim", "prompt": "hi"}
    assert httpx.post(f"{url}/tokenize", json=body, headers=bearer(key)).status_code == 404


def test_a_new_key_is_accepted_and_a_removed_one_rejected_while_it_runs(
    serve: Serve, file: Path, alice: str
) -> None:
    url = serve(keys_file=str(file))
    bob = new_key(file, "bob")

    def status(key: str) -> int:
        return httpx.get(f"{url}/v1/models", headers=bearer(key)).status_code

    wait_until(lambda: status(bob) == 200)
    remove_key(file, "alice")
    wait_until(lambda: status(alice) == 401)
    assert status(bob) == 200


def test_without_a_key_the_status_alone_is_shown(serve: Serve, file: Path, alice: str) -> None:
    url = serve(keys_file=str(file))
    assert httpx.get(f"{url}/readyz").json() == {"status": "ready"}
    assert "models" in httpx.get(f"{url}/readyz", headers=bearer(alice)).json()


async def status_at(keys: KeyStore, path: str, root_path: str) -> int:
    """Return the status of a request without a key, to an app that a server mounts elsewhere."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await Response("open")(scope, receive, send)

    statuses: list[int] = []

    async def send(message: Message) -> None:
        statuses.append(message.get("status", 0))

    async def receive() -> Message:
        return {"type": "http.request"}

    middleware = ApiKeyMiddleware(app, keys, RateLimiter())
    scope = {"type": "http", "path": path, "root_path": root_path, "headers": [], "method": "GET"}
    set_context(scope, RequestContext("r"))
    await middleware(scope, receive, send)
    return statuses[0]


@pytest.mark.parametrize(
    ("path", "root_path", "status"),
    [
        ("/healthz", "", 200),
        ("/healthz", "/", 200),
        ("/gw/healthz", "/gw", 200),
        ("/gw/v1/models", "/gw", 401),
        ("/gwhealthz", "/gw", 401),
        ("/gw", "/gw", 401),
        ("/v1/healthz", "", 401),
    ],
)
async def test_the_open_paths_are_those_below_the_route_prefix(
    file: Path, alice: str, path: str, root_path: str, status: int
) -> None:
    assert await status_at(KeyStore(file), path, root_path) == status
