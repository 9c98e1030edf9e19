"""`GET /`: a page for a person's browser, JSON for a program."""

import shlex
import subprocess
from pathlib import Path

import httpx

from tests.conftest import Serve
from tests.gateway.keys.test_store import keys

BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def test_a_program_gets_json(url: str) -> None:
    body = httpx.get(url).json()
    assert body["name"] == "neuron-gateway"
    assert body["models"] == {"sim": "ready"}
    assert body["docs"] == "/docs"


def test_a_browser_gets_a_page_with_the_models_and_their_phases(url: str) -> None:
    answer = httpx.get(url, headers=BROWSER)
    assert answer.headers["content-type"].startswith("text/html")
    assert "<td>sim</td><td>ready</td>" in answer.text
    assert 'href="docs"' in answer.text


def test_the_pages_command_answers(url: str) -> None:
    page = httpx.get(url, headers=BROWSER).text
    command = page.partition("<pre>")[2].partition("</pre>")[0]
    command = command.replace("&quot;", '"').replace("&#x27;", "'")
    out = subprocess.run(shlex.split(command), capture_output=True, text=True, check=True)
    assert out.stdout.endswith("data: [DONE]\n\n")


def test_without_a_key_the_models_are_hidden(serve: Serve, tmp_path: Path) -> None:
    file = tmp_path / "keys.yaml"
    key = keys("new", "alice", "--file", str(file))
    url = serve(keys_file=str(file))
    assert "models" not in httpx.get(url).json()
    assert "sim" not in httpx.get(url, headers=BROWSER).text.replace("simply", "")
    assert httpx.get(url, headers={"authorization": f"Bearer {key}"}).json()["models"] == {
        "sim": "ready"
    }


def test_a_models_name_is_text_on_the_page(serve: Serve) -> None:
    url = serve(model={"id": "<script>alert(1)</script>"})
    page = httpx.get(url, headers=BROWSER).text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page
