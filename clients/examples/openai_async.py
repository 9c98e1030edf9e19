"""Three concurrent questions: the engine runs them in one batch."""

import asyncio
import sys

from openai import AsyncOpenAI

model = sys.argv[1] if len(sys.argv) > 1 else "smollm2-135m-instruct"
questions = ["What is a river?", "What is a lake?", "What is a sea?"]


async def ask(client: AsyncOpenAI, question: str) -> str | None:
    answer = await client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": question}]
    )
    return answer.choices[0].message.content


async def main() -> None:
    async with AsyncOpenAI() as client:
        for answer in await asyncio.gather(*(ask(client, question) for question in questions)):
            print(answer)


asyncio.run(main())
