"""`truncate`: a conversation without its oldest turns."""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import replace

from engine.types import Chat


def truncate(chat: Chat, fits: Callable[[Chat], bool]) -> tuple[Chat, tuple[str, ...]]:
    """Return the conversation with as few turns dropped as make it fit, or all that may be.

    The dropped messages are named by their path, in the order of the conversation.
    """
    order, lengths = _droppable(chat)
    least = bisect_left(lengths, True, key=lambda length: fits(_without(chat, order[:length])))
    dropped = order[: lengths[min(least, len(lengths) - 1)]]
    return _without(chat, dropped), tuple(f"messages[{index}]" for index in dropped)


def _droppable(chat: Chat) -> tuple[list[int], list[int]]:
    """Return the messages to drop, oldest first, and after how many of them one may stop.

    Whole turns are dropped, then the steps of the last turn: a call stays with its results. System
    messages, the last user's message and the last step are never dropped.
    """
    roles = [message["role"] for message in chat.messages]
    last_user = max((n for n, role in enumerate(roles) if role == "user"), default=-1)
    order: list[int] = []
    lengths = [0]
    for index, role in enumerate(roles):
        begins = role == "user" if index <= last_user else role == "assistant"
        if begins and len(order) > lengths[-1]:
            lengths.append(len(order))
        if index != last_user and role not in ("system", "developer"):
            order.append(index)
    return order, lengths


def _without(chat: Chat, dropped: Sequence[int]) -> Chat:
    gone = frozenset(dropped)
    kept = (message for index, message in enumerate(chat.messages) if index not in gone)
    return replace(chat, messages=tuple(kept))
