// A host that behaves as a test says. What it sends and receives goes through the shipped page's own bridge.

import { connect } from "./bridge.js";
import { RpcError, request } from "./mcp.js";

const INLINE_HEIGHT = 500;
let bridge;

/** What a tool of the real server answers. */
window.call = (name, given) => request("tools/call", { name, arguments: given });
window.notify = (method, params) => bridge.notify(method, params);

/**
 * Show the view, and resolve once it is initialized and has all that the host sends on its own.
 *
 * `outcome` is what the tool came to, as a method and its params, or null while it has not. `answers` are those to
 * the view's own calls, by tool: `{ result }`, `{ error }`, or null for none; the real server answers other calls.
 */
window.open_view = ({ context, capabilities, given, outcome, early, answers, background }) =>
  new Promise((resolve) => {
    const tell = () => {
      bridge.notify("ui/notifications/tool-input", { arguments: given });
      if (outcome) bridge.notify(...outcome);
    };
    const frame = document.createElement("iframe");
    frame.sandbox = "allow-scripts";
    frame.src = "/view";
    document.body.replaceChildren(frame);
    document.documentElement.style.colorScheme = context.theme ?? "light dark";
    document.body.style.background = background;
    bridge = connect(
      frame,
      {
        "ui/initialize": () => {
          if (early) tell();
          return {
            protocolVersion: "2026-01-26",
            hostInfo: { name: "test-host", version: "1" },
            hostCapabilities: capabilities,
            hostContext: context,
          };
        },
        "tools/call": ({ name, arguments: given = {} }) => {
          if (!Object.hasOwn(answers, name)) return window.call(name, given);
          if (!answers[name]) return new Promise(() => {});
          if (answers[name].error) throw new RpcError(answers[name].error.code, answers[name].error.message);
          return answers[name].result;
        },
        "ui/message": () => ({}),
        "ui/open-link": () => ({}),
        "ui/request-display-mode": ({ mode }) => ({ mode: context.availableDisplayModes.includes(mode) ? mode : "inline" }),
      },
      {
        "ui/notifications/initialized": () => {
          if (!early) tell();
          resolve();
        },
        "ui/notifications/size-changed": ({ height }) => {
          if (height && context.displayMode === "inline") frame.style.height = `${Math.min(height, INLINE_HEIGHT)}px`;
        },
      },
    );
    if (context.displayMode === "fullscreen") frame.style.height = `${context.containerDimensions.height}px`;
  });
window.ready = true;
