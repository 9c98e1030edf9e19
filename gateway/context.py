"""`RequestContext`: what is known of an HTTP request before its route is reached."""

from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

from gateway.caller import ANYONE, Caller

_KEY: Final = "neuron_gateway"


@dataclass(slots=True)
class RequestContext:
    """The request's id, its caller, and the fields that its access log line gets.

    `authenticated` is false for a request without a valid key on a path that is open to all.
    `ignored` are the paths of the fields that are taken without effect, such as `tools[2]`.
    """

    request_id: str
    caller: Caller = ANYONE
    authenticated: bool = True
    log_fields: dict[str, Any] = field(default_factory=dict)
    ignored: list[str] = field(default_factory=list)


def set_context(scope: MutableMapping[str, Any], context: RequestContext) -> None:
    """Store the context in an ASGI scope."""
    scope[_KEY] = context


def context_of(scope: MutableMapping[str, Any]) -> RequestContext:
    """Return the context of an ASGI scope; `AccessLogMiddleware` put it there."""
    return cast(RequestContext, scope[_KEY])
