"""Qwen3-Coder and Qwen3.5: each argument in an XML element, in a `<tool_call>` block."""

from collections.abc import Sequence
from typing import ClassVar, Final

from engine.tool_formats.hermes import Hermes
from engine.tool_formats.tool_format import Call, escape_surrogates, to_json


class Qwen3Coder(Hermes):
    """Blocks as of Hermes, with `<function=NAME>` and `<parameter=NAME>` instead of JSON."""

    FUNCTION: Final = "<function="
    END_FUNCTION: Final = "</function>"
    PARAMETER: Final = "<parameter="
    END_PARAMETER: Final = "</parameter>"
    models: ClassVar = "Qwen3-Coder, Qwen3.5"
    how: ClassVar = (
        f"write one block from {Hermes.BEGIN} to {Hermes.END} for each call, with the function's "
        "name and each of its arguments in an element"
    )

    def write_calls(self, calls: Sequence[Call]) -> str:
        """Return a block for each call; a text is written as it is, other values as JSON."""
        return "\n".join(f"{self.BEGIN}\n{self._function(call)}\n{self.END}" for call in calls)

    def _function(self, call: Call) -> str:
        name, arguments = call
        lines = [f"{self.FUNCTION}{name}>"]
        if isinstance(arguments, str):
            lines.append(arguments)
        else:
            for key, value in arguments.items():
                text = escape_surrogates(value) if isinstance(value, str) else to_json(value)
                lines += [f"{self.PARAMETER}{key}>", text, self.END_PARAMETER]
        return "\n".join([*lines, self.END_FUNCTION])
