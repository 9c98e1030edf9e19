"""Reasoning that a client keeps and sends back, as `encrypted_content`.

Nothing is stored and nothing is secret here: it is the text in base64, with the format's version.
"""

import base64
import binascii
from typing import Final

PREFIX: Final = "neuron-gateway-1."


def encode(text: str) -> str:
    """Return a reasoning text as its item carries it."""
    return PREFIX + base64.b64encode(text.encode()).decode()


def decode(content: str) -> str | None:
    """Return the reasoning text; None for what another server encrypted."""
    if not content.startswith(PREFIX):
        return None
    try:
        return base64.b64decode(content[len(PREFIX) :], validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
