// The page of `linq-mcp board`: picks what to show, calls that tool, and hosts its view as an assistant would.

import { connect } from "./bridge.js";
import { RpcError, request } from "./mcp.js";

const INLINE_HEIGHT = 500;
const TEARDOWN_MS = 300;
const INVALID_PARAMS = -32602;
const REFUSED = -32000;
// What to call those tools by, and what they are asked.
const PICKS = {
  list_inbox: ["Waiting", { waiting: true, order: "longest_waiting", limit: 50 }],
  summarize_chat_health: ["Health", {}],
  summarize_activity: ["Activity", {}],
};

const main = document.querySelector("main");
const stop = document.querySelector("#stop");
const dark = matchMedia("(prefers-color-scheme: dark)");
const tools = new Map();
// The view that is shown: its frame and bridge, how to stop its call, and how it is displayed.
let shown = null;

const mayCall = (tool) => tool?._meta?.ui?.visibility?.includes("app") ?? tool !== undefined;
const modesOf = (view) => ["fullscreen", "inline"].filter((mode) => view.modes.includes(mode));
const theme = () => (dark.matches ? "dark" : "light");

function dimensions(view) {
  const width = view.frame.clientWidth;
  return view.mode === "inline" ? { width, maxHeight: INLINE_HEIGHT } : { width, height: view.frame.clientHeight };
}

function display(view, mode) {
  view.mode = mode;
  view.frame.className = mode;
  view.frame.style.height = "";
}

function requestsOf(view) {
  return {
    "ping": () => ({}),
    "ui/initialize": ({ appCapabilities }) => {
      view.modes = appCapabilities?.availableDisplayModes ?? ["inline"];
      display(view, modesOf(view)[0] ?? "inline");
      return {
        protocolVersion: "2026-01-26",
        hostInfo: { name: "linq-mcp-board", version: "1" },
        hostCapabilities: { openLinks: {}, serverTools: {}, serverResources: {}, message: { text: {} } },
        hostContext: {
          toolInfo: { tool: { name: view.tool.name, inputSchema: view.tool.inputSchema } },
          theme: theme(),
          displayMode: view.mode,
          availableDisplayModes: modesOf(view),
          containerDimensions: dimensions(view),
          locale: navigator.language,
          timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone,
          userAgent: "linq-mcp board",
          platform: "web",
        },
      };
    },
    "tools/call": ({ name, arguments: given = {} }) => {
      if (!mayCall(tools.get(name))) throw new RpcError(INVALID_PARAMS, `The view may not call ${name}`);
      return request("tools/call", { name, arguments: given }, view.closing.signal);
    },
    "resources/read": ({ uri }) => request("resources/read", { uri }, view.closing.signal),
    "ui/open-link": ({ url }) => {
      if (!URL.canParse(url) || new URL(url).protocol !== "https:") throw new RpcError(REFUSED, "Only https links open");
      window.open(url, "_blank", "noopener,noreferrer");
      return {};
    },
    "ui/message": ({ content }) => {
      showSentence(content.map((block) => block.text ?? "").join("\n"));
      return {};
    },
    "ui/request-display-mode": ({ mode }) => {
      if (mode !== view.mode && modesOf(view).includes(mode)) {
        display(view, mode);
        queueMicrotask(() => tellContext({ displayMode: mode, containerDimensions: dimensions(view) }));
      }
      return { mode: view.mode };
    },
  };
}

function notificationsOf(view) {
  return {
    "ui/notifications/initialized": view.whenInitialized,
    "ui/notifications/size-changed": ({ height }) => {
      if (view.mode === "inline" && height > 0) view.frame.style.height = `${Math.min(height, INLINE_HEIGHT)}px`;
    },
  };
}

async function show(name) {
  const [, given] = PICKS[name];
  const view = { tool: tools.get(name), mode: "inline", modes: [], closing: new AbortController() };
  await close(shown);
  shown = view;
  const initialized = new Promise((resolve) => (view.whenInitialized = resolve));
  const call = new AbortController();
  const result = callTool(name, given, AbortSignal.any([call.signal, view.closing.signal]));
  view.frame = document.createElement("iframe");
  view.frame.title = `${PICKS[name][0]}, as the view shows it`;
  view.frame.sandbox = "allow-scripts";
  view.frame.src = "/view";
  main.replaceChildren(view.frame);
  view.bridge = connect(view.frame, requestsOf(view), notificationsOf(view));
  stop.onclick = () => call.abort();
  stop.hidden = false;
  await initialized;
  view.bridge.notify("ui/notifications/tool-input", { arguments: given });
  const answer = await result;
  if (shown !== view) return;
  stop.hidden = true;
  if (answer) view.bridge.notify("ui/notifications/tool-result", answer);
  else view.bridge.notify("ui/notifications/tool-cancelled", { reason: "It was stopped." });
}

/** The result of a tool, an error result if it can't be called, or null after `signal`. */
async function callTool(name, given, signal) {
  try {
    return await request("tools/call", { name, arguments: given }, signal);
  } catch (error) {
    return error.name === "AbortError" ? null : { content: [{ type: "text", text: error.message }], isError: true };
  }
}

async function close(view) {
  if (!view) return;
  view.closing.abort();
  const goodbye = view.bridge.ask("ui/resource-teardown", {});
  await Promise.race([goodbye, new Promise((resolve) => setTimeout(resolve, TEARDOWN_MS))]);
  view.bridge.close();
}

function tellContext(change) {
  shown?.bridge?.notify("ui/notifications/host-context-changed", change);
}

function showSentence(text) {
  const dialog = document.querySelector("#sentence");
  const status = dialog.querySelector("[role=status]");
  dialog.querySelector("blockquote").textContent = text;
  status.textContent = "";
  dialog.querySelector("#copy").onclick = async () => {
    await navigator.clipboard.writeText(text);
    status.textContent = "Copied";
  };
  dialog.showModal();
}

function pick() {
  const known = Object.keys(PICKS).filter((name) => tools.get(name)?._meta?.ui?.resourceUri);
  const name = known.find((one) => `#${one}` === location.hash) ?? known[0];
  const links = known.map((one) => {
    const link = document.createElement("a");
    link.href = `#${one}`;
    link.textContent = PICKS[one][0];
    if (one === name) link.setAttribute("aria-current", "page");
    return link;
  });
  document.querySelector("nav").replaceChildren(...links);
  if (name) show(name);
  else say(`None of the tools with a view is open: ${Object.keys(PICKS).join(", ")}.`);
}

function say(problem) {
  const element = document.querySelector("#problem");
  element.textContent = problem;
  element.hidden = false;
}

dark.addEventListener("change", () => tellContext({ theme: theme() }));
new ResizeObserver(() => shown && tellContext({ containerDimensions: dimensions(shown) })).observe(main);
window.addEventListener("hashchange", pick);
try {
  for (const tool of (await request("tools/list", {})).tools) tools.set(tool.name, tool);
  pick();
} catch (error) {
  say(error.message);
}
