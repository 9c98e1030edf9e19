"""Mistral: `[TOOL_CALLS]` and an array of calls."""

from collections.abc import Sequence
from typing import ClassVar, Final

from engine.tool_formats.tool_format import Call, Tool, ToolFormat, json_call, to_json


class Mistral(ToolFormat):
    """An array after a marker; functions and results between markers too."""

    BEGIN: Final = "[TOOL_CALLS]"
    ID: Final = "[CALL_ID]"
    ARGUMENTS: Final = "[ARGS]"
    models: ClassVar = "Mistral, Mixtral, Ministral"
    how: ClassVar = (
        f"write {BEGIN} and then a JSON array of calls, each an object with its name and its "
        "arguments"
    )

    def write_calls(self, calls: Sequence[Call]) -> str:
        """Return the marker and the array."""
        return f"{self.BEGIN}[{', '.join(map(json_call, calls))}]"

    def write_tools(self, tools: Sequence[Tool]) -> str:
        """Return the functions as a JSON array."""
        return f"[AVAILABLE_TOOLS]{to_json(list(tools))}[/AVAILABLE_TOOLS]"

    def write_result(self, name: str, content: str) -> str:
        """Return the result as a JSON object in an array, with the name of its function."""
        return f"[TOOL_RESULTS]{to_json([{'name': name, 'content': content}])}[/TOOL_RESULTS]"
