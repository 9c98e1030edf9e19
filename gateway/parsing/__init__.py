"""From a model's text to the deltas of a message: content, reasoning, tool calls.

Pure and incremental: no HTTP, no engine. The API imports `MessageParser` and the deltas.
"""
