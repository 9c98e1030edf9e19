"""`ChatRenderer`: conversations as text, by one model's chat template."""

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from secrets import token_hex
from typing import Final, Literal

from engine.errors import InvalidRequest, ModelNotAvailable
from engine.prompts.capabilities import TemplateCapabilities
from engine.prompts.control_tokens import ControlTokens, cut
from engine.prompts.fit import fit
from engine.prompts.hints import CHAT_HINTS, not_read, template_arguments, unread_hints
from engine.prompts.probe import probe
from engine.prompts.template import ChatTemplate, plain_template
from engine.types import Chat

_END: Final = f"x{token_hex(12)}x"
_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedChat:
    """A conversation as text, in the parts to tokenize alone; `ignored` are hints not read."""

    parts: tuple[str, ...]
    ignored: tuple[str, ...]

    @property
    def text(self) -> str:
        """The whole text."""
        return "".join(self.parts)


class ChatRenderer:
    """Renders with a template what it can do, and the rest as a text of the gateway's own.

    A template that renders nothing is replaced by a plain one.
    """

    def __init__(self, template: ChatTemplate, control_tokens: ControlTokens | None = None) -> None:
        can = probe(template)
        self._template = template if can else plain_template()
        self.capabilities = can or probe(self._template) or TemplateCapabilities()
        self._control_tokens = control_tokens or ControlTokens()

    def render(self, chat: Chat, *, refuse_hints: bool = False) -> RenderedChat:
        """Return the conversation as text; raise InvalidRequest."""
        variables = self._template.variables(tools=bool(chat.tools))
        ignored = tuple(unread_hints(chat, variables))
        if refuse_hints and ignored:
            raise not_read(ignored[0])
        arguments = template_arguments(chat, variables)
        if chat.continue_final_message:
            chat = _with_end(chat)
        try:
            text = self._rendered(
                self._control_tokens.mark(replace(chat, template_arguments=arguments))
            )
        except Exception as error:
            # A template is a program that comes with the model: it may raise anything.
            _log.info("A chat template refused the messages: %s", type(error).__name__)
            raise InvalidRequest(
                "The model's chat template cannot render these messages; "
                "check their roles, their order and that each content is a text.",
                param="messages",
            ) from error
        if chat.continue_final_message:
            text = _up_to_end(text)
        return RenderedChat(parts=tuple(cut(text)), ignored=ignored)

    def _rendered(self, chat: Chat) -> str:
        """Return the text; tools that the template refuses in this conversation are our own."""
        messages, tools = fit(chat, self.capabilities)
        try:
            return self._template.render(
                messages,
                tools=tools,
                add_generation_prompt=chat.add_generation_prompt,
                arguments=chat.template_arguments,
            )
        except Exception:
            if not tools or chat.tools_by is not None:
                raise
            return self._rendered(replace(chat, tools_by="gateway"))


def _with_end(chat: Chat) -> Chat:
    """Return the conversation with a mark at its end; raise InvalidRequest for a call there."""
    last = chat.messages[-1]
    if last.get("role") != "assistant" or last.get("tool_calls"):
        raise InvalidRequest(
            "Invalid 'continue_final_message': the last message must be an assistant's text.",
            param="continue_final_message",
        )
    marked = {**last, "content": f"{last.get('content') or ''}{_END}"}
    return replace(chat, messages=(*chat.messages[:-1], marked), add_generation_prompt=False)


def _up_to_end(text: str) -> str:
    before, found, _ = text.rpartition(_END)
    if not found:
        raise InvalidRequest(
            "Invalid 'continue_final_message': the model's chat template leaves out the text of "
            "the last message.",
            param="continue_final_message",
        )
    return before


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateSummary:
    """Who writes tools into prompts, the hints that are not read, and a text for people."""

    tools: Literal["template", "gateway"] | None
    unread_hints: frozenset[str]
    text: str


def summarize_template(path: Path) -> TemplateSummary:
    """Return what the chat template of a folder or a file can do."""
    try:
        template = ChatTemplate.load(path)
    except ModelNotAvailable:
        refused = "no chat template: chats are refused"
        return TemplateSummary(tools=None, unread_hints=frozenset(), text=refused)
    can = probe(template)
    read = template.variables(tools=True) if can else frozenset()
    return TemplateSummary(
        tools="template" if can and can.tools else "gateway",
        unread_hints=CHAT_HINTS - read,
        text=can.describe() if can else "the chat template fails: a plain one is used",
    )
