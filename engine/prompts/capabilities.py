"""`TemplateCapabilities`: what a chat template does with a conversation, as a probe finds out."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateCapabilities:
    """What a template can render; `fit` makes a conversation fit it.

    - `system`: it has a system role, at the beginning; `later_system`: at any place.
    - `must_alternate`: users and assistants take turns, and a user begins.
    - `tools`: it writes functions, calls and results.
    - `arguments`: how it reads those of a call.
    - `short_call_ids`: the ids of calls have nine letters or digits.
    - `parallel_calls`: one message can have several calls; `text_with_calls`: and a text.
    """

    system: bool = True
    later_system: bool = True
    must_alternate: bool = False
    tools: bool = True
    arguments: Literal["object", "text"] = "object"
    short_call_ids: bool = False
    parallel_calls: bool = True
    text_with_calls: bool = True

    def describe(self) -> str:
        """Return in a few words who writes tools, and what is made to fit."""
        fitted = {
            "one call a message": self.tools and not self.parallel_calls,
            "no text beside a call": self.tools and not self.text_with_calls,
            "call ids of nine characters": self.short_call_ids,
            "arguments as text": self.tools and self.arguments == "text",
            "no system role": not self.system,
            "roles alternate": self.must_alternate,
        }
        what = "template" if self.tools else "gateway's own text"
        return "; ".join([f"tools: {what}", *(name for name, is_so in fitted.items() if is_so)])
