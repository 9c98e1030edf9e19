"""API keys: made once, checked by hash, re-read when the file changes; what no key may do."""

import re
import stat
import time
from pathlib import Path

import httpx
import openai
import pytest
from typer.testing import CliRunner

from gateway.commands.main import app
from gateway.keys.store import RELOAD_SECONDS, read_keys
from tests.conftest import Serve, wait_until

CHAT = {"model": "sim", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 5}


def keys(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["keys", *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout.strip()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys.yaml"


@pytest.fixture
def alice(file: Path) -> str:
    return keys("new", "alice", "--file", str(file))


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def test_a_key_is_shown_once_and_kept_as_a_hash_that_its_owner_alone_can_read(
    file: Path, alice: str
) -> None:
    assert re.fullmatch(r"ngw-[A-Za-z0-9_-]{43}", alice)
    assert alice not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [key.name for key in read_keys(file)] == ["alice"]


def test_the_sdk_works_with_its_key_and_no_other(serve: Serve, file: Path, alice: str) -> None:
    url = serve(keys_file=str(file))
    good = openai.OpenAI(base_url=f"{url}/v1", api_key=alice)
    assert good.models.list().data[0].id == "sim"
    bad = openai.OpenAI(base_url=f"{url}/v1", api_key=f"{alice}x", max_retries=0)
    with pytest.raises(openai.AuthenticationError) as refused:
        bad.models.list()
    assert refused.value.code == "invalid_api_key"
    assert alice not in str(refused.value)


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
    key = keys("new", "bob", "--file", str(file), "--model", "other")
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


def test_a_new_key_is_known_and_a_removed_one_refused_while_it_runs(
    serve: Serve, file: Path, alice: str
) -> None:
    url = serve(keys_file=str(file))
    bob = keys("new", "bob", "--file", str(file))

    def status(key: str) -> int:
        return httpx.get(f"{url}/v1/models", headers=bearer(key)).status_code

    wait_until(lambda: status(bob) == 200)
    keys("remove", "alice", "--file", str(file))
    wait_until(lambda: status(alice) == 401)
    assert status(bob) == 200


def test_a_file_that_became_unreadable_leaves_the_keys_as_they_were(
    serve: Serve, file: Path, alice: str
) -> None:
    url = serve(keys_file=str(file))
    file.write_text("keys: [{name: alice}]")
    time.sleep(RELOAD_SECONDS + 0.1)
    assert httpx.get(f"{url}/v1/models", headers=bearer(alice)).status_code == 200


HASH = "0" * 64


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        ("keys: [{name: a}]", r"keys.0.sha256: Field required"),
        ("keys: [{name: a, sha256: abc}]", r"keys.0.sha256: String should match"),
        (f"keys: [{{name: a, sha256: '{HASH}', rpm: 3}}]", r"keys.0.rpm: Extra inputs"),
        (f"keys: [{{name: a b, sha256: '{HASH}'}}]", r"keys.0.name: String should match"),
        ("keys: [", "is not valid YAML"),
        (
            f"keys: [{{name: a, sha256: '{HASH}'}}, {{name: a, sha256: '{HASH}'}}]",
            "a is there twice",
        ),
    ],
)
def test_a_bad_file_of_keys_is_refused_before_anything_starts(
    file: Path, tmp_path: Path, text: str, refusal: str
) -> None:
    file.write_text(text)
    config = tmp_path / "gateway.yaml"
    config.write_text(
        "applications:\n- import_path: gateway.serving.ray_app:build_app\n  args:\n"
        f"    keys_file: {file}\n"
        "    models: [{id: sim, engine: {device: {kind: simulated}}}]\n"
    )
    result = CliRunner().invoke(app, ["check", str(config)])
    assert (result.exit_code, result.stdout) == (2, "")
    assert re.search(refusal, result.stderr)


def test_a_name_that_is_taken_and_one_that_is_not_there_are_refused(file: Path, alice: str) -> None:
    again = CliRunner().invoke(app, ["keys", "new", "alice", "--file", str(file)])
    assert (again.exit_code, "alice is there already" in again.stderr) == (2, True)
    other = CliRunner().invoke(app, ["keys", "remove", "bob", "--file", str(file)])
    assert (other.exit_code, "bob is not there" in other.stderr) == (2, True)


def test_the_list_shows_names_and_limits_and_no_hash(file: Path) -> None:
    keys("new", "alice", "--file", str(file), "--requests-per-minute", "3", "--priority", "4")
    assert keys("list", "--file", str(file)) == "alice requests_per_minute=3 priority=4.0"


SIMULATED = Path(__file__).parents[3] / "deploy" / "serve" / "simulated.yaml"


def test_other_machines_may_not_call_without_keys() -> None:
    result = CliRunner().invoke(app, ["serve", str(SIMULATED), "--host", "0.0.0.0"])
    assert (result.exit_code, result.stdout) == (2, "")
    assert "neuron-gateway keys new NAME" in result.stderr
    assert "--insecure" in result.stderr


@pytest.mark.parametrize("text", ["", "2024-13-45", "!!int x", "keys:"])
def test_a_file_that_is_none_for_a_moment_leaves_the_keys_as_they_were(
    serve: Serve, file: Path, alice: str, text: str
) -> None:
    url = serve(keys_file=str(file))
    file.write_text(text)
    time.sleep(RELOAD_SECONDS + 0.1)
    assert httpx.get(f"{url}/v1/models", headers=bearer(alice)).status_code == 200


def test_a_stranger_hears_the_status_alone(serve: Serve, file: Path, alice: str) -> None:
    url = serve(keys_file=str(file))
    assert httpx.get(f"{url}/readyz").json() == {"status": "ready"}
    assert "models" in httpx.get(f"{url}/readyz", headers=bearer(alice)).json()


@pytest.mark.parametrize("path", ["//healthz", "/healthz/../v1/models", "/HEALTHZ", "/healthz/"])
def test_no_spelling_of_a_path_is_a_way_around(
    serve: Serve, file: Path, alice: str, path: str
) -> None:
    url = serve(keys_file=str(file))
    with httpx.Client() as client:
        request = client.build_request("GET", url)
        request.url = request.url.copy_with(raw_path=path.encode())
        assert client.send(request).status_code == 401
