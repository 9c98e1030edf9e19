"""DeepSeek V3 and R1: JSON in a fence, between special tokens. V3.1 has no fence."""

from collections.abc import Sequence
from typing import ClassVar, Final

from engine.tool_formats.tool_format import Call, ToolFormat, arguments_text


class DeepSeekV3(ToolFormat):
    """A section of calls, each between two tokens and with a third after its kind."""

    BEGIN: Final = "<｜tool▁calls▁begin｜>"
    END: Final = "<｜tool▁calls▁end｜>"
    CALL: Final = "<｜tool▁call▁begin｜>"
    END_CALL: Final = "<｜tool▁call▁end｜>"
    SEPARATOR: Final = "<｜tool▁sep｜>"
    KIND: Final = "function"
    FENCE: Final = "```json"
    END_FENCE: Final = "```"
    models: ClassVar = "DeepSeek V3, V3.1 and R1"
    how: ClassVar = (
        f"write {BEGIN}, then for each call its name and its arguments as JSON between {CALL} and "
        f"{END_CALL}, then {END}"
    )

    def write_calls(self, calls: Sequence[Call]) -> str:
        """Return the section as V3 writes it."""
        return self.BEGIN + "\n".join(map(self._call, calls)) + self.END

    def write_result(self, name: str, content: str) -> str:  # noqa: ARG002 - results have no name
        """Return the result between its tokens."""
        output = f"<｜tool▁output▁begin｜>{content}<｜tool▁output▁end｜>"
        return f"<｜tool▁outputs▁begin｜>{output}<｜tool▁outputs▁end｜>"

    def _call(self, call: Call) -> str:
        name, arguments = call
        head = f"{self.CALL}{self.KIND}{self.SEPARATOR}{name}"
        fenced = f"{self.FENCE}\n{arguments_text(arguments)}\n{self.END_FENCE}"
        return f"{head}\n{fenced}{self.END_CALL}"
