"""`GET /metrics`: the metrics of this process, where Ray's metrics port does not show them."""

from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import PlainTextResponse, Response

from gateway.api.openapi import ERRORS
from gateway.api.state import gateway_of
from gateway.context import context_of
from gateway.errors import ApiError
from gateway.observe.prometheus import PrometheusMeter

router = APIRouter(tags=["operations"], responses=ERRORS)


@router.get("/metrics", response_class=PlainTextResponse)
async def metrics(request: Request) -> Response:
    """Return the metrics in Prometheus' format."""
    if not context_of(request.scope).caller.metrics:
        raise ApiError(403, "This key may not read metrics.", code="permission_denied")
    meter = gateway_of(request).meter
    assert isinstance(meter, PrometheusMeter)  # the route is there for this one alone
    return Response(meter.exposition(), media_type=CONTENT_TYPE_LATEST)
