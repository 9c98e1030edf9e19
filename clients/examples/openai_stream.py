"""A streamed answer, and its number of tokens."""

import sys

from openai import OpenAI

model = sys.argv[1] if len(sys.argv) > 1 else "smollm2-135m-instruct"
stream = OpenAI().chat.completions.create(
    model=model,
    messages=[{"role": "user", "content": "What is a river?"}],
    stream=True,
    stream_options={"include_usage": True},
)
for chunk in stream:
    if chunk.choices:
        print(chunk.choices[0].delta.content or "", end="", flush=True)
    if chunk.usage:
        print(f"\n{chunk.usage.completion_tokens} tokens")
