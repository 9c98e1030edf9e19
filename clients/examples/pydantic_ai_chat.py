"""pydantic-ai: an agent with a tool."""

import sys

from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel

model = sys.argv[1] if len(sys.argv) > 1 else "smollm2-135m-instruct"
agent = Agent(OpenAIChatModel(model), instructions="Answer in a sentence.")


@agent.tool_plain
def weather(city: str) -> str:
    """Return the weather in a city."""
    return f"It is sunny in {city}."


print(agent.run_sync("What is a river?").output)
