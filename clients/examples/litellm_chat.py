"""LiteLLM's SDK: a streamed answer."""

import os
import sys

import litellm

model = sys.argv[1] if len(sys.argv) > 1 else "smollm2-135m-instruct"
stream = litellm.completion(
    model=f"openai/{model}",
    api_base=os.environ["OPENAI_BASE_URL"],
    messages=[{"role": "user", "content": "What is a river?"}],
    stream=True,
)
for chunk in stream:
    print(chunk.choices[0].delta.content or "", end="", flush=True)
print()
