"""The bodies of `/v1/responses`, as the API reference shows them."""

from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict

from gateway.api.logprobs import LogprobEntry

ItemStatus = Literal["in_progress", "completed", "incomplete"]


class OutputText(TypedDict):
    """A piece of an answer or of reasoning; `annotations` and `logprobs` are of answers."""

    type: Literal["output_text", "reasoning_text"]
    text: str
    annotations: NotRequired[list[Any]]
    logprobs: NotRequired[list[LogprobEntry]]


class OutputItem(TypedDict):
    """An item of an answer: a message, reasoning, or a call, told apart by `type`."""

    type: Literal["message", "reasoning", "function_call", "custom_tool_call"]
    id: str
    status: NotRequired[ItemStatus]
    role: NotRequired[Literal["assistant"]]
    content: NotRequired[list[OutputText]]
    summary: NotRequired[list[Any]]
    call_id: NotRequired[str]
    name: NotRequired[str]
    namespace: NotRequired[str]
    arguments: NotRequired[str]
    input: NotRequired[str]
    encrypted_content: NotRequired[str]


class ResponseUsage(TypedDict):
    """The token counts of a response."""

    input_tokens: int
    input_tokens_details: dict[str, int]
    output_tokens: int
    output_tokens_details: dict[str, int]
    total_tokens: int


class ResponseBody(TypedDict):
    """A response; most fields repeat the request. Times are in Unix seconds."""

    id: str
    object: Literal["response"]
    created_at: int
    status: Literal["in_progress", "completed", "incomplete", "failed"] | None
    background: Literal[False]
    completed_at: int | None
    error: dict[str, str] | None
    incomplete_details: dict[str, str] | None
    instructions: str | None
    max_output_tokens: int | None
    max_tool_calls: int | None
    metadata: dict[str, str]
    model: str
    output: list[OutputItem]
    parallel_tool_calls: bool
    previous_response_id: None
    reasoning: dict[str, Any]
    safety_identifier: str | None
    service_tier: str
    temperature: float
    text: dict[str, Any]
    tool_choice: Any
    tools: list[dict[str, Any]]
    top_logprobs: int
    top_p: float
    truncation: Literal["auto", "disabled"]
    usage: ResponseUsage | None
    user: str | None


class ResponseEvent(TypedDict, total=False):
    """A frame of a stream; which of the fields are there follows from `type`."""

    type: str
    sequence_number: int
    response: ResponseBody
    item: OutputItem
    part: OutputText
    item_id: str
    output_index: int
    content_index: int
    delta: str
    text: str
    arguments: str
    input: str
    logprobs: list[Any]
