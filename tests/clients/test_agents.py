"""Coding agents as npm has them: each runs a loop of scripted tool calls in a folder."""

import json
import os
import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import running, simulated
from tests.tools import require_tool, unavailable

BIN = Path(__file__).parent / "agents" / "node_modules" / ".bin"
DRAFT = "first draft 4711\n"
ANSWER = "The notes are up to date."
PATCH = """*** Begin Patch
*** Update File: notes.txt
@@
-first draft 4711
+second draft
*** End Patch
"""
READ_IN_JAVASCRIPT = """const read = await tools.exec_command({cmd: "cat notes.txt"});
text(read.output);"""
PATCH_IN_JAVASCRIPT = f"""await tools.apply_patch({json.dumps(PATCH)});
text("M " + "notes.txt");"""

# Agents look for updates and lists of models. These two take a proxy that is not there.
LOOPBACK = {"HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": "127.0.0.1"}

pytestmark = [pytest.mark.clients, pytest.mark.timeout(120)]
Run = Callable[..., str]


def call(name: str, **arguments: Any) -> str:
    """Return a call as the model writes it."""
    return f"<tool_call>{json.dumps({'name': name, 'arguments': arguments})}</tool_call>"


READ = call("exec_command", cmd="cat notes.txt")
# What Codex offers depends on the model's name: an interpreter, which it also does without a
# name; a tool for patches; for names that it does not know a shell alone.
CODEX = {
    "gpt-6.2-sol": (
        call("functions__exec", input=READ_IN_JAVASCRIPT),
        call("functions__exec", input=PATCH_IN_JAVASCRIPT),
    ),
    "gpt-5.5": (READ, call("apply_patch", input=PATCH)),
    "llama": (READ, call("exec_command", cmd=f"apply_patch <<'EOF'\n{PATCH}EOF")),
}


def serving(model: str, *replies: tuple[str, str]) -> AbstractContextManager[str]:
    """Serve a model that replies to the text that comes latest in a conversation."""
    scripts = [{"when": when, "reply": reply} for when, reply in reversed(replies)]
    device = {"scripts": scripts}
    return running(simulated(device, engine={"max_model_len": 131_072}, model={"id": model}))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder that an agent works in."""
    work = tmp_path / "work"
    work.mkdir()
    (work / "notes.txt").write_text(DRAFT)
    return work


@pytest.fixture
def run(tmp_path: Path, folder: Path) -> Run:
    """Return a function that runs an agent, which finds no settings of the user's."""
    return partial(_run, tmp_path / "home", folder)


def _run(home: Path, folder: Path, name: str, *arguments: str, **environment: str) -> str:
    require_tool("npm")
    if not (BIN / name).exists():
        unavailable("`make agents` installs the agents")
    home.mkdir(exist_ok=True)
    environment |= {"PATH": os.environ["PATH"], "HOME": str(home)}
    done = subprocess.run(
        [str(BIN / name), *arguments],
        cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=100,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def codex(run: Run, home: Path, url: str, *arguments: str) -> str:
    """Run Codex with its default config, but for the provider's address."""
    home.mkdir(exist_ok=True)
    (home / "config.toml").write_text(f"""
model_provider = "gateway"
[model_providers.gateway]
name = "gateway"
base_url = "{url}/v1"
wire_api = "responses"
""")
    everything = "--dangerously-bypass-approvals-and-sandbox"
    return run(
        "codex",
        "exec",
        *arguments,
        "--skip-git-repo-check",
        everything,
        CODEX_HOME=str(home),
        **LOOPBACK,
    )


@pytest.mark.parametrize("model", CODEX)
def test_codex_reads_a_file_and_patches_it(
    run: Run, tmp_path: Path, folder: Path, model: str
) -> None:
    read, patch = CODEX[model]
    replies = (("Revise the notes", read), (DRAFT, f"I read them.\n{patch}"))
    named = () if model == "gpt-6.2-sol" else ("--model", model)
    with serving(model, *replies, ("M notes.txt", ANSWER)) as url:
        said = codex(run, tmp_path / "codex", url, *named, "Revise the notes")
    assert (folder / "notes.txt").read_text() == "second draft\n"
    assert said.strip().endswith(ANSWER)


def test_codex_resumes_a_conversation_with_reasoning(run: Run, tmp_path: Path) -> None:
    replies = (("Begin", "<think>A beginning.</think>Begun."), ("And now?", "It goes on."))
    config = simulated(
        {"scripts": [{"when": when, "reply": reply} for when, reply in reversed(replies)]},
        engine={"max_model_len": 131_072},
        model={"id": "llama", "reasoning": "think"},
    )
    ask = partial(codex, run, tmp_path / "codex")
    with running(config) as url:
        assert ask(url, "--model", "llama", "Begin").strip().endswith("Begun.")
        said = ask(url, "resume", "--last", "--model", "llama", "And now?")
    assert said.strip().endswith("It goes on.")


def test_opencode_runs_a_command(run: Run, folder: Path) -> None:
    copy = call("bash", command="cp notes.txt copy.txt; cat copy.txt", description="Copy notes")
    with serving("sim", ("Copy the notes", copy), (DRAFT, ANSWER)) as url:
        options = {"baseURL": f"{url}/v1", "apiKey": "none"}
        provider = {"npm": "@ai-sdk/openai-compatible", "options": options, "models": {"sim": {}}}
        config = {"provider": {"gateway": provider}, "autoupdate": False, "share": "disabled"}
        (folder / "opencode.json").write_text(json.dumps(config))
        said = run(
            "opencode", "run", "--model", "gateway/sim", "Copy the notes",
            OPENCODE_DISABLE_MODELS_FETCH="1", **LOOPBACK,
        )  # fmt: skip
    assert (folder / "copy.txt").read_text() == DRAFT
    assert ANSWER in said


def test_qwen_code_runs_a_command(run: Run, folder: Path) -> None:
    copy = call(
        "run_shell_command", command="cp notes.txt copy.txt; cat copy.txt", is_background=False
    )
    settings = {
        "privacy": {"usageStatisticsEnabled": False},
        "general": {"enableAutoUpdate": False},
    }
    (folder / ".qwen").mkdir()
    (folder / ".qwen" / "settings.json").write_text(json.dumps(settings))
    with serving("sim", ("Copy the notes", copy), (DRAFT, ANSWER)) as url:
        said = run(
            "qwen", "--yolo", "--auth-type", "openai", "--prompt", "Copy the notes",
            OPENAI_BASE_URL=f"{url}/v1", OPENAI_API_KEY="none", OPENAI_MODEL="sim",
        )  # fmt: skip
    assert (folder / "copy.txt").read_text() == DRAFT
    assert said.strip().endswith(ANSWER)
