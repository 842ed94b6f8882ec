// The TypeScript SDK, version 2, in both eras; like new hosts, `auto` probes for the era.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { check, checkSending, expected, person, report } from "./expected.mjs";

async function connected({ command: [command, ...args] }, mode, era, capabilities, use) {
  const client = new Client({ name: "clients", version: "1" }, { versionNegotiation: { mode }, capabilities });
  if (capabilities.elicitation) client.setRequestHandler("elicitation/create", person);
  await client.connect(new StdioClientTransport({ command, args }));
  assert.equal(client.getProtocolEra(), era);
  await use(client, (params, options) => client.callTool(params, options), mode.pin ?? mode);
  await client.close();
}
for (const [mode, era] of [["legacy", "legacy"], ["auto", "modern"], [{ pin: "2026-07-28" }, "modern"]]) {
  await connected(expected, mode, era, {}, check);
  await connected(expected.sending, mode, era, { elicitation: { form: {} } }, checkSending);
}

const { version } = JSON.parse(readFileSync("node_modules/@modelcontextprotocol/client/package.json", "utf-8"));
report(`@modelcontextprotocol/client ${version}, both eras`);
