"""How an endpoint answers: the merged deltas streamed as frames, or collected into one JSON."""

from collections.abc import Callable, Sequence
from contextlib import aclosing
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from engine import GenerateRequest, TokenDelta
from gateway.api.sampling import SamplingFields
from gateway.api.schema import ResponseHead, cancel_on_disconnect
from gateway.api.state import gateway_of
from gateway.api.streaming.choices import UsageTotals
from gateway.api.streaming.sse import EventStream, Writer, frames, started
from gateway.deltas import ChoiceDeltas, Deltas, collect_choices, merge_choices
from gateway.errors import ApiError
from gateway.keys.middleware import caller_of
from gateway.keys.rate_limit import Estimate
from gateway.observe.request_record import RequestRecord, publish_metrics, recording
from gateway.policies.token_estimate import answer_tokens, prompt_tokens


class Format(Protocol):
    """How an endpoint writes what the engine made."""

    def writer(
        self, head: ResponseHead, count: int, tally: UsageTotals, *, include_usage: bool
    ) -> Writer:
        """Make the writer of a stream of `count` choices."""

    def whole(
        self, head: ResponseHead, completions: Sequence[TokenDelta], tally: UsageTotals
    ) -> dict[str, Any]:
        """Give the whole answer; counts the tokens on the way."""


def with_choices(
    head: ResponseHead,
    form: "ChoiceFormat",
    completions: Sequence[TokenDelta],
    tally: UsageTotals,
) -> dict[str, Any]:
    """Give the whole answer of an endpoint that has choices."""
    for index, whole in enumerate(completions):
        tally.add(index, whole.usage)
    choices = [form.choice(index, whole) for index, whole in enumerate(completions)]
    return head.fields(form.object_) | {"choices": choices, "usage": tally.body()}


class ChoiceFormat(Protocol):
    """How a whole choice is written; `object_` names a whole answer."""

    object_: str

    def choice(self, index: int, whole: TokenDelta) -> dict[str, Any]:
        """Give one choice of a whole answer."""


async def answer(
    request: Request,
    body: SamplingFields,
    head: ResponseHead,
    wanted: Sequence[GenerateRequest],
    streams: Sequence[Deltas],
    form: Format,
) -> Response:
    """Answer with these streams of what is wanted; a client that backends ends them all."""
    config = gateway_of(request).config
    model = gateway_of(request).models.config(head.model)
    _require_places(len(streams), body, config.most_at_once(model))
    limits = config.limits
    tally = UsageTotals(body.n or 1)
    deltas = _charged(request, wanted, tally.choices, merge_choices(streams))
    record, publish = _record(request, head, len(streams), tally.choices)
    if not body.stream:

        async def whole() -> dict[str, Any]:
            with recording(record, publish):
                completions = await collect_choices(deltas, len(streams), record.take)
                return form.whole(head, completions, tally)

        return JSONResponse(await cancel_on_disconnect(request, whole()))
    begun = started(_recorded(record, deltas, publish), limits.stream_open_timeout_seconds)
    stream = await cancel_on_disconnect(request, begun)
    writer = form.writer(head, len(streams), tally, include_usage=body.include_usage)
    return EventStream(
        frames(stream, writer), stream, limits.ping_interval_seconds, limits.send_timeout_seconds
    )


def _record(
    request: Request, head: ResponseHead, streams: int, choices: int
) -> tuple[RequestRecord, Callable[[RequestRecord], None]]:
    """Begin the record of a request, which is published to metrics, log and traces."""
    gateway = gateway_of(request)
    engine = gateway.models.engine(head.model)
    key = caller_of(request).name
    record = RequestRecord(model=engine.model, key=key, choices=choices, streams=streams)

    def publish(record: RequestRecord) -> None:
        publish_metrics(record, gateway.meter)
        request.scope["log"].update(record.log_fields())
        if gateway.tracer is not None:
            gateway.tracer.trace(record, request.headers, request.scope["request_id"])

    return record, publish


async def _recorded(
    record: RequestRecord, deltas: ChoiceDeltas, publish: Callable[[RequestRecord], None]
) -> ChoiceDeltas:
    with recording(record, publish):
        async with aclosing(deltas):
            async for index, delta in deltas:
                record.take(index, delta)
                yield index, delta


async def _charged(
    request: Request, wanted: Sequence[GenerateRequest], choices: int, deltas: ChoiceDeltas
) -> ChoiceDeltas:
    """Charge the caller with what the request uses."""
    prompt = sum(prompt_tokens(one) for one in wanted[::choices])
    estimate = Estimate(prompt, sum(answer_tokens(one) for one in wanted), choices)
    limiter = gateway_of(request).quota
    async with limiter.charge(caller_of(request), estimate) as charge, aclosing(deltas):
        async for index, delta in deltas:
            charge.add(index, delta)
            yield index, delta


def _require_places(count: int, body: SamplingFields, most: int) -> None:
    """Refuse what could never be served at once, however long it waited."""
    if count > most:
        param = "n" if (body.n or 1) > 1 else "prompt"
        raise ApiError(
            400,
            f"Invalid '{param}': {count} completions of one request are more than the {most} "
            "that this model serves and lets wait.",
            code="invalid_value",
            param=param,
        )
