"""The config file of a plan, as `serve` and `check` read it."""

from typing import Any

import yaml

from deploy.planner.placement import Placement
from gateway.config import IMPORT_PATH


def ready_config(model: str, placement: Placement) -> str:
    """Return the YAML of a Ray Serve config file for one instance of a placement."""
    engine = {
        "model": model,
        "max_model_len": placement.length,
        "max_num_seqs": placement.slots,
        "device": {
            "kind": "neuron",
            "instance": placement.instance.name,
            "tensor_parallel_size": placement.degree,
        },
    }
    name = model.rstrip("/").rpartition("/")[2] if model.startswith(("/", ".", "~")) else model
    entry: dict[str, Any] = {"id": name, "replicas": placement.replicas, "engine": engine}
    application = {
        "name": "gateway",
        "import_path": IMPORT_PATH,
        "route_prefix": "/",
        "args": {"models": [entry]},
    }
    document = {
        "proxy_location": "HeadOnly",
        "http_options": {"host": "127.0.0.1", "port": 8000},
        "applications": [application],
    }
    return yaml.safe_dump(document, sort_keys=False)
