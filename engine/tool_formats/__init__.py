"""How the models of each family write tool calls: the one source for prompts and for parsers.

Prompts are rendered with a `ToolFormat` where a chat template cannot do it. The grammars of
`gateway.parsing.tool_calls` import the markers, so that what is rendered and what is parsed is the
same text.
"""

from collections.abc import Mapping
from typing import Final

from engine.tool_formats.deepseek_v3 import DeepSeekV3
from engine.tool_formats.harmony import Harmony
from engine.tool_formats.hermes import Hermes
from engine.tool_formats.llama3_json import Llama3Json
from engine.tool_formats.mistral import Mistral
from engine.tool_formats.plain_json import PlainJson
from engine.tool_formats.pythonic import Pythonic
from engine.tool_formats.qwen3_coder import Qwen3Coder
from engine.tool_formats.tool_format import ToolFormat

__all__ = [
    "FORMATS", "DeepSeekV3", "Harmony", "Hermes", "Llama3Json", "Mistral", "PlainJson", "Pythonic",
    "Qwen3Coder", "ToolFormat",
]  # fmt: skip

FORMATS: Final[Mapping[str, ToolFormat]] = {
    "llama3_json": Llama3Json(),
    "hermes": Hermes(),
    "mistral": Mistral(),
    "plain_json": PlainJson(),
    "pythonic": Pythonic(),
    "qwen3_coder": Qwen3Coder(),
    "deepseek_v3": DeepSeekV3(),
    "harmony": Harmony(),
}
