// The page of `linq-mcp board`: calls a tool and hosts its view, as an assistant would. The view does the rest.

import { connect } from "./bridge.js";
import { RpcError, request } from "./mcp.js";

const INLINE_HEIGHT = 500;
const MODES = ["inline", "fullscreen"];
const INVALID_PARAMS = -32602;
const REFUSED = -32000;
// The tools with a view, the one to begin with first.
const FIRST_CALLS = {
  list_inbox: { waiting: true, order: "longest_waiting" },
  summarize_chat_health: {},
  summarize_activity: {},
};

const frame = document.querySelector("iframe");
const dark = matchMedia("(prefers-color-scheme: dark)");
const tools = new Map();
let bridge;
let toldDimensions;

const mayCall = (tool) => tool && (tool._meta?.ui?.visibility ?? ["app"]).includes("app");
const theme = () => (dark.matches ? "dark" : "light");
const isInline = () => frame.className === "inline";

function display(mode) {
  frame.className = mode;
  frame.style.height = "";
}

function tell(changed) {
  bridge.notify("ui/notifications/host-context-changed", changed);
}

function tellDimensions() {
  const containerDimensions = dimensions();
  if (JSON.stringify(containerDimensions) === toldDimensions) return;
  toldDimensions = JSON.stringify(containerDimensions);
  tell({ containerDimensions });
}

function dimensions() {
  const { clientWidth: width, clientHeight: height } = frame;
  return isInline() ? { width, maxHeight: INLINE_HEIGHT } : { width, height };
}

function hostContext(tool) {
  return {
    toolInfo: { tool: { name: tool.name, inputSchema: tool.inputSchema } },
    theme: theme(),
    displayMode: frame.className,
    availableDisplayModes: MODES,
    containerDimensions: dimensions(),
    locale: navigator.language,
    timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    platform: "web",
  };
}

const requestsOf = (tool) => ({
  "ping": () => ({}),
  "ui/initialize": () => ({
    protocolVersion: "2026-01-26",
    hostInfo: { name: "linq-mcp-board", version: "1" },
    hostCapabilities: { openLinks: {}, serverTools: {}, serverResources: {}, message: { text: {} } },
    hostContext: hostContext(tool),
  }),
  "tools/call": ({ name, arguments: given = {} }) => {
    if (!mayCall(tools.get(name))) throw new RpcError(INVALID_PARAMS, `The view may not call ${name}.`);
    return request("tools/call", { name, arguments: given });
  },
  "resources/read": ({ uri }) => request("resources/read", { uri }),
  "ui/open-link": ({ url }) => {
    if (!URL.canParse(url) || new URL(url).protocol !== "https:") throw new RpcError(REFUSED, "Only https links open.");
    window.open(url, "_blank", "noopener,noreferrer");
    return {};
  },
  "ui/message": ({ content }) => {
    showQuestion(content.map((block) => block.text ?? "").join("\n"));
    return {};
  },
  "ui/request-display-mode": ({ mode }) => {
    if (MODES.includes(mode) && mode !== frame.className) {
      display(mode);
      tell({ displayMode: mode });
    }
    return { mode: frame.className };
  },
});

function showQuestion(text) {
  const dialog = document.querySelector("dialog");
  const status = dialog.querySelector("[role=status]");
  dialog.querySelector("blockquote").textContent = text;
  status.textContent = "";
  dialog.querySelector("#copy").onclick = async () => {
    await navigator.clipboard.writeText(text);
    status.textContent = "Copied";
  };
  dialog.onclose = () => frame.focus();
  dialog.showModal();
}

/** The result of a tool, or an error result if it can't be called: the view shows either. */
async function callTool(name, given) {
  try {
    return await request("tools/call", { name, arguments: given });
  } catch (error) {
    return { content: [{ type: "text", text: error.message }], isError: true };
  }
}

async function show(tool) {
  const given = FIRST_CALLS[tool.name];
  const result = callTool(tool.name, given);
  await new Promise((initialized) => {
    bridge = connect(frame, requestsOf(tool), {
      "ui/notifications/initialized": initialized,
      "ui/notifications/size-changed": ({ height }) => {
        if (isInline() && height > 0) frame.style.height = `${Math.min(height, INLINE_HEIGHT)}px`;
      },
    });
    frame.hidden = false;
    display("fullscreen");
    frame.src = "/view";
  });
  dark.addEventListener("change", () => tell({ theme: theme() }));
  new ResizeObserver(tellDimensions).observe(frame);
  bridge.notify("ui/notifications/tool-input", { arguments: given });
  bridge.notify("ui/notifications/tool-result", await result);
}

try {
  for (const tool of (await request("tools/list", {})).tools) tools.set(tool.name, tool);
  const tool = Object.keys(FIRST_CALLS).map((name) => tools.get(name)).find((one) => one?._meta?.ui?.resourceUri);
  if (!tool) throw new Error(`The board needs one of the tools ${Object.keys(FIRST_CALLS).join(", ")}; none of them is open.`);
  await show(tool);
} catch (error) {
  document.querySelector("[role=alert]").textContent = error.message;
}
