"""A client that a public generator makes from `/openapi.json`."""

import json
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

pytestmark = [pytest.mark.clients, pytest.mark.timeout(120)]

CHAT = """
from generated import Client
from generated.api.generation import create_chat_completion
from generated.models import ChatCompletion, ChatCompletionRequest

body = ChatCompletionRequest.from_dict(
    {"model": "sim", "messages": [{"role": "user", "content": "Hello."}], "max_tokens": 5}
)
answer = create_chat_completion.sync(client=Client(base_url="%s"), body=body)
assert isinstance(answer, ChatCompletion), answer
print(answer.choices[0].message.content, answer.usage.completion_tokens)
"""


@pytest.fixture
def generated(url: str, tmp_path: Path) -> Path:
    """A folder with the package `generated`."""
    document = tmp_path / "openapi.json"
    document.write_text(json.dumps(httpx.get(f"{url}/openapi.json").json()))
    command = [
        Path(sys.executable).with_name("openapi-python-client"), "generate", "--path", document,
        "--output-path", tmp_path / "generated", "--meta", "none",
    ]  # fmt: skip
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"  # it formats with ruff
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env=os.environ | {"PATH": path}
    )
    assert "WARNING" not in done.stdout + done.stderr
    assert "Unable to process" not in done.stdout + done.stderr
    return tmp_path


def test_it_sends_a_chat(url: str, generated: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CHAT % url], cwd=generated, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == "5"
