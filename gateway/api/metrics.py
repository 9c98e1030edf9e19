"""`GET /metrics`: the metrics of this process, where Ray does not serve."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from gateway.api.state import gateway_of
from gateway.errors import ApiError
from gateway.keys.middleware import caller_of
from gateway.observe.prometheus import CONTENT_TYPE, PrometheusMeter

routes = APIRouter()


@routes.get("/metrics")
async def metrics(request: Request) -> Response:
    """Return the metrics of this process in Prometheus' text format."""
    if not caller_of(request).sees_metrics:
        raise ApiError(403, "This key may not read metrics.", code="permission_denied")
    meter = gateway_of(request).meter
    assert isinstance(meter, PrometheusMeter)  # `create_app` adds the route for this one alone
    return Response(meter.exposition(), media_type=CONTENT_TYPE)
