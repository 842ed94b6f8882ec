// The page of `linq-mcp board`: calls a tool and hosts its view, as an assistant would. The view does the rest.

import { hostView } from "./host.js";
import { RpcError, request } from "./mcp.js";

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
const theme = () => (dark.matches ? "dark" : "light");
const mayCall = (tool) => tool && (tool._meta?.ui?.visibility ?? ["app"]).includes("app");

/** What the view may ask for, besides its size. `tools` are those of the server, by name. */
const requestsOver = (tools) => ({
  "tools/call": ({ name, arguments: args = {} }) => {
    if (!mayCall(tools.get(name))) throw new RpcError(INVALID_PARAMS, `The view may not call ${name}.`);
    return request("tools/call", { name, arguments: args });
  },
  "resources/read": ({ uri }) => request("resources/read", { uri }),
  "ui/open-link": ({ url }) => {
    if (!URL.canParse(url) || new URL(url).protocol !== "https:") throw new RpcError(REFUSED, "Only https links open.");
    window.open(url, "_blank", "noopener,noreferrer");
    return {};
  },
  "ui/message": ({ content }) => {
    showQuestion(content.map((block) => block.text ?? "").join("\n"));
    // There is nobody to deliver it to.
    return { isError: true };
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
async function callTool(name, args) {
  try {
    return await request("tools/call", { name, arguments: args });
  } catch (error) {
    return { content: [{ type: "text", text: error.message }], isError: true };
  }
}

async function show(tool, tools) {
  const args = FIRST_CALLS[tool.name];
  const result = callTool(tool.name, args);
  const context = {
    toolInfo: { tool: { name: tool.name, inputSchema: tool.inputSchema } },
    theme: theme(),
    displayMode: "fullscreen",
    availableDisplayModes: ["fullscreen"],
    locale: navigator.language,
    timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    platform: "web",
  };
  const capabilities = { openLinks: {}, serverTools: {}, serverResources: {}, message: { text: {} } };
  const host = hostView(frame, { context, capabilities, requests: requestsOver(tools) });
  await host.initialized;
  dark.addEventListener("change", () => host.change({ theme: theme() }));
  host.notify("ui/notifications/tool-input", { arguments: args });
  host.notify("ui/notifications/tool-result", await result);
}

try {
  const tools = new Map((await request("tools/list", {})).tools.map((tool) => [tool.name, tool]));
  const tool = Object.keys(FIRST_CALLS).map((name) => tools.get(name)).find((one) => one?._meta?.ui?.resourceUri);
  if (!tool) throw new Error(`The board needs one of the tools ${Object.keys(FIRST_CALLS).join(", ")}; none of them is open.`);
  await show(tool, tools);
} catch (error) {
  document.querySelector("[role=alert]").textContent = error.message;
}
