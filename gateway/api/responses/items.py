"""The items of a response's `input`, and the conversation that they are."""

from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Discriminator, Field, Tag

from gateway.api.body.bounded import Json, Name, Text
from gateway.api.chat.messages import Message, TextPart, join_parts
from gateway.api.chat.tools import AssistantFunction, AssistantToolCall
from gateway.api.schema import RequestModel, only_supported

_Status = Literal["in_progress", "completed", "incomplete"]


_KINDS = ("message", "function_call", "function_call_output", "reasoning")


class InputPart(TextPart):
    """A piece of a message: text of either side, or the refusal of an earlier answer."""

    type: Annotated[
        Literal["input_text", "output_text", "refusal", "input_image", "input_file", "input_audio"],
        only_supported("input_text", "output_text", "refusal"),
    ]
    annotations: Annotated[list[Json], Field(max_length=1024)] | None = None
    logprobs: Annotated[list[Json], Field(max_length=1024)] | None = None
    parsed: Json = None  # the SDK's own

    # Named so that what is refused is their type.
    image_url: Json = None
    detail: Json = None
    file_id: Json = None
    file_url: Json = None
    file_data: Json = None
    filename: Json = None
    input_audio: Json = None


Content = Text | Annotated[list[InputPart], Field(fail_fast=True, min_length=1, max_length=1024)]


class InputMessage(RequestModel):
    """A message; an answer's message may be sent back as it came."""

    type: Literal["message"] = "message"
    role: Literal["user", "assistant", "system", "developer"]
    content: Content
    id: Name | None = None
    status: _Status | None = None
    phase: Literal["commentary", "final_answer"] | None = None


class InputCall(RequestModel):
    """A function call of an earlier answer."""

    type: Literal["function_call"]
    call_id: Name
    name: Name
    arguments: Text
    id: Name | None = None
    status: _Status | None = None
    parsed_arguments: Json = None  # the SDK's own

    def for_chat(self) -> AssistantToolCall:
        """Return the call as a chat's message has it."""
        function = AssistantFunction(name=self.name, arguments=self.arguments)
        return AssistantToolCall(id=self.call_id, function=function)


class InputResult(RequestModel):
    """The result of a function call."""

    type: Literal["function_call_output"]
    call_id: Name
    output: Content
    id: Name | None = None
    status: _Status | None = None


class ReasoningPart(RequestModel):
    """A piece of reasoning."""

    type: Literal["reasoning_text", "summary_text"]
    text: Text


ReasoningParts = Annotated[list[ReasoningPart], Field(fail_fast=True, max_length=1024)]


class InputReasoning(RequestModel):
    """The reasoning of an earlier answer."""

    type: Literal["reasoning"]
    summary: ReasoningParts = Field(default_factory=list)
    content: ReasoningParts | None = None
    id: Name | None = None
    status: _Status | None = None
    encrypted_content: Text | None = None


class OtherItem(RequestModel):
    """An item of a kind that is not served."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    type: Annotated[str, only_supported(*_KINDS)]


def _tag(item: Any) -> str:
    kind = item.get("type", "message") if isinstance(item, dict) else getattr(item, "type", None)
    return str(kind).capitalize() if kind in _KINDS else "Other"


Item = Annotated[
    Annotated[InputMessage, Tag("Message")]
    | Annotated[InputCall, Tag("Function_call")]
    | Annotated[InputResult, Tag("Function_call_output")]
    | Annotated[InputReasoning, Tag("Reasoning")]
    | Annotated[OtherItem, Tag("Other")],
    Discriminator(_tag),
]


def conversation(instructions: str | None, input_: str | list[Item]) -> list[Message]:
    """Return the chat messages for these instructions and items."""
    said = [InputMessage(role="user", content=input_)] if isinstance(input_, str) else input_
    rest = list(_messages(said))
    if instructions is None:
        return rest
    # Few templates know two system messages in a row.
    if rest and rest[0].role in ("system", "developer"):
        first, *rest = rest
        instructions = f"{instructions}\n\n{first.text}"
    return [Message(role="system", content=instructions), *rest]


def _messages(items: Iterable[Item]) -> Iterator[Message]:
    """Yield messages; reasoning, text and calls, which are items of one answer, are joined."""
    answer: list[Item] = []
    for item in items:
        if answer and not _continues(answer[-1], item):
            yield _assistant_message(answer)
            answer = []
        if _is_assistant(item):
            answer.append(item)
        else:
            yield _message(item)
    if answer:
        yield _assistant_message(answer)


def _is_assistant(item: Item) -> bool:
    if isinstance(item, InputMessage):
        return item.role == "assistant"
    return isinstance(item, InputCall | InputReasoning)


def _continues(last: Item, item: Item) -> bool:
    after_reasoning = isinstance(last, InputReasoning) and _is_assistant(item)
    return after_reasoning or isinstance(item, InputCall)


def _assistant_message(items: list[Item]) -> Message:
    reasoning = (part for i in items if isinstance(i, InputReasoning) for part in i.content or ())
    calls = [i.for_chat() for i in items if isinstance(i, InputCall)]
    texts = [join_parts(i.content) for i in items if isinstance(i, InputMessage)]
    return Message(
        role="assistant",
        tool_calls=calls or None,
        content="".join(texts) if texts or not calls else None,
        reasoning_content="".join(part.text for part in reasoning) or None,
    )


def _message(item: Item) -> Message:
    if isinstance(item, InputResult):
        return Message(role="tool", tool_call_id=item.call_id, content=join_parts(item.output))
    assert isinstance(item, InputMessage)  # OtherItem is refused when it is read
    return Message(role=item.role, content=join_parts(item.content))
