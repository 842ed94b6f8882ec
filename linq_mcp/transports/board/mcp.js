// The page's MCP client: one HTTP request for each MCP request, which is all that the protocol of 2026-07-28 needs.

const VERSION = "2026-07-28";
const ENVELOPE = {
  "io.modelcontextprotocol/protocolVersion": VERSION,
  "io.modelcontextprotocol/clientInfo": { name: "linq-mcp-board", version: "1" },
  "io.modelcontextprotocol/clientCapabilities": {
    extensions: { "io.modelcontextprotocol/ui": { mimeTypes: ["text/html;profile=mcp-app"] } },
  },
};
// The page's address is its key to the server, which therefore takes no calls from anywhere else.
const TOKEN = location.pathname.split("/")[1];

let lastId = 0;

/** A JSON-RPC error, with its code. */
export class RpcError extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

/** The result of one request. Rejects with an RpcError. */
export async function request(method, params) {
  const name = params.name ?? params.uri;
  const response = await fetch("/mcp", {
    method: "POST",
    headers: {
      "Accept": "application/json, text/event-stream",
      "Authorization": `Bearer ${TOKEN}`,
      "Content-Type": "application/json",
      "MCP-Protocol-Version": VERSION,
      "Mcp-Method": method,
      ...(name === undefined ? {} : { "Mcp-Name": name }),
    },
    body: JSON.stringify({ jsonrpc: "2.0", id: ++lastId, method, params: { ...params, _meta: ENVELOPE } }),
  }).catch(() => {
    throw new RpcError(-32000, "The board's server does not answer. Is `linq-mcp board` still running?");
  });
  const text = await response.text();
  let answer;
  try {
    answer = JSON.parse(text);
  } catch {
    throw new RpcError(-32000, `The board's server answered ${response.status}: ${text.slice(0, 200)}`);
  }
  if (answer.error) throw new RpcError(answer.error.code, answer.error.message);
  return answer.result;
}
