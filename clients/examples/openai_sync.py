"""One answer."""

import sys

from openai import OpenAI

model = sys.argv[1] if len(sys.argv) > 1 else "smollm2-135m-instruct"
answer = OpenAI().chat.completions.create(
    model=model, messages=[{"role": "user", "content": "What is a river?"}]
)
print(answer.choices[0].message.content)
