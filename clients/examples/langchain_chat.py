"""LangChain: a streamed answer."""

import sys

from langchain_openai import ChatOpenAI

model = sys.argv[1] if len(sys.argv) > 1 else "smollm2-135m-instruct"
for chunk in ChatOpenAI(model=model).stream("What is a river?"):
    print(chunk.text, end="", flush=True)
print()
