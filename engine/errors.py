"""Everything an Engine raises.

EngineError
├── InvalidRequest            the client's mistake, in `param`
│   ├── ContextLengthExceeded
│   ├── UnsupportedParameter  this engine cannot honour `param`
│   └── UnsupportedValue      it honours other values of `param`
├── EngineOverloaded          come back in `retry_after` seconds
│   └── QuotaExceeded         the caller's own limit, named by `limit`
├── DeadlineExceeded
├── EngineLoading             come back in `retry_after` seconds: it is starting
├── EngineDead                no request will succeed until the engine is replaced
└── GenerationFailed          this request failed; others may succeed
"""


class EngineError(Exception):
    """The base of all errors that leave an Engine; the message is fit for clients."""

    def __init__(self, message: str, *args: object) -> None:
        super().__init__(message, *args)
        self.message = message

    def __str__(self) -> str:
        return self.message


class InvalidRequest(EngineError):
    """The request cannot be served as it is; `param` names the part to change."""

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message, param)
        self.param = param


class ContextLengthExceeded(InvalidRequest):
    """Prompt and requested tokens do not fit into the model's context."""


class UnsupportedParameter(InvalidRequest):
    """The engine cannot honour `param`."""


class UnsupportedValue(InvalidRequest):
    """The engine cannot honour this value of `param`."""


class EngineOverloaded(EngineError):
    """No place is free; `retry_after` says in how many seconds one may be."""

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message, retry_after)
        self.retry_after = retry_after


class QuotaExceeded(EngineOverloaded):
    """The caller used up its `requests` or `tokens` of a minute, or has too many requests open."""

    def __init__(self, message: str, retry_after: float, limit: str) -> None:
        super().__init__(message, retry_after)
        self.args = (message, retry_after, limit)
        self.limit = limit


class DeadlineExceeded(EngineError):
    """The request ran out of its time limit."""


class EngineLoading(EngineError):
    """The engine is on its way; `retry_after` says in how many seconds it may be ready."""

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message, retry_after)
        self.retry_after = retry_after


class EngineDead(EngineError):
    """The engine serves nothing any more; it has to be replaced.

    `reason` is for those who run it: why it died, and what to do.
    """

    def __init__(self, message: str, reason: str | None = None) -> None:
        super().__init__(message, reason)
        self.reason = reason

    def __str__(self) -> str:
        return self.message if self.reason is None else f"{self.message} {self.reason}"


class GenerationFailed(EngineError):
    """The engine failed on this request alone."""
