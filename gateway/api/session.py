"""`RequestSession`: one request for generation, from its route to its last delta."""

from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Final

from starlette.requests import Request

from engine import GenerateRequest, InvalidRequest, PromptReport, UnsupportedParameter
from gateway.api.registry import ServedModel
from gateway.api.schema import ResponseHead
from gateway.api.state import Gateway, gateway_of
from gateway.config import Limits
from gateway.context import RequestContext, context_of
from gateway.deltas import ChoiceDeltas, merge_choices
from gateway.errors import ApiError
from gateway.keys.rate_limit import Estimate
from gateway.observe.request_record import RequestRecord, publish_metrics, recording
from gateway.policies.supported_parameters import without_hints
from gateway.policies.token_estimate import estimate_prompt_tokens, max_output_tokens

GRACE_SECONDS: Final = 1.0  # the SDK's own timeout comes first: it raises what its users expect


@dataclass(frozen=True, slots=True)
class RequestSession:
    """Whose request it is, the model it is for, and the head that its answer repeats.

    Every prompt has `choices` completions. `parameter_names` are the endpoint's own names of
    parameters that an engine refuses by the chat's names.
    """

    gateway: Gateway
    context: RequestContext
    model: ServedModel
    head: ResponseHead
    headers: Mapping[str, str]
    choices: int
    parameter_names: Mapping[str, str]

    @classmethod
    def open(
        cls,
        request: Request,
        model: str | None,
        id_prefix: str,
        *,
        choices: int = 1,
        prompts: int = 1,
        service_tier: bool = False,
        parameter_names: Mapping[str, str] | None = None,
    ) -> "RequestSession":
        """Find the model and the caller.

        Raise ApiError 404 for a model that is not served, and 400 for more completions than can
        ever be served together.
        """
        gateway, context = gateway_of(request), context_of(request.scope)
        served = gateway.models.find(model, context.caller)
        session = cls(
            gateway=gateway,
            context=context,
            model=served,
            head=ResponseHead.new(id_prefix, model or served.id, service_tier=service_tier),
            headers=request.headers,
            choices=choices,
            parameter_names=parameter_names or {},
        )
        session._require_capacity(choices * prompts)
        return session

    @property
    def limits(self) -> Limits:
        """The limits of the config."""
        return self.gateway.config.limits

    @property
    def engine_id(self) -> str:
        """The engine's name for the request: unique, with the id that logs show."""
        return f"{self.head.id}-{self.context.request_id}"

    def generate(self, requests: Sequence[GenerateRequest], *, stream: bool) -> ChoiceDeltas:
        """Return the deltas of all completions, recorded and charged to the caller."""
        return self._deltas(self._for_caller(requests, stream=stream))

    async def _deltas(self, requests: Sequence[GenerateRequest]) -> ChoiceDeltas:
        """Yield every completion's deltas; the one generator between the policies and the frames.

        The record is published and the charge is settled at the end, whatever that is.
        """
        record = RequestRecord(
            model=self.model.engine.model,
            key=self.context.caller.name,
            choices=self.choices,
            streams=len(requests),
        )
        limiter, estimate = self.gateway.rate_limiter, self._estimate(requests)
        with recording(record, self._publish):
            async with limiter.charge(self.context.caller, estimate) as charge:
                try:
                    streams = [self.model.engine.generate(request) for request in requests]
                    if len(streams) == 1:  # the usual case has no layer for merging
                        async with aclosing(streams[0]) as completion:
                            async for delta in completion:
                                if delta.report is not None:
                                    self._report(delta.report)
                                record.take(0, delta)
                                charge.add(0, delta)
                                yield 0, delta
                        return
                    async with aclosing(merge_choices(streams)) as completions:
                        async for index, delta in completions:
                            if delta.report is not None:
                                self._report(delta.report)
                            record.take(index, delta)
                            charge.add(index, delta)
                            yield index, delta
                except InvalidRequest as error:
                    raise self._renamed(error) from error

    def _require_capacity(self, completions: int) -> None:
        """Refuse what could never be served together, however long it waited."""
        most = self.gateway.config.most_at_once(self.model.config)
        if completions > most:
            param = "n" if self.choices > 1 else "prompt"
            raise ApiError(
                400,
                f"Invalid '{param}': {completions} completions of one request are more than the "
                f"{most} that this model can run and queue.",
                code="invalid_value",
                param=param,
            )

    def _for_caller(
        self, requests: Sequence[GenerateRequest], *, stream: bool
    ) -> list[GenerateRequest]:
        """Add the caller, its timeout, and an estimate of each prompt's tokens."""
        caller, timeout = self.context.caller, None if stream else self._timeout_seconds()
        config, refuses_hints = self.gateway.config, self._refuses_hints
        over_context = caller.max_tokens_over_context or config.max_tokens_over_context
        if not refuses_hints:
            requests = [self._without_hints(request) for request in requests]
        prompts = {id(request.prompt): request.prompt for request in requests}  # once for choices
        estimates = {id_: estimate_prompt_tokens(prompt) for id_, prompt in prompts.items()}
        return [
            replace(
                request,
                caller=caller.name,
                weight=caller.priority,
                timeout_seconds=timeout,
                estimated_prompt_tokens=estimates[id(request.prompt)],
                refuse_hints=refuses_hints,
                refuse_max_tokens_over_context=over_context == "refuse",
            )
            for request in requests
        ]

    def _timeout_seconds(self) -> float | None:
        """Read how long OpenAI's SDK waits for a whole answer: it sends its timeout along.

        For a stream it is the wait for the next byte, which pings are too.
        """
        try:
            seconds = float(self.headers.get("x-stainless-read-timeout", ""))
        except ValueError:
            return None
        return seconds + GRACE_SECONDS if 0 < seconds < float("inf") else None

    def _estimate(self, requests: Sequence[GenerateRequest]) -> Estimate:
        prompts = requests[:: self.choices]
        return Estimate(
            prompt=sum(request.estimated_prompt_tokens or 0 for request in prompts),
            answers=sum(max_output_tokens(request) for request in requests),
            choices=self.choices,
        )

    def _publish(self, record: RequestRecord) -> None:
        publish_metrics(record, self.gateway.meter)
        self.context.log_fields.update(record.log_fields())
        if self.gateway.tracer is not None:
            self.gateway.tracer.trace(record, self.headers, self.context.request_id)

    @property
    def _refuses_hints(self) -> bool:
        policy = self.context.caller.unsupported_hints or self.gateway.config.unsupported_hints
        return policy == "refuse"

    def ignore_hints(self, hints: Mapping[str, object]) -> None:
        """Report hints that no engine honours, by their paths; None is none.

        Raise UnsupportedParameter where the config or the key refuses them.
        """
        given = [path for path, value in hints.items() if value is not None]
        if given and self._refuses_hints:
            raise UnsupportedParameter(
                f"Unsupported parameter: '{given[0]}' has no effect here. Leave it out.", given[0]
            )
        self.context.ignored += given

    def _without_hints(self, request: GenerateRequest) -> GenerateRequest:
        request, ignored = without_hints(request, self.model.engine.model)
        self._report(PromptReport(ignored=tuple(ignored)))
        return request

    def _report(self, report: PromptReport) -> None:
        names = self.parameter_names
        self.context.ignored += [names.get(path, path) for path in report.ignored]

    def _renamed(self, error: InvalidRequest) -> InvalidRequest:
        """Return the error with the endpoint's own name of the parameter."""
        names, param = self.parameter_names, error.param or ""
        message = error.message.replace(f"'{param}'", f"'{names.get(param, param)}'")
        message = message.replace("max_tokens", names.get("max_tokens", "max_tokens"))
        return type(error)(message, names.get(param, param) or None)
