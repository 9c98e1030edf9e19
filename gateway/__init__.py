"""OpenAI in, OpenAI out: the gateway before an Engine."""
