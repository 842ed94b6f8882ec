// Takes the place of page.js in the board's own page: there, a test says what the host and the server do.

import { hostView } from "./host.js";
import { RpcError, request } from "./mcp.js";

/** The answer of a tool of the real server. */
window.call = (name, given) => request("tools/call", { name, arguments: given });

/**
 * Show the view, and resolve once it is initialized and has all that the host sends on its own.
 *
 * `outcome` is what the tool came to, as a method and its params, or null while it has not; it is sent `early` if that
 * is before the view's first request is answered. `answers` are those to the view's own calls, by tool: `{ result }`,
 * `{ error }`, or null for none; the real server answers other calls.
 */
window.open_view = async ({ context, capabilities, given, outcome, early, answers }) => {
  const frame = document.querySelector("iframe");
  const tell = () => {
    host.notify("ui/notifications/tool-input", { arguments: given });
    if (outcome) host.notify(...outcome);
  };
  const answer = ({ name, arguments: args = {} }) => {
    if (!Object.hasOwn(answers, name)) return window.call(name, args);
    if (!answers[name]) return new Promise(() => {});
    if (answers[name].error) throw new RpcError(answers[name].error.code, answers[name].error.message);
    return answers[name].result;
  };
  if (early) addEventListener("message", ({ data }) => data.method === "ui/initialize" && tell());
  const requests = { "tools/call": answer, "ui/message": () => ({}), "ui/open-link": () => ({}) };
  const host = hostView(frame, { context, capabilities, requests });
  window.host = host;
  await host.initialized;
  if (!early) tell();
};
window.ready = true;
