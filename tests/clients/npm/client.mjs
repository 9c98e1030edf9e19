// One conversation of the openai npm SDK with the gateway, as JSON on standard output:
// node client.mjs URL WHAT
import OpenAI from "openai";
import { zodFunction, zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";

const [url, what] = process.argv.slice(2);
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0, timeout: 15_000 });

const HELLO = { model: "sim", messages: [{ role: "user", content: "Say hello." }] };
const ASK = { model: "sim", messages: [{ role: "user", content: "What is the weather?" }] };
const City = z.object({ city: z.string() });
const River = z.object({ name: z.string(), length_km: z.int(), countries: z.array(z.string()) });
const parameters = {
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
  additionalProperties: false,
};
const declared = [{ type: "function", function: { name: "weather", parameters } }];

// The tool, which records the cities of its calls.
function weatherTool(strict) {
  const cities = [];
  const run = ({ city }) => (cities.push(city), "rain");
  const tool = strict
    ? zodFunction({ name: "weather", parameters: City, function: run })
    : {
        type: "function",
        function: { name: "weather", parameters, parse: JSON.parse, function: run },
      };
  return { cities, tool };
}

async function whole() {
  return client.chat.completions.create(HELLO);
}

async function chunks() {
  const found = [];
  for await (const chunk of await client.chat.completions.create({ ...HELLO, stream: true })) {
    found.push(chunk);
  }
  return found;
}

async function streamHelper() {
  const stream = client.chat.completions.stream({
    ...HELLO,
    stream_options: { include_usage: true },
  });
  let joined = "";
  stream.on("content", (delta) => (joined += delta));
  const final = await stream.finalChatCompletion();
  return { joined, final };
}

async function streamedCall() {
  const stream = client.chat.completions.stream({ ...ASK, tools: declared });
  const done = [];
  stream.on("tool_calls.function.arguments.done", (call) => done.push(call));
  const message = await stream.finalMessage();
  return { done, message };
}

async function streamedSchema() {
  const stream = client.chat.completions.stream({
    ...HELLO,
    response_format: zodResponseFormat(River, "river"),
  });
  return (await stream.finalChatCompletion()).choices[0].message.parsed;
}

async function parse() {
  const answer = await client.chat.completions.parse({
    ...HELLO,
    response_format: zodResponseFormat(River, "river"),
  });
  return answer.choices[0].message.parsed;
}

async function jsonSchema() {
  const schema = z.toJSONSchema(River);
  const response_format = { type: "json_schema", json_schema: { name: "river", schema } };
  const answer = await client.chat.completions.create({ ...HELLO, response_format });
  return River.parse(JSON.parse(answer.choices[0].message.content));
}

async function loop(options) {
  const { cities, tool } = weatherTool(options.strict ?? false);
  const runner = client.chat.completions.runTools({
    ...ASK,
    tools: [tool],
    ...(options.stream ? { stream: true } : {}),
  });
  const answer = await runner.finalContent();
  return { answer, cities, roles: runner.messages.map((message) => message.role) };
}

async function forced() {
  const tool_choice = { type: "function", function: { name: "weather" } };
  const { tool } = weatherTool(true);
  const answer = await client.chat.completions.parse({ ...HELLO, tools: [tool], tool_choice });
  return answer.choices[0].message.tool_calls;
}

async function abandoned() {
  const stream = await client.chat.completions.create({ ...HELLO, stream: true });
  for await (const _ of stream) break;
  return (await client.chat.completions.create(HELLO)).choices.length;
}

async function completion() {
  return client.completions.create({ model: "sim", prompt: "Once upon", max_tokens: 5 });
}

async function models() {
  const found = [];
  for await (const model of client.models.list()) found.push(model.id);
  return { found, one: (await client.models.retrieve(found[0])).id };
}

// The error that the SDK throws: its class, and what it read from the response.
async function thrown(call) {
  try {
    const answer = await call();
    for await (const _ of answer) continue;
  } catch (error) {
    const { status = null, code = null, param = null, type = null, requestID = null } = error;
    return { name: error.constructor.name, status, code, param, type, requestID };
  }
  return null;
}

const create = (fields, options) => () =>
  client.chat.completions.create({ ...HELLO, ...fields }, options);

const conversations = {
  whole,
  chunks,
  streamHelper,
  streamedCall,
  streamedSchema,
  parse,
  jsonSchema,
  runTools: () => loop({}),
  runToolsStreamed: () => loop({ stream: true }),
  runToolsStrict: () => loop({ strict: true }),
  runToolsStrictStreamed: () => loop({ strict: true, stream: true }),
  forced,
  abandoned,
  completion,
  models,
  badRequest: () => thrown(create({ temperature: 3 })),
  badStream: () => thrown(create({ temperature: 3, stream: true })),
  unknownModel: () => thrown(create({ model: "gpt" })),
  embeddings: () => thrown(() => client.embeddings.create({ model: "sim", input: "hello" })),
  failure: () => thrown(create({})),
  failureInStream: () => thrown(create({ stream: true })),
  stalled: () => thrown(create({}, { timeout: 200 })),
};

console.log(JSON.stringify(await conversations[what]()));
