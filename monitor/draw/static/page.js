// Copies SQL, and keeps the page up to date. Everything works without it.
"use strict";
(() => {
  const $ = (css, root = document) => root.querySelector(css);
  const all = (css, root = document) => [...root.querySelectorAll(css)];
  const POLL = 15000, FIELDS = "input:not([type=hidden]), textarea, select";
  let seen = new Date(), shown, source, timer, busy;

  const show = () => all("button.copy").forEach((button) => { button.hidden = false; });
  const copy = async (pre) => {
    try {
      await navigator.clipboard.writeText(pre.textContent.trim());
      return true;
    } catch { // not a secure context
      getSelection().selectAllChildren(pre);
      return document.execCommand("copy");
    }
  };
  document.addEventListener("click", async ({ target }) => {
    if (!target.matches("button.copy")) return;
    target.textContent = (await copy($("pre", target.parentNode))) ? "Copied" : "Press Ctrl+C";
    setTimeout(() => { target.textContent = "Copy"; }, 2000);
  });

  // What a reader opened, filled in and stands on goes over into the new page.
  const name = (it) => [it.closest("[id]").id, it.tagName, it.name, it.href, it.form && it.form.action,
    it.matches("summary, button, pre") && it.textContent].join();
  const first = (it) => (it.options ? ($("[selected]", it) || it.options[0]).value : it.defaultValue);
  const swap = (text) => {
    const fresh = new DOMParser().parseFromString(text, "text/html"), main = $("main"), next = $("main", fresh);
    if (!next || next.innerHTML === shown) return;
    shown = next.innerHTML;
    const { activeElement: active } = document, y = scrollY;
    const focus = main !== active && main.contains(active) && name(active), caret = active.selectionStart;
    const open = new Set(all("[open] > summary", main).map(name));
    const said = new Map(all(FIELDS, main).filter((it) => it.value !== first(it)).map((it) => [name(it), it.value]));
    main.replaceWith(next);
    $("footer").replaceWith($("footer", fresh));
    document.title = fresh.title;
    all("details > summary", next).forEach((it) => { if (open.has(name(it))) it.parentNode.open = true; });
    all(FIELDS, next).forEach((it) => { if (said.has(name(it))) it.value = said.get(name(it)); });
    show();
    const now = focus && all("a, button, summary, pre, " + FIELDS, next).find((it) => name(it) === focus);
    if (now) now.focus({ preventScroll: true });
    if (location.hash) location.replace(location.hash); // or :target would be lost
    if (now && caret != null) now.setSelectionRange(caret, caret);
    scrollTo(scrollX, y);
  };

  const lost = (text) => { $("#lost").textContent = text; $("#lost").hidden = !text; };
  const gone = () => lost(`Connection lost: last seen at ${seen.toLocaleTimeString()}. Trying again by itself.`);
  const reads = () => !getSelection().isCollapsed && $("main").contains(getSelection().anchorNode);
  const refresh = async () => {
    if (busy || document.hidden || reads()) return;
    busy = true;
    try {
      const answer = await fetch(location.href.split("#")[0]), text = await answer.text();
      if (!answer.ok && answer.status !== 404) throw answer;
      if (!reads()) swap(text);
      seen = new Date();
      lost("");
    } catch {
      gone();
    }
    busy = false;
  };
  const every = (ms) => { clearInterval(timer); timer = setInterval(refresh, ms); };
  const stop = () => { clearInterval(timer); source.close(); };
  const start = () => {
    every(4 * POLL);
    source = new EventSource("/events");
    source.onmessage = refresh;
    source.onerror = () => { // refused for good: ask now and then
      if (source.readyState === 2) every(POLL);
      refresh();
    };
  };
  show();
  if (!document.body.dataset.revision) return;
  shown = $("main").innerHTML;
  document.addEventListener("visibilitychange", () => { if (document.hidden) stop(); else { start(); refresh(); } });
  addEventListener("pagehide", stop);
  start();
})();
