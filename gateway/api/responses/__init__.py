"""`POST /v1/responses`: OpenAI's newer dialect, translate_error into a chat and back."""

from gateway.api.responses.router import routes

__all__ = ["routes"]
