// The TypeScript SDK, version 2, in both eras; like new hosts, `auto` probes for the era.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { check, expected, report } from "./expected.mjs";

const [command, ...args] = expected.command;
for (const [mode, era] of [["legacy", "legacy"], ["auto", "modern"], [{ pin: "2026-07-28" }, "modern"]]) {
  const client = new Client({ name: "clients", version: "1" }, { versionNegotiation: { mode } });
  await client.connect(new StdioClientTransport({ command, args }));
  assert.equal(client.getProtocolEra(), era);
  await check(client, (params, options) => client.callTool(params, options), era);
  await client.close();
}

const { version } = JSON.parse(readFileSync("node_modules/@modelcontextprotocol/client/package.json", "utf-8"));
report(`@modelcontextprotocol/client ${version}, both eras`);
