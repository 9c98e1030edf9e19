// OpenAI's SDK for JavaScript: a streamed answer.
import OpenAI from "openai";

const model = process.argv[2] ?? "smollm2-135m-instruct";
const stream = await new OpenAI().chat.completions.create({
  model,
  messages: [{ role: "user", content: "What is a river?" }],
  stream: true,
});
for await (const chunk of stream) process.stdout.write(chunk.choices[0]?.delta?.content ?? "");
process.stdout.write("\n");
