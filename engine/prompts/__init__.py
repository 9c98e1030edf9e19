"""Prompts as token ids: what a chat template, a tokenizer and the limits make of a request.

For engines only. A `RequestEncoder` renders a conversation with a `ChatRenderer` and checks the
limits, for every engine; `encoder` runs it beside the event loop. `encoder` imports transformers
when a tokenizer is loaded, `template` jinja2 when a template is read.
"""
