// The same over /v1/responses: node responses.mjs URL WHAT
import OpenAI from "openai";
import { zodTextFormat } from "openai/helpers/zod";
import { z } from "zod";

const [url, what] = process.argv.slice(2);
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0, timeout: 15_000 });

const HELLO = { model: "sim", input: "Say hello." };
const QUESTION = { role: "user", content: "What is the weather?" };
const River = z.object({ name: z.string(), length_km: z.int(), countries: z.array(z.string()) });
const tools = [
  {
    type: "function",
    name: "weather",
    strict: true,
    parameters: {
      type: "object",
      properties: { city: { type: "string" } },
      required: ["city"],
      additionalProperties: false,
    },
  },
];

async function whole() {
  const { status, output_text } = await client.responses.create(HELLO);
  return { status, output_text };
}

async function streamed() {
  let text = "";
  for await (const event of await client.responses.create({ ...HELLO, stream: true })) {
    if (event.type === "response.output_text.delta") text += event.delta;
  }
  return text;
}

async function streamHelper() {
  return (await client.responses.stream(HELLO).finalResponse()).output_text;
}

async function parse() {
  const text = { format: zodTextFormat(River, "river") };
  return (await client.responses.parse({ ...HELLO, text })).output_parsed;
}

async function loop() {
  const input = [QUESTION];
  for (let turn = 0; turn < 3; turn++) {
    const answer = await client.responses.create({ model: "sim", input, tools });
    const calls = answer.output.filter((item) => item.type === "function_call");
    if (!calls.length) return answer.output_text;
    const results = calls.map(({ call_id }) => ({
      type: "function_call_output",
      call_id,
      output: "rain",
    }));
    input.push(...answer.output, ...results);
  }
  return null;
}

async function refused() {
  try {
    await client.responses.create({ ...HELLO, temperature: 3 });
  } catch (error) {
    return { name: error.constructor.name, param: error.param };
  }
  return null;
}

const conversations = { whole, streamed, streamHelper, parse, loop, refused };
console.log(JSON.stringify(await conversations[what]()));
