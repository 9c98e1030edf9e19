"""A busy gateway answers 429 with the time to wait; the SDK waits and retries."""

import sys

from openai import OpenAI, RateLimitError

model = sys.argv[1] if len(sys.argv) > 1 else "smollm2-135m-instruct"
client = OpenAI(max_retries=5)
try:
    answer = client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": "What is a river?"}]
    )
    print(answer.choices[0].message.content)
except RateLimitError as error:
    print(f"still busy; ask again in {error.response.headers['retry-after']} s")
