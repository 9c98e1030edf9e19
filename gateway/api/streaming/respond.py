"""How an endpoint answers: the merged deltas streamed as frames, or collected into one JSON."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from engine import GenerateRequest, TokenDelta
from gateway.api.sampling import SamplingFields
from gateway.api.schema import ResponseHead, cancel_on_disconnect
from gateway.api.state import gateway_of
from gateway.api.streaming.choices import ChoiceDeltas, Deltas, UsageTotals, collected, merged
from gateway.api.streaming.sse import EventStream, Writer, frames, started
from gateway.errors import ApiError
from gateway.keys.caller import caller_of
from gateway.keys.rate_limit import Estimate
from gateway.observe.request_record import Story, measure, observed, telling
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
    deltas = _charged(request, wanted, tally.choices, merged(streams))
    story, tell = _story(request, head, len(streams), tally.choices)
    if not body.stream:

        async def whole() -> dict[str, Any]:
            with telling(story, tell):
                completions = await collected(deltas, len(streams), story.take)
                return form.whole(head, completions, tally)

        return JSONResponse(await cancel_on_disconnect(request, whole()))
    begun = started(observed(story, deltas, tell), limits.stream_open_timeout_seconds)
    stream = await cancel_on_disconnect(request, begun)
    writer = form.writer(head, len(streams), tally, include_usage=body.include_usage)
    return EventStream(
        frames(stream, writer), stream, limits.ping_interval_seconds, limits.send_timeout_seconds
    )


def _story(
    request: Request, head: ResponseHead, streams: int, choices: int
) -> tuple[Story, Callable[[Story], None]]:
    """Begin a request's story, which metrics, log and traces are told."""
    gateway = gateway_of(request)
    engine = gateway.models.engine(head.model)
    key = caller_of(request).name
    story = Story(model=engine.model, key=key, choices=choices, streams=streams)

    def tell(story: Story) -> None:
        measure(story, gateway.meter)
        request.scope["log"].update(story.entry())
        if gateway.tracer is not None:
            gateway.tracer.trace(story, request.headers, request.scope["request_id"])

    return story, tell


def _charged(
    request: Request, wanted: Sequence[GenerateRequest], choices: int, deltas: ChoiceDeltas
) -> ChoiceDeltas:
    """Charge the caller, if anything of the key is limited."""
    caller = caller_of(request)
    if not caller.limited:
        return deltas
    prompt = sum(prompt_tokens(one) for one in wanted[::choices])
    estimate = Estimate(prompt, sum(answer_tokens(one) for one in wanted), choices)
    return gateway_of(request).quota.charge_for(caller, estimate, deltas)


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
