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
    return [message for _, message in _numbered(instructions, input_)]


def message_names(instructions: str | None, input_: str | list[Item]) -> dict[str, str]:
    """Return each message's path by its path in the chat: that of its first item."""
    numbered = enumerate(_numbered(instructions, input_))
    return {f"messages[{index}]": f"input[{item}]" for index, (item, _) in numbered}


def _numbered(instructions: str | None, input_: str | list[Item]) -> list[tuple[int, Message]]:
    """Return the messages, each with the index of its first item."""
    said = [InputMessage(role="user", content=input_)] if isinstance(input_, str) else input_
    rest = list(_messages(said))
    if instructions is None:
        return rest
    # Few templates know two system messages in a row.
    if rest and rest[0][1].role in ("system", "developer"):
        instructions = f"{instructions}\n\n{rest.pop(0)[1].text}"
    return [(0, Message(role="system", content=instructions)), *rest]


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


def _messages(items: Iterable[Item]) -> Iterator[tuple[int, Message]]:
    """Yield messages; reasoning, text and calls, which are items of one answer, are joined."""
    answer: list[Item] = []
    begun = 0
    for index, item in enumerate(items):
        if isinstance(item, _NOT_SAID):
            continue
        if answer and not _continues(answer[-1], item):
            yield begun, _assistant_message(answer)
            answer = []
        if not _is_assistant(item):
            yield index, _message(item)
            continue
        begun = begun if answer else index
        answer.append(item)
    if answer:
        yield begun, _assistant_message(answer)


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
