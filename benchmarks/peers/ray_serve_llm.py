"""Serve a model with Ray Serve LLM in the peer's environment: FOLDER PORT."""

import signal
import sys

import ray
from ray import serve
from ray.serve.llm import LLMConfig, build_openai_app


def main() -> None:
    """Serve until SIGTERM."""
    folder, port = sys.argv[1], int(sys.argv[2])
    config = LLMConfig(
        model_loading_config={"model_id": "smollm2-135m-instruct", "model_source": folder},
        accelerator_config={"kind": "cpu"},
        deployment_config={"num_replicas": 1, "max_ongoing_requests": 1024},
        engine_kwargs={
            "dtype": "bfloat16",
            "enforce_eager": True,
            "max_model_len": 2048,
            "max_num_seqs": 32,
        },
    )
    # Always a new cluster: another one on this machine belongs to another server.
    ray.init(address="local", num_cpus=8, include_dashboard=False)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    serve.start(http_options={"host": "127.0.0.1", "port": port})
    serve.run(build_openai_app({"llm_configs": [config]}), route_prefix="/")
    signal.pause()


if __name__ == "__main__":
    main()
