"""`Gateway`: the one typed object that the routes share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from starlette.requests import Request

from engine import EngineBackend
from gateway.config import AppConfig

if TYPE_CHECKING:
    from gateway.api.models import ModelRegistry
    from gateway.keys.rate_limit import RateLimiter
    from gateway.observe.metrics import Meter
    from gateway.observe.traces import Tracer


@dataclass(frozen=True, slots=True)
class Gateway:
    """The config, the backends that hold processes, the models on them, and where figures go."""

    config: AppConfig
    backends: Mapping[str, EngineBackend]
    models: ModelRegistry
    quota: RateLimiter
    meter: Meter
    tracer: Tracer | None


def gateway_of(request: Request) -> Gateway:
    """Give the gateway that a request came to."""
    return cast(Gateway, request.app.state.gateway)
