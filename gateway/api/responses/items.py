"""The items of a response's `input`."""

from typing import Annotated, Any, Final, Literal

from pydantic import ConfigDict, Discriminator, Field, Tag

from gateway.api.body.bounded import Json, Name, Text
from gateway.api.chat.custom_tools import CustomCall
from gateway.api.chat.messages import TextPart
from gateway.api.chat.tools import AssistantFunction, AssistantToolCall
from gateway.api.responses.encrypted_reasoning import decode
from gateway.api.responses.tools import Tools, flat_name
from gateway.api.schema import RequestModel, only_supported

_Status = Literal["in_progress", "completed", "incomplete"]

_TAGS: Final = {
    "message": "Message",
    "function_call": "FunctionCall",
    "custom_tool_call": "CustomCall",
    "function_call_output": "Result",
    "custom_tool_call_output": "Result",
    "reasoning": "Reasoning",
    "additional_tools": "Tools",
}
# What tools that OpenAI runs left in a conversation.
_HOSTED: Final = frozenset({
    "apply_patch_call", "apply_patch_call_output", "code_interpreter_call", "computer_call",
    "computer_call_output", "file_search_call", "image_generation_call", "local_shell_call",
    "local_shell_call_output", "mcp_approval_request", "mcp_approval_response", "mcp_call",
    "mcp_list_tools", "program", "program_output", "shell_call", "shell_call_output",
    "tool_search_call", "tool_search_output", "web_search_call",
})  # fmt: skip


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


Content = Text | Annotated[list[InputPart], Field(fail_fast=True, max_length=1024)]


class InputMessage(RequestModel):
    """A message; an answer's message may be sent back as it came."""

    type: Literal["message"] = "message"
    role: Literal["user", "assistant", "system", "developer"]
    content: Content
    id: Name | None = None
    status: _Status | None = None
    phase: Literal["commentary", "final_answer"] | None = None


class _InputCall(RequestModel):
    """What calls of an earlier answer have in common."""

    call_id: Name
    name: Name
    namespace: Name | None = None
    id: Name | None = None
    status: _Status | None = None

    @property
    def flat_name(self) -> str:
        """The name by which the model knows the tool."""
        return flat_name(self.namespace, self.name)


class InputCall(_InputCall):
    """A function call of an earlier answer."""

    type: Literal["function_call"]
    arguments: Text
    parsed_arguments: Json = None  # the SDK's own

    def for_chat(self) -> AssistantToolCall:
        """Return the call as a chat's message has it."""
        function = AssistantFunction(name=self.flat_name, arguments=self.arguments)
        return AssistantToolCall(id=self.call_id, function=function)


class InputCustomCall(_InputCall):
    """A call of an earlier answer to a custom tool."""

    type: Literal["custom_tool_call"]
    input: Text

    def for_chat(self) -> AssistantToolCall:
        """Return the call as a chat's message has it."""
        custom = CustomCall(name=self.flat_name, input=self.input)
        return AssistantToolCall(id=self.call_id, type="custom", custom=custom)


class InputResult(RequestModel):
    """The result of a call."""

    type: Literal["function_call_output", "custom_tool_call_output"]
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

    @property
    def text(self) -> str | None:
        """The reasoning; None where another server encrypted it."""
        if self.content or self.encrypted_content is None:
            return "".join(part.text for part in self.content or ())
        return decode(self.encrypted_content)


class AdditionalTools(RequestModel):
    """Tools that a conversation declares beside those of the request."""

    type: Literal["additional_tools"]
    tools: Tools
    role: Literal["developer"] | None = None
    id: Name | None = None


class HostedItem(RequestModel):
    """What a tool that OpenAI runs left behind: it is without effect."""

    model_config = ConfigDict(extra="ignore")

    type: Name


class OtherItem(RequestModel):
    """An item of a kind that is not served."""

    model_config = ConfigDict(extra="ignore")

    type: Annotated[Name, only_supported(*_TAGS)]


def _tag(item: Any) -> str:
    kind = item.get("type", "message") if isinstance(item, dict) else getattr(item, "type", None)
    return _TAGS.get(str(kind), "Hosted" if str(kind) in _HOSTED else "Other")


Item = Annotated[
    Annotated[InputMessage, Tag("Message")]
    | Annotated[InputCall, Tag("FunctionCall")]
    | Annotated[InputCustomCall, Tag("CustomCall")]
    | Annotated[InputResult, Tag("Result")]
    | Annotated[InputReasoning, Tag("Reasoning")]
    | Annotated[AdditionalTools, Tag("Tools")]
    | Annotated[HostedItem, Tag("Hosted")]
    | Annotated[OtherItem, Tag("Other")],
    Discriminator(_tag),
]
