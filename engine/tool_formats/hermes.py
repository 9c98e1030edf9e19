"""Hermes, Qwen2.5 and Qwen3: a JSON object in each `<tool_call>` block."""

from collections.abc import Sequence
from typing import ClassVar, Final

from engine.tool_formats.tool_format import Call, Tool, ToolFormat, json_call


class Hermes(ToolFormat):
    """Blocks of `<tool_call>`, functions within `<tools>`, results within `<tool_response>`."""

    BEGIN: Final = "<tool_call>"
    END: Final = "</tool_call>"
    models: ClassVar = "Hermes, Qwen2.5, Qwen3 and Qwen3-Coder (in XML)"
    how: ClassVar = (
        f"write a JSON object with its name and its arguments between {BEGIN} and {END}, one "
        "object for each call"
    )

    def write_calls(self, calls: Sequence[Call]) -> str:
        """Return a block for each call."""
        return "\n".join(f"{self.BEGIN}\n{json_call(call)}\n{self.END}" for call in calls)

    def write_tools(self, tools: Sequence[Tool]) -> str:
        """Return the functions as JSON, one a line."""
        return f"<tools>\n{super().write_tools(tools)}\n</tools>"

    def write_result(self, name: str, content: str) -> str:  # noqa: ARG002 - results have no name
        """Return the result in a block."""
        return f"<tool_response>\n{content}\n</tool_response>"
