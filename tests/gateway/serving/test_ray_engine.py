"""What crosses the border between two deployments: errors as values, Ray's errors as ours."""

import inspect
from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from engine import EngineDead, EngineError, EngineOverloaded, GenerationFailed

pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's own


def translate(error: Exception) -> Exception:
    from gateway.serving.ray_engine import ServeReplicas

    class Handle:
        def options(self, **_: Any) -> None: ...

    return ServeReplicas(Handle()).translate_error(error)  # type: ignore[arg-type]


def errors_of(module: Any) -> Iterator[Exception]:
    """Create each exception of a module, without its arguments where it has no use for them."""
    for kind in vars(module).values():
        if inspect.isclass(kind) and issubclass(kind, Exception):
            yield failed_method() if kind.__name__ == "RayTaskError" else kind.__new__(kind)


def failed_method() -> Exception:
    from ray.exceptions import RayTaskError

    error: Exception = RayTaskError("generate", "a traceback", KeyError())
    return error


def test_every_error_of_ray_and_of_serve_is_an_error_of_an_engine() -> None:
    import ray.exceptions
    import ray.serve.exceptions

    errors = [*errors_of(ray.serve.exceptions), *errors_of(ray.exceptions), grpc.RpcError()]
    assert len(errors) > 30
    for error in errors:
        assert isinstance(translate(error), EngineError), error


def test_a_full_replica_is_an_overload_and_a_failed_method_a_failure() -> None:
    from ray.serve.exceptions import BackPressureError, ReplicaUnavailableError

    assert isinstance(translate(BackPressureError(3, 2)), EngineOverloaded)
    assert isinstance(translate(failed_method()), GenerationFailed)
    assert isinstance(translate(ReplicaUnavailableError("r")), EngineDead)


async def test_an_engine_error_is_returned_and_any_other_raised() -> None:
    from gateway.serving.ray_engine import errors_as_values

    @errors_as_values
    async def fail(error: Exception) -> None:
        raise error

    overloaded = EngineOverloaded("It is full.", 1.0)
    assert await fail(overloaded) is overloaded
    with pytest.raises(KeyError):
        await fail(KeyError())
