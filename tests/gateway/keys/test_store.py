"""API keys: shown once, kept as hashes, read again when their file changes."""

import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.commands.main import app
from gateway.keys.store import RELOAD_SECONDS, KeyStore, new_key, read_keys
from tests.conftest import Clock


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


def test_a_key_is_shown_once_and_kept_as_a_hash_that_its_owner_alone_can_read(
    file: Path, alice: str
) -> None:
    assert re.fullmatch(r"ngw-[A-Za-z0-9_-]{43}", alice)
    assert alice not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [key.name for key in read_keys(file)] == ["alice"]


HASH = "0" * 64
CHANGES = (("new", "new"), ("remove", "old"))


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        ("keys: [{name: a}]", r"keys.0.sha256: Field required"),
        ("keys: [{name: a, sha256: abc}]", r"keys.0.sha256: String should match"),
        (f"keys: [{{name: a, sha256: '{HASH}', rpm: 3}}]", r"keys.0.rpm is not a known key"),
        (f"keys: [{{name: a b, sha256: '{HASH}'}}]", r"keys.0.name: String should match"),
        ("keys: [", "is not valid YAML at line 1"),
        ("keys: []\nkeys: []", "is not valid YAML at line 1: keys is given twice"),
        (
            f"keys: [{{name: a, sha256: '{HASH}'}}, {{name: a, sha256: '{HASH}'}}]",
            "the name a is used twice",
        ),
        (
            f"keys: [{{name: a, sha256: '{HASH}'}}, {{name: b, sha256: '{HASH}'}}]",
            "the sha256 0000.* is used twice",
        ),
    ],
)
def test_an_invalid_file_of_keys_is_rejected_before_anything_starts(
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


def test_a_name_that_is_taken_and_one_that_is_unknown_are_rejected(file: Path, alice: str) -> None:
    again = CliRunner().invoke(app, ["keys", "new", "alice", "--file", str(file)])
    assert (again.exit_code, "the name alice is taken" in again.stderr) == (2, True)
    other = CliRunner().invoke(app, ["keys", "remove", "bob", "--file", str(file)])
    assert (other.exit_code, "no key is named bob" in other.stderr) == (2, True)


@pytest.mark.timeout(90)
def test_processes_that_change_the_file_at_once_lose_no_change(file: Path) -> None:
    for n in range(4):
        new_key(file, f"old-{n}")
    command = [sys.executable, "-m", "gateway", "keys"]
    changes = [(change, f"{name}-{n}") for n in range(4) for change, name in CHANGES]
    processes = [
        subprocess.Popen(
            [*command, *change, "--file", str(file)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for change in changes
    ]
    assert [process.wait() for process in processes] == [0] * 8
    assert sorted(key.name for key in read_keys(file)) == [f"new-{n}" for n in range(4)]
    assert [entry.name for entry in file.parent.iterdir()] == [file.name]


def test_a_folder_that_cannot_be_written_is_an_error_that_says_so() -> None:
    result = CliRunner().invoke(app, ["keys", "new", "alice", "--file", "/proc/keys.yaml"])
    assert result.exit_code == 2
    assert "/proc/keys.yaml: cannot be written" in result.stderr


def test_the_list_shows_names_and_limits_and_no_hash(file: Path) -> None:
    keys("new", "alice", "--file", str(file), "--requests-per-minute", "3", "--priority", "4")
    assert keys("list", "--file", str(file)) == "alice requests_per_minute=3 priority=4.0"


SIMULATED = Path(__file__).parents[3] / "deploy" / "serve" / "simulated.yaml"


def test_other_machines_may_not_call_without_keys() -> None:
    result = CliRunner().invoke(app, ["serve", str(SIMULATED), "--host", "0.0.0.0"])
    assert (result.exit_code, result.stdout) == (2, "")
    assert "neuron-gateway keys new NAME" in result.stderr
    assert "--insecure" in result.stderr


def test_a_keys_file_may_be_given_to_the_command(tmp_path: Path) -> None:
    missing = tmp_path / "keys.yaml"
    arguments = ["serve", "--host", "0.0.0.0", "--keys-file", str(missing)]
    result = CliRunner().invoke(app, arguments, env={"NEURON_GATEWAY_CONFIG": str(SIMULATED)})
    assert (result.exit_code, result.stdout) == (2, "")
    assert str(missing) in result.stderr
    assert "neuron-gateway keys new NAME" in result.stderr


def test_a_first_key_is_made_where_there_is_none(file: Path) -> None:
    assert keys("new", "first", "--first", "--file", str(file)).startswith("ngw-")
    assert keys("new", "other", "--first", "--file", str(file)) == ""
    assert [key.name for key in read_keys(file)] == ["first"]


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def name_of(store: KeyStore, text: str) -> str | None:
    key = await store.find(text)
    return None if key is None else key.name


async def test_a_change_of_the_file_is_seen_at_the_next_look(
    file: Path, alice: str, clock: Clock
) -> None:
    store = KeyStore(file, clock=clock)
    bob = keys("new", "bob", "--file", str(file))
    assert await name_of(store, bob) is None
    clock.now += RELOAD_SECONDS
    assert await name_of(store, bob) == "bob"
    assert await name_of(store, alice) == "alice"
    assert await name_of(store, f"{alice}x") is None


@pytest.mark.parametrize("text", ["", "2024-13-45", "!!int x", "keys:", "keys: [{name: alice}]"])
async def test_a_change_that_cannot_be_read_leaves_the_keys_as_they_were(
    file: Path, alice: str, clock: Clock, text: str
) -> None:
    store = KeyStore(file, clock=clock)
    file.write_text(text)  # noqa: ASYNC240 - of a few bytes
    clock.now += RELOAD_SECONDS
    assert await name_of(store, alice) == "alice"
