"""What an import of the public packages brings with it."""

import json
import subprocess
import sys

HEAVY = ("vllm", "torch", "ray", "transformers", "jinja2", "fastapi", "huggingface_hub")
CODE = "import json, sys, engine, deploy.planner, engine.neuron; print(json.dumps([*sys.modules]))"


def test_an_import_is_light() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert not set(HEAVY) & set(json.loads(done.stdout))
