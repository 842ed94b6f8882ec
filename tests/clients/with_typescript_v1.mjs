// The TypeScript SDK, version 1, which most editors and desktop hosts use: the older era, with output schemas enforced.

import { readFileSync } from "node:fs";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { check, expected, report } from "./expected.mjs";

const [command, ...args] = expected.command;
const client = new Client({ name: "clients", version: "1" });
await client.connect(new StdioClientTransport({ command, args }));
await check(client, (params, options) => client.callTool(params, undefined, options), "legacy");
await client.close();

const { version } = JSON.parse(readFileSync("node_modules/@modelcontextprotocol/sdk/package.json", "utf-8"));
report(`@modelcontextprotocol/sdk ${version}, older era`);
