"""Llama 3: a JSON object with the name and the `parameters`."""

from collections.abc import Sequence
from typing import ClassVar, Final

from engine.tool_formats.tool_format import Call, ToolFormat, json_call


class Llama3Json(ToolFormat):
    """JSON objects with `;` between them, at the beginning of an answer or after a tag."""

    TAG: Final = "<|python_tag|>"
    models: ClassVar = "Llama 3, 3.1, 3.2 and 3.3"
    how: ClassVar = (
        "answer with nothing but a JSON object that has its name and its parameters; for several "
        'calls, put "; " between the objects'
    )

    def write_calls(self, calls: Sequence[Call]) -> str:
        """Return an object for each call, without the tag, which is for the built-in tools."""
        return "; ".join(json_call(call, "parameters") for call in calls)
