"""Chat clients of an OpenAI-compatible server: a web page and a terminal.

All they know of the gateway is its URL and an API key; nothing here imports `gateway` or `engine`.
`conversation` is shared by both. `chat_command` is the command `neuron-gateway chat`, found by its
entry point.
"""
