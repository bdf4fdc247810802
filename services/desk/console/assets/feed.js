// Follows the live feed. Each entry of the log becomes a copy of the page's own
// <template>, filled with text and never with markup. Without this script the
// page shows the same entries and is loaded again for newer ones.
(() => {
  "use strict";
  const list = document.getElementById("entries");
  const mould = document.getElementById("entry");
  const panel = document.getElementById("live");
  if (!list || !mould || !panel || !window.EventSource) return;
  const button = panel.querySelector("button");
  const state = panel.querySelector("[data-state]");
  const keep = 200; // entries on the page; older ones are a page further on
  const address = new URL(panel.dataset.live, location.href);
  let source = null;
  let paused = false;
  let fresh = 0;

  const say = (name) => {
    state.textContent = panel.dataset[name].replace("%d", String(fresh));
  };

  const put = (row, field, text) => {
    const at = row.querySelector(`[data-f="${field}"]`);
    at.textContent = text;
    at.hidden = text === "";
  };

  const link = (path, text) => {
    const a = document.createElement("a");
    if (path.startsWith("/") && !path.startsWith("//")) a.setAttribute("href", path);
    a.textContent = text;
    return a;
  };

  const chip = (section) => {
    const span = document.createElement("span");
    span.className = "chip section";
    span.dataset.state = section.state;
    span.textContent = section.text;
    return span;
  };

  const rowOf = (entry) => {
    const row = mould.content.firstElementChild.cloneNode(true);
    row.id = `entry-${entry.index}`;
    row.dataset.verdict = entry.verdict;
    const num = row.querySelector('[data-f="num"]');
    num.textContent = `#${entry.index}`;
    num.setAttribute("href", `/events/${Number(entry.index)}`);
    const accepted = entry.verdict === "accepted";
    put(row, "summary", entry.summary || entry.kind_text);
    put(row, "verdict", accepted ? "" : entry.verdict_text);
    put(row, "reason", accepted ? "" : entry.reason);
    put(row, "kind", entry.summary && entry.kind_text);
    put(row, "time", entry.time_text);
    put(row, "source", entry.source);
    put(row, "doubted", entry.doubted_text);
    put(row, "broke", entry.breaches.join(" "));
    put(row, "tlp", entry.tlp && `TLP:${entry.tlp}`);
    row.querySelector('[data-f="tlp"]').dataset.tlp = entry.tlp;
    put(row, "grade", entry.grade);
    const sections = row.querySelector('[data-f="sections"]');
    sections.replaceChildren(...entry.sections.flatMap((section) => [chip(section), " "]));
    sections.hidden = entry.sections.length === 0;
    const refs = row.querySelector('[data-f="refs"]');
    refs.replaceChildren(...entry.refs.map((ref) => link(ref.path, ref.id)));
    refs.hidden = entry.refs.length === 0;
    row.classList.add("fresh");
    return row;
  };

  // trim keeps the page bounded; what goes is where the next page then begins.
  const trim = () => {
    if (list.children.length <= keep) return;
    while (list.children.length > keep) list.lastElementChild.remove();
    const older = document.getElementById("older");
    const next = new URL(older.href);
    next.searchParams.set("before", list.lastElementChild.id.replace("entry-", ""));
    older.setAttribute("href", next.pathname + next.search);
    older.hidden = false;
  };

  const take = (message) => {
    const entry = JSON.parse(message.data);
    address.searchParams.set("after", message.lastEventId);
    const empty = document.getElementById("no-entries");
    if (empty) empty.remove();
    list.prepend(rowOf(entry));
    trim();
    fresh++;
    say("running");
  };

  const stop = () => {
    if (source) source.close();
    source = null;
  };

  const start = () => {
    if (source || paused || document.hidden) return;
    source = new EventSource(address);
    source.addEventListener("entry", take);
    source.addEventListener("open", () => say("running"));
    source.addEventListener("error", () => say(source && source.readyState === EventSource.CLOSED ? "ended" : "lost"));
  };

  button.addEventListener("click", () => {
    paused = !paused;
    button.setAttribute("aria-pressed", String(paused));
    button.textContent = paused ? panel.dataset.resume : panel.dataset.pause;
    if (paused) {
      stop();
      say("paused");
    } else {
      start();
    }
  });
  // A browser has few connections to one host: a page that nobody looks at gives its own back.
  document.addEventListener("visibilitychange", () => (document.hidden ? stop() : start()));
  addEventListener("pagehide", stop);
  addEventListener("pageshow", start);
  panel.hidden = false;
  start();
})();
