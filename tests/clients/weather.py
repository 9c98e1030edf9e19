"""The conversation about the weather that every client has, and the simulated replies."""

from typing import Any, Final

QUESTION: Final = "What is the weather?"
RESULT: Final = "rain"
ANSWER: Final = "Take an umbrella."
CALL: Final = '<tool_call>\n{"name": "weather", "arguments": {"city": "Zürich"}}\n</tool_call>'

# The first match in the prompt is used: with the tool's result in it, the reply is the answer.
SCRIPTS: Final = (
    {"when": f"<tool_response>\n{RESULT}", "reply": ANSWER},
    {"when": "both weather?", "reply": f"{CALL}\n{CALL.replace('Zürich', 'Genève')}"},
    {"when": "weather?", "reply": CALL},
)
DEVICE: Final[dict[str, Any]] = {"scripts": SCRIPTS}

ASK: Final[Any] = ({"role": "user", "content": QUESTION},)
HELLO: Final[Any] = ({"role": "user", "content": "Say hello."},)
TOOLS: Final[Any] = (
    {
        "type": "function",
        "function": {
            "name": "weather",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}},
                "required": ["city"],
                "additionalProperties": False,
            },
            "strict": True,
        },
    },
)
