"""Llama 3.2 and Llama 4: a list of calls as Python writes them."""

from collections.abc import Sequence
from typing import ClassVar, Final

from engine.tool_formats.tool_format import Call, ToolFormat


class Pythonic(ToolFormat):
    """A list of calls with named arguments, alone or between tags."""

    BEGIN: Final = "<|python_start|>"
    END: Final = "<|python_end|>"
    models: ClassVar = "Llama 4; Llama 3.2, where its prompt asks for it"
    how: ClassVar = (
        "answer with nothing but a list in brackets of calls as Python writes them, with named "
        "arguments"
    )

    def write_calls(self, calls: Sequence[Call]) -> str:
        """Return the list, without the tags, which are for Python code."""
        return f"[{', '.join(map(_call, calls))}]"


def _call(call: Call) -> str:
    name, arguments = call
    if isinstance(arguments, str):
        return f"{name}({arguments})"
    return f"{name}({', '.join(f'{key}={value!r}' for key, value in arguments.items())})"
