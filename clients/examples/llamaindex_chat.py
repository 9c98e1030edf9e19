"""LlamaIndex: a streamed answer."""

import os
import sys

from llama_index.core.llms import ChatMessage
from llama_index.llms.openai_like import OpenAILike

model = sys.argv[1] if len(sys.argv) > 1 else "smollm2-135m-instruct"
gateway = OpenAILike(
    model=model,
    api_base=os.environ["OPENAI_BASE_URL"],
    api_key=os.environ.get("OPENAI_API_KEY", "none"),
    is_chat_model=True,
)
for chunk in gateway.stream_chat([ChatMessage(role="user", content="What is a river?")]):
    print(chunk.delta, end="", flush=True)
print()
