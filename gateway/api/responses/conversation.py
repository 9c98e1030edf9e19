"""The chat messages that a response's instructions and items are."""

from collections.abc import Iterable, Iterator

from gateway.api.chat.messages import Message, join_parts
from gateway.api.responses.items import (
    AdditionalTools,
    HostedItem,
    InputCall,
    InputCustomCall,
    InputMessage,
    InputReasoning,
    InputResult,
    Item,
)
from gateway.api.responses.tools import ignored_tools


def conversation(instructions: str | None, input_: str | list[Item]) -> list[Message]:
    """Return the chat messages for these instructions and items."""
    said = [InputMessage(role="user", content=input_)] if isinstance(input_, str) else input_
    rest = list(_messages(item for item in said if not isinstance(item, _NOT_SAID)))
    if instructions is None:
        return rest
    # Few templates know two system messages in a row.
    if rest and rest[0].role in ("system", "developer"):
        first, *rest = rest
        instructions = f"{instructions}\n\n{first.text}"
    return [Message(role="system", content=instructions), *rest]


def ignored_items(items: Iterable[Item]) -> Iterator[str]:
    """Yield the paths of what is without effect in the items."""
    for index, item in enumerate(items):
        path = f"input[{index}]"
        if isinstance(item, HostedItem):
            yield path
        elif isinstance(item, AdditionalTools):
            yield from ignored_tools(item.tools, f"{path}.tools")
        elif isinstance(item, InputReasoning) and item.text is None:
            yield f"{path}.encrypted_content"


_NOT_SAID = (AdditionalTools, HostedItem)
_CALLS = (InputCall, InputCustomCall)


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
    return isinstance(item, InputReasoning | InputCall | InputCustomCall)


def _continues(last: Item, item: Item) -> bool:
    after_reasoning = isinstance(last, InputReasoning) and _is_assistant(item)
    return after_reasoning or isinstance(item, _CALLS)


def _assistant_message(items: list[Item]) -> Message:
    reasoning = (item.text or "" for item in items if isinstance(item, InputReasoning))
    calls = [item.for_chat() for item in items if isinstance(item, _CALLS)]
    texts = [join_parts(item.content) for item in items if isinstance(item, InputMessage)]
    return Message(
        role="assistant",
        tool_calls=calls or None,
        content="".join(texts) if texts or not calls else None,
        reasoning_content="".join(reasoning) or None,
    )


def _message(item: Item) -> Message:
    if isinstance(item, InputResult):
        return Message(role="tool", tool_call_id=item.call_id, content=join_parts(item.output))
    assert isinstance(item, InputMessage)  # OtherItem is refused when it is read
    return Message(role=item.role, content=join_parts(item.content))
