"""Requests that Schemathesis makes from the API's own document: answers are as it says."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.hostile.server import serving

pytestmark = [pytest.mark.hostile, pytest.mark.timeout(300)]

EXAMPLES = 100  # of each operation, beside those of each keyword of its schema; about 30 s
# A document cannot say how fields depend on each other, so a body that fits it may be refused.
COMMAND = (
    "schemathesis", "run", "--seed=17", f"--max-examples={EXAMPLES}", "--warnings=off",
    "--phases=coverage,fuzzing", "--exclude-checks=positive_data_acceptance", "--no-color",
)  # fmt: skip


def narrowed(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document with the model that is there and with contents, so that more is served.

    The document itself does not say that a message without content needs calls or a refusal:
    generators of clients would take it for a union of types.
    """
    schemas = document["components"]["schemas"]
    for schema in schemas.values():
        if "model" in schema.get("properties", {}) and schema.get("additionalProperties") is False:
            schema["properties"]["model"] = {"const": "sim"}
    fields = ("content", "tool_calls", "refusal")
    schemas["Message"]["anyOf"] = [{"required": [field]} for field in fields]
    return document


def test_every_answer_is_documented(tmp_path: Path) -> None:
    file = tmp_path / "openapi.json"
    with serving(tmp_path, token_ms=0.1, max_model_len=512) as (url, _):
        file.write_text(json.dumps(narrowed(httpx.get(f"{url}/openapi.json").json())))
        command = [str(Path(sys.executable).with_name(COMMAND[0])), *COMMAND[1:]]
        run = subprocess.run(
            [*command, str(file), "--url", url], cwd=tmp_path, stdout=subprocess.PIPE, text=True
        )
    sys.stdout.write(run.stdout[run.stdout.find("\nTest cases:") :])
    assert run.returncode == 0, run.stdout
