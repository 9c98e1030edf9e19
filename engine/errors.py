"""The exceptions that an Engine raises.

EngineError
├── InvalidRequest            the client's mistake, in `param`
│   ├── ContextLengthExceeded
│   ├── UnsupportedParameter  this engine cannot honour `param`
│   └── UnsupportedValue      it honours other values of `param`
├── EngineOverloaded          retry in `retry_after` seconds
│   └── QuotaExceeded         the caller's own limit, named by `limit`
├── DeadlineExceeded
├── EngineLoading             retry in `retry_after` seconds: it is starting
├── EngineDead                no request will succeed until the engine is replaced
└── GenerationFailed          this request failed; others may succeed

ModelNotAvailable is not one of them: it is raised before there is an Engine.
"""


class EngineError(Exception):
    """The base of everything that an Engine raises; clients may see the message."""

    def __init__(self, message: str, *args: object) -> None:
        super().__init__(message, *args)
        self.message = message

    def __str__(self) -> str:
        return self.message


class InvalidRequest(EngineError):
    """The request cannot be served; `param` names the part to change."""

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
    """The queue is full; `retry_after` is in how many seconds a slot may be free.

    `replica` names the replica that refused, where there are several.
    """

    replica = ""

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message, retry_after)
        self.retry_after = retry_after


class QuotaExceeded(EngineOverloaded):
    """The caller is over its own `limit`: requests or tokens of a minute, or open requests."""

    def __init__(self, message: str, retry_after: float, limit: str) -> None:
        super().__init__(message, retry_after)
        self.args = (message, retry_after, limit)
        self.limit = limit


class DeadlineExceeded(EngineError):
    """The request took longer than a timeout."""


class EngineLoading(EngineError):
    """The engine is starting; `retry_after` is in how many seconds it may be ready."""

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message, retry_after)
        self.retry_after = retry_after


class EngineDead(EngineError):
    """The engine serves no request any more and has to be replaced.

    `reason` is for operators, not for clients: why it died, and the fix.
    """

    def __init__(self, message: str, reason: str | None = None) -> None:
        super().__init__(message, reason)
        self.reason = reason

    def __str__(self) -> str:
        return self.message if self.reason is None else f"{self.message} {self.reason}"


class GenerationFailed(EngineError):
    """The engine failed on this request; others may succeed."""


def without_message(error: Exception) -> Exception:
    """Return the type's name and the stack of an exception for a log.

    Messages of libraries may quote values of the request.
    """
    return RuntimeError(type(error).__name__).with_traceback(error.__traceback__)


class ModelNotAvailable(Exception):
    """A model's folder cannot be had; the message is one sentence that names the fix."""
