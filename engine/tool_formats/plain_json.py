"""Plain JSON: for models that were trained on no format of their own."""

from collections.abc import Sequence
from typing import ClassVar

from engine.tool_formats.tool_format import Call, ToolFormat, json_call


class PlainJson(ToolFormat):
    """The whole answer is one call, or an array of calls."""

    models: ClassVar = "models without a format of their own"
    how: ClassVar = (
        "answer with nothing but a JSON object that has its name and its arguments; for several "
        "calls, with an array of such objects"
    )

    def write_calls(self, calls: Sequence[Call]) -> str:
        """Return an object; several in an array."""
        text = ", ".join(map(json_call, calls))
        return text if len(calls) == 1 else f"[{text}]"
