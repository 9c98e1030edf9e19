"""A function that the model calls; its result is sent back for the final answer."""

import json
import sys

from openai import OpenAI

model = sys.argv[1] if len(sys.argv) > 1 else "smollm2-135m-instruct"
client = OpenAI()
tools = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "description": "The weather in a city.",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}},
                "required": ["city"],
            },
        },
    }
]


def weather(city: str) -> str:
    return f"It is sunny in {city}."


messages = [{"role": "user", "content": "How is the weather in Paris?"}]
answer = client.chat.completions.create(
    model=model, messages=messages, tools=tools, tool_choice="required"
)
message = answer.choices[0].message
messages.append(message)
for call in message.tool_calls:
    result = weather(**json.loads(call.function.arguments))
    print(result)
    messages.append({"role": "tool", "tool_call_id": call.id, "content": result})
answer = client.chat.completions.create(model=model, messages=messages)
print(answer.choices[0].message.content)
