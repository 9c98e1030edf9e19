"""vLLM's exceptions as EngineErrors. Their messages may quote a request: nobody sees them."""

import logging
from typing import Final

from engine.errors import EngineError, GenerationFailed, InvalidRequest, without_message
from engine.types import GenerateRequest
from engine.vllm.patches import client_error_types

_log: Final = logging.getLogger(__name__)


def translate_error(error: Exception, request: GenerateRequest | None) -> EngineError:
    """Return the EngineError for an exception of an engine that is alive."""
    if isinstance(error, client_error_types()):
        _log.info("vLLM refused a request: %s", type(error).__name__)
        return _refusal(error, request)
    _log.error("vLLM failed on a request", exc_info=without_message(error))
    return GenerationFailed("The engine failed on this request.")


def _refusal(error: Exception, request: GenerateRequest | None) -> InvalidRequest:
    structured = request.sampling.structured if request else None
    if structured is None:
        param = getattr(error, "parameter", None)
        what = f"this value of {param}" if param else "this request"
        return InvalidRequest(f"The engine cannot serve {what}.", param)
    # vLLM's requests are valid by then, but for a schema that its grammars cannot express.
    return InvalidRequest(
        "The engine's grammar cannot express this JSON schema. Use plainer keywords.",
        param=structured.param,
    )
