// The host's half of MCP Apps (2026-01-26): JSON-RPC over postMessage with the view in a sandboxed frame.

import { RpcError } from "./mcp.js";

const METHOD_NOT_FOUND = -32601;
const INTERNAL_ERROR = -32603;

/**
 * Listen to the view that is loaded into `frame` afterwards.
 *
 * `requests` has a function for each method that the view may ask for. It takes the params and returns the result, or a
 * promise of it; what it throws becomes the answer. `notifications` has one for each notification to act on.
 */
export function connect(frame, requests, notifications) {
  function send(message) {
    // The view's origin is opaque, so that there is no target origin to name.
    frame.contentWindow.postMessage({ jsonrpc: "2.0", ...message }, "*");
  }

  async function answer({ id, method, params = {} }) {
    try {
      if (!Object.hasOwn(requests, method)) throw new RpcError(METHOD_NOT_FOUND, `Method not found: ${method}`);
      send({ id, result: await requests[method](params) });
    } catch (error) {
      send({ id, error: { code: error.code ?? INTERNAL_ERROR, message: error.message } });
    }
  }

  window.addEventListener("message", ({ source, data }) => {
    if (source !== frame.contentWindow || data?.jsonrpc !== "2.0") return;
    if (data.id === undefined) {
      if (Object.hasOwn(notifications, data.method)) notifications[data.method](data.params ?? {});
    } else if (data.method !== undefined) {
      answer(data);
    }
  });
  return { notify: (method, params) => send({ method, params }) };
}
