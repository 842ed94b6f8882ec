// The TypeScript SDK, version 1, as most editors and desktop hosts have it: the older era, output schemas enforced.

import { readFileSync } from "node:fs";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { check, expected, told } from "./expected.mjs";

const [command, ...args] = expected.command;
const client = new Client({ name: "clients", version: "1" });
await client.connect(new StdioClientTransport({ command, args }));
await check(client, (params, options) => client.callTool(params, undefined, options), "legacy");
await client.close();

const { version } = JSON.parse(readFileSync("node_modules/@modelcontextprotocol/sdk/package.json", "utf-8"));
told(`@modelcontextprotocol/sdk ${version}, older era`);
