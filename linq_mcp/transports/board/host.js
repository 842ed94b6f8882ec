// The host's half of MCP Apps (2026-01-26): JSON-RPC over postMessage with one view, which runs in a sandboxed frame.

import { RpcError } from "./mcp.js";

const INLINE_HEIGHT = 500;
const METHOD_NOT_FOUND = -32601;
const INTERNAL_ERROR = -32603;

/**
 * Load the view into `frame` and answer it. `initialized` resolves when the view is ready.
 *
 * `context` is what the view learns of its surroundings; if it names a display mode, the frame's size is added to it
 * and kept up to date. `requests` has a function for each method that the view may ask for besides the basic ones. It
 * takes the params and returns the result, or a promise of it; an error that it throws becomes the answer.
 */
export function hostView(frame, { context, capabilities, requests }) {
  const answers = {
    "ping": () => ({}),
    "ui/initialize": () => ({
      protocolVersion: "2026-01-26",
      hostInfo: { name: "linq-mcp-board", version: "1" },
      hostCapabilities: capabilities,
      hostContext: context,
    }),
    "ui/request-display-mode": ({ mode }) => {
      if (context.availableDisplayModes.includes(mode) && mode !== context.displayMode) change({ displayMode: mode });
      return { mode: context.displayMode };
    },
    ...requests,
  };
  let markInitialized;
  const initialized = new Promise((resolve) => (markInitialized = resolve));
  const notifications = {
    "ui/notifications/initialized": markInitialized,
    "ui/notifications/size-changed": ({ height }) => {
      if (frame.className === "inline" && height > 0) frame.style.height = `${Math.min(height, INLINE_HEIGHT)}px`;
    },
  };

  function send(message) {
    // The view's origin is opaque, so that there is no target origin to name.
    frame.contentWindow.postMessage({ jsonrpc: "2.0", ...message }, "*");
  }

  function notify(method, params) {
    send({ method, params });
  }

  /** Change the context, and tell the view. */
  function change(changed) {
    Object.assign(context, changed);
    display();
    notify("ui/notifications/host-context-changed", changed);
  }

  function display() {
    const mode = context.displayMode ?? "inline";
    if (frame.className === mode) return;
    frame.className = mode;
    frame.style.height = "";
  }

  function dimensions() {
    const { clientWidth: width, clientHeight: height } = frame;
    return frame.className === "inline" ? { width, maxHeight: INLINE_HEIGHT } : { width, height };
  }

  function watchSize() {
    context.containerDimensions = dimensions();
    new ResizeObserver(() => {
      const containerDimensions = dimensions();
      if (JSON.stringify(containerDimensions) !== JSON.stringify(context.containerDimensions)) {
        change({ containerDimensions });
      }
    }).observe(frame);
  }

  async function answer({ id, method, params = {} }) {
    try {
      if (!Object.hasOwn(answers, method)) throw new RpcError(METHOD_NOT_FOUND, `Method not found: ${method}`);
      send({ id, result: await answers[method](params) });
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
  frame.hidden = false;
  display();
  if (context.displayMode) watchSize();
  frame.src = "/view";
  return { change, initialized, notify };
}
