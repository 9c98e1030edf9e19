"""An answer that fits a type."""

import sys

from openai import OpenAI
from pydantic import BaseModel

model = sys.argv[1] if len(sys.argv) > 1 else "smollm2-135m-instruct"


class River(BaseModel):
    name: str
    kilometres: int


answer = OpenAI().chat.completions.parse(
    model=model,
    messages=[{"role": "user", "content": "Name a river and its length."}],
    response_format=River,
    max_completion_tokens=200,
)
print(answer.choices[0].message.parsed)
