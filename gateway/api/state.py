"""`Gateway`: the one typed object that all routes share."""

from dataclasses import dataclass
from typing import cast

from starlette.requests import Request

from gateway.api.body.budget import BodyBudget
from gateway.api.registry import ModelRegistry
from gateway.config import AppConfig
from gateway.keys.rate_limit import RateLimiter
from gateway.observe.metrics import Meter
from gateway.observe.traces import Tracer


@dataclass(frozen=True, slots=True)
class Gateway:
    """The config, the models, the limits of keys and bodies, and where metrics and traces go."""

    config: AppConfig
    models: ModelRegistry
    rate_limiter: RateLimiter
    body_budget: BodyBudget
    meter: Meter
    tracer: Tracer | None


def gateway_of(request: Request) -> Gateway:
    """Return the gateway that a request came to."""
    return cast(Gateway, request.app.state.gateway)
