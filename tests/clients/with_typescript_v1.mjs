// The TypeScript SDK, version 1, which most editors and desktop hosts use: the older era, with output schemas enforced.

import { readFileSync } from "node:fs";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { ElicitRequestSchema } from "@modelcontextprotocol/sdk/types.js";
import { check, checkSending, expected, person, report } from "./expected.mjs";

async function connected({ command: [command, ...args] }, capabilities, use) {
  const client = new Client({ name: "clients", version: "1" }, { capabilities });
  if (capabilities.elicitation) client.setRequestHandler(ElicitRequestSchema, person);
  await client.connect(new StdioClientTransport({ command, args }));
  await use(client, (params, options) => client.callTool(params, undefined, options), "legacy");
  await client.close();
}
await connected(expected, {}, check);
await connected(expected.sending, { elicitation: {} }, checkSending);

const { version } = JSON.parse(readFileSync("node_modules/@modelcontextprotocol/sdk/package.json", "utf-8"));
report(`@modelcontextprotocol/sdk ${version}, older era`);
