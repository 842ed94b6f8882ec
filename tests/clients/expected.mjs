// What a client of either major version of the TypeScript SDK must show, compared with what `.ci/clients` read from
// the server through a raw pipe.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

process.on("uncaughtException", (error) => {
  console.error(error.message);
  process.exit(1);
});

export const expected = JSON.parse(readFileSync(process.argv[2], "utf-8"));

// Check everything over one connected client. `call(params, options)` wraps its callTool, whose signature differs.
export async function check(client, call, era) {
  const { tools } = await client.listTools();
  assert.deepEqual(tools, expected.tools, `${era}: tools`);
  assert.equal(client.getInstructions(), expected.instructions, `${era}: instructions`);
  for (const { tool: name, arguments: given, text, data } of expected.answers) {
    const what = `${era}: ${name} ${JSON.stringify(given)}`;
    const result = await call({ name, arguments: given });
    assert.ok(!result.isError, `${what}: shown as an error: ${JSON.stringify(result.content)}`);
    assert.deepEqual(result.structuredContent, data, `${what}: structuredContent`);
    assert.deepEqual(result.content.map((block) => block.text), [text], `${what}: content`);
  }
  for (const { tool: name, arguments: given, text } of expected.refusals) {
    const what = `${era}: ${name} ${JSON.stringify(given)}`;
    const result = await call({ name, arguments: given });
    assert.equal(result.isError, true, `${what}: not shown as an error`);
    assert.ok(result.content[0].text.startsWith(text), `${what}: our words are lost: ${result.content[0].text}`);
  }
  await assert.rejects(call({ name: "no_such_tool", arguments: {} }), /Unknown tool: no_such_tool/, `${era}: unknown tool`);

  const scan = { name: expected.progress.tool, arguments: expected.progress.arguments };
  let counts = [];
  // The SDK drops a notification that arrives together with the answer, so several calls may be needed to see the last.
  for (let calls = 0; calls < 20 && counts.at(-1) !== expected.progress.data.scanned; calls += 1) {
    counts = [];
    await call(scan, { onprogress: ({ progress }) => counts.push(progress) });
  }
  assert.equal(counts.at(-1), expected.progress.data.scanned, `${era}: progress ends with all that was read`);

  const given_up = new AbortController();
  const unwanted = call(scan, { signal: given_up.signal });
  setImmediate(() => given_up.abort("seen enough"));
  await assert.rejects(unwanted, /seen enough/, `${era}: a call that was given up ends`);
  const [first] = expected.answers;
  const after = await call({ name: first.tool, arguments: first.arguments });
  assert.deepEqual(after.structuredContent, first.data, `${era}: the call after one that was given up`);
}

// The person whom a server that may send asks: the text to send says what they answer.
export function person({ params }) {
  return params.message.includes(": yes") ? { action: "accept", content: { choice: "Send" } } : { action: "decline" };
}

// Check the tools of a server that may send over a connected client that can ask, and send one message of two.
export async function checkSending(client, call, era) {
  const { tools, chat_id } = expected.sending;
  assert.deepEqual((await client.listTools()).tools, tools, `${era}: tools of a server that may send`);
  const send = (said) => call({ name: "send_message", arguments: { chat_id, text: `${era}: ${said}` } });
  const sent = await send("yes");
  assert.equal(sent.structuredContent?.sent, true, `${era}: a yes: ${JSON.stringify(sent.content)}`);
  const refused = await send("no");
  assert.equal(refused.isError, true, `${era}: a no is not shown as an error`);
  assert.match(refused.content[0].text, /^The person did not agree\./, `${era}: a no`);
}

export function report(client) {
  const { tools, answers, refusals } = expected;
  const counts = `${tools.length} tools, ${answers.length} answers, ${refusals.length} errors`;
  console.log(`${client}: ${counts}, progress, cancellation, questions`);
}
