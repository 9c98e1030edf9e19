"""guidellm, a benchmark of servers like vLLM: its scenarios, a few requests each."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.serving import ROOT
from tests.tools import unavailable

GUIDELLM = ROOT / ".guidellm" / "bin" / "guidellm"
REQUESTS = 3
TOKENS = 8

pytestmark = [pytest.mark.clients, pytest.mark.timeout(120)]


def benchmark(url: str, folder: Path, endpoint: str, *backend: str) -> dict[str, Any]:
    """Run one benchmark and return its result."""
    if not GUIDELLM.exists():
        unavailable("`make agents` installs guidellm")
    rows = [{"prompt": f"What is river {n}?", "output_tokens_count": TOKENS} for n in range(9)]
    prompts, report = folder / "prompts.jsonl", folder / "report.json"
    prompts.write_text("\n".join(map(json.dumps, rows)))
    options = {
        "backend": ",".join(("kind=openai_http", f"target={url}", f"request_format={endpoint}",
                             *backend)),
        "profile": "kind=synchronous",
        "constraint": f"kind=max_requests,count={REQUESTS}",
        "data": f"kind=json_file,path={prompts}",
        "output": f"kind=json,path={report}",
    }  # fmt: skip
    done = subprocess.run(
        [str(GUIDELLM), "run", *(f"--{name}={value}" for name, value in options.items()),
         "--disable-console"],
        env=os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(folder)},
        cwd=folder, capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    (result,) = json.loads(report.read_text())["benchmarks"]
    return dict(result)


@pytest.mark.parametrize("endpoint", ["chat/completions", "completions", "responses"])
def test_every_request_succeeds_and_has_its_tokens(url: str, tmp_path: Path, endpoint: str) -> None:
    result = benchmark(url, tmp_path, f"/v1/{endpoint}")
    totals = result["metrics"]["request_totals"]
    assert (totals["successful"], totals["errored"]) == (REQUESTS, 0)
    tokens = [r["output_metrics"]["text_tokens"] for r in result["requests"]["successful"]]
    assert tokens == [TOKENS] * REQUESTS


def test_the_backend_is_validated_before_a_benchmark(url: str, tmp_path: Path) -> None:
    backend = ("validate_backend=true", "model=sim")
    result = benchmark(url, tmp_path, "/v1/chat/completions", *backend)
    assert result["metrics"]["request_totals"]["successful"] == REQUESTS
