"""Every file of clients/examples, run as its README says, against the simulated engine."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import running, simulated
from tests.serving import ROOT
from tests.tools import require_tool

FOLDER = ROOT / "clients" / "examples"
PYTHON = ROOT / ".examples" / "bin" / "python"
RIVER = "A river is water that goes somewhere."
SCRIPTS = [
    {"when": "It is sunny in Paris", "reply": "Sunny, I hear."},
    {"when": "river?", "reply": RIVER},
    {"when": "lake?", "reply": "A lake stays."},
    {"when": "sea?", "reply": "A sea is salt."},
]

pytestmark = [pytest.mark.clients, pytest.mark.timeout(60)]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running(simulated({"scripts": SCRIPTS}, engine={"max_num_seqs": 16})) as url:
        yield url


def run(url: str, *command: str, **environment: str) -> str:
    assert PYTHON.exists(), "`make examples` installs the libraries of the examples"
    path = f"{PYTHON.parent}{os.pathsep}{os.environ['PATH']}"
    given = {"OPENAI_BASE_URL": f"{url}/v1", "OPENAI_API_KEY": "none", "PATH": path}
    done = subprocess.run(
        command, cwd=FOLDER, env=os.environ | given | environment, capture_output=True, text=True,
        timeout=50,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "name",
    ["openai_sync", "openai_busy", "langchain_chat", "llamaindex_chat", "litellm_chat",
     "pydantic_ai_chat"],
)  # fmt: skip
def test_an_example_prints_the_answer(url: str, name: str) -> None:
    assert run(url, str(PYTHON), f"{name}.py", "sim").strip() == RIVER


def test_a_stream_ends_with_its_tokens(url: str) -> None:
    text, tokens = run(url, str(PYTHON), "openai_stream.py", "sim").splitlines()
    assert text == RIVER
    assert tokens.endswith(" tokens")


def test_three_questions_are_answered_in_their_order(url: str) -> None:
    answers = run(url, str(PYTHON), "openai_async.py", "sim").splitlines()
    assert answers == [RIVER, "A lake stays.", "A sea is salt."]


def test_a_tool_is_called_and_its_result_is_used(url: str) -> None:
    result, answer = run(url, str(PYTHON), "openai_tools.py", "sim").splitlines()
    assert result.startswith("It is sunny in ")
    assert answer


def test_a_structured_answer_fits_its_type(url: str) -> None:
    assert run(url, str(PYTHON), "openai_structured.py", "sim").startswith("name=")


def test_a_plot_is_drawn(url: str, tmp_path: Path) -> None:
    file = tmp_path / "run.png"
    run(url, str(PYTHON), "plot.py", "sim", str(file))
    assert file.read_bytes().startswith(b"\x89PNG")


def test_the_llm_command_line_answers(url: str, tmp_path: Path) -> None:
    assert RIVER in run(url, "./llm.sh", "sim", LLM_USER_PATH=str(tmp_path))


def test_curl_shows_the_frames(url: str) -> None:
    require_tool("curl")
    frames = run(url, "./curl.sh", "sim")
    assert frames.count("data: ") > 5
    assert frames.endswith("data: [DONE]\n\n")


@pytest.mark.parametrize("name", ["openai", "ai_sdk"])
def test_an_example_for_javascript_prints_the_answer(url: str, name: str) -> None:
    assert run(url, require_tool("node"), f"{name}.mjs", "sim").strip() == RIVER


def test_every_example_has_a_test() -> None:
    tested = Path(__file__).read_text("utf-8")
    names: Any = {file.stem for file in FOLDER.iterdir() if file.suffix in (".py", ".mjs", ".sh")}
    assert all(name in tested for name in names)
