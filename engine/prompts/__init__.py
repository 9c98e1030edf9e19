"""Prompts as token ids: tokenizer (`encoder`) and chat template (`chat_template`).

For engines only. `encoder` imports transformers when a tokenizer is loaded, `chat_template` jinja2
when a template is read.
"""
