// Vercel's AI SDK: a streamed answer.
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { streamText } from "ai";

const gateway = createOpenAICompatible({
  name: "gateway",
  baseURL: process.env.OPENAI_BASE_URL,
  apiKey: process.env.OPENAI_API_KEY,
});
const model = gateway(process.argv[2] ?? "smollm2-135m-instruct");
const { textStream } = streamText({ model, prompt: "What is a river?" });
for await (const text of textStream) process.stdout.write(text);
process.stdout.write("\n");
