"""Providers on sockets, and the environment that makes Terraform use them."""

import json
import os
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
from tf.gen import tfplugin_pb2_grpc as rpc

from tests.deploy.schema_server.provider import Provider, servicer

SCHEMAS = Path(__file__).parents[1] / "schemas"
LARGEST_MESSAGE = 64 << 20


def schemas_in(folder: Path) -> dict[str, Path]:
    """Return each NAME.schema.json by NAME; it is served as hashicorp/NAME."""
    found = sorted(folder.glob("*.schema.json"))
    return {f"hashicorp/{path.name.split('.')[0]}": path for path in found}


@contextmanager
def served(schemas: dict[str, Path], sockets: Path) -> Iterator[dict[str, Any]]:
    """Serve each schema on a socket of its own; yields Terraform's reattach configuration."""
    servers = {source: _server(path) for source, path in schemas.items()}
    reattach = {}
    for source, server in servers.items():
        socket = sockets.resolve() / f"{source.rsplit('/', 1)[-1]}.sock"
        server.add_insecure_port(f"unix:{socket}")
        server.start()
        reattach[source] = _reattach(socket)
    try:
        yield reattach
    finally:
        for server in servers.values():
            server.stop(0)


def _server(path: Path) -> Any:
    options = [
        ("grpc.max_send_message_length", LARGEST_MESSAGE),
        ("grpc.max_receive_message_length", LARGEST_MESSAGE),
    ]
    server = grpc.server(futures.ThreadPoolExecutor(8), options=options)
    rpc.add_ProviderServicer_to_server(servicer(Provider(json.loads(path.read_text()))), server)
    return server


def _reattach(socket: Path) -> dict[str, Any]:
    address = {"Network": "unix", "String": str(socket)}
    return {
        "Protocol": "grpc",
        "ProtocolVersion": 6,
        "Pid": os.getpid(),
        "Test": True,
        "Addr": address,
    }


def environment(reattach: dict[str, Any], folder: Path) -> dict[str, str]:
    """Return Terraform's environment; the folder gets an empty CLI configuration."""
    configuration = folder / "terraformrc"
    configuration.touch()
    return {
        "TF_REATTACH_PROVIDERS": json.dumps(reattach),
        "TF_CLI_CONFIG_FILE": str(configuration),
        "CHECKPOINT_DISABLE": "1",
        "TF_IN_AUTOMATION": "1",
    }
