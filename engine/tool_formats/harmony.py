"""gpt-oss: messages in channels, and calls as messages to a function."""

from collections.abc import Sequence
from typing import ClassVar, Final

from engine.tool_formats.tool_format import Call, ToolFormat, arguments_text


class Harmony(ToolFormat):
    """Messages with a header each; reasoning and content are written in channels too."""

    START: Final = "<|start|>"
    CHANNEL: Final = "<|channel|>"
    CONSTRAIN: Final = "<|constrain|>"
    MESSAGE: Final = "<|message|>"
    END: Final = "<|end|>"
    RETURN: Final = "<|return|>"
    CALL: Final = "<|call|>"
    TO: Final = "to="
    NAMESPACE: Final = "functions."
    has_channels: ClassVar = True
    models: ClassVar = "gpt-oss"
    how: ClassVar = (
        f"write a message in the commentary channel to the function's name after {NAMESPACE}, with "
        "its arguments as JSON"
    )

    def write_calls(self, calls: Sequence[Call]) -> str:
        """Return a message for each call; the first goes on after the prompt's header."""
        return f"{self.START}assistant".join(map(self._message, calls))

    def _message(self, call: Call) -> str:
        name, arguments = call
        header = f"{self.CHANNEL}commentary {self.TO}{self.NAMESPACE}{name} {self.CONSTRAIN}json"
        return f"{header}{self.MESSAGE}{arguments_text(arguments)}{self.CALL}"
