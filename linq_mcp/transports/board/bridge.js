// The host's half of MCP Apps (2026-01-26): JSON-RPC over postMessage with the view in a sandboxed frame.

import { RpcError } from "./mcp.js";

const METHOD_NOT_FOUND = -32601;
const INTERNAL_ERROR = -32603;

/**
 * Listen to the view in `frame`, which is loaded afterwards.
 *
 * `requests` holds a function for each method that the view may ask for; it takes the params and returns the result or
 * a promise of it, and an RpcError that it throws becomes the answer. `notifications` holds those that need no answer.
 */
export function connect(frame, requests, notifications) {
  const asked = new Map();
  let lastId = 0;

  function send(message) {
    // The view's origin is opaque, so that no other target origin can be named.
    frame.contentWindow?.postMessage({ jsonrpc: "2.0", ...message }, "*");
  }

  async function answer({ id, method, params = {} }) {
    try {
      if (!Object.hasOwn(requests, method)) throw new RpcError(METHOD_NOT_FOUND, `Method not found: ${method}`);
      send({ id, result: await requests[method](params) });
    } catch (error) {
      send({ id, error: { code: error.code ?? INTERNAL_ERROR, message: error.message } });
    }
  }

  function receive({ source, data }) {
    if (source !== frame.contentWindow || data?.jsonrpc !== "2.0") return;
    if (data.method === undefined) {
      asked.get(data.id)?.(data);
      asked.delete(data.id);
    } else if (data.id !== undefined) {
      answer(data);
    } else if (Object.hasOwn(notifications, data.method)) {
      notifications[data.method](data.params ?? {});
    }
  }

  window.addEventListener("message", receive);
  return {
    notify: (method, params) => send({ method, params }),
    /** Ask the view, and wait for whatever it answers. */
    ask: (method, params) =>
      new Promise((resolve) => {
        asked.set(++lastId, resolve);
        send({ id: lastId, method, params });
      }),
    close: () => window.removeEventListener("message", receive),
  };
}
