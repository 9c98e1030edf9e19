"""`POST /v1/responses`: OpenAI's newer dialect, translated into a chat and back."""
