// A live page asks whether the run has gone on, and changes where it stands: what the reader has opened, sorted, reached stays.
(() => {
  const EVERY = 1000, HIDDEN = 5000;
  const KEPT = new Set(["open", "aria-sort"]);
  const line = () => document.getElementById("live");
  const say = (text) => { if (line().textContent !== text) line().textContent = text; };
  let shown = line().dataset.version;
  let said = line().textContent;

  const isSame = (a, b) => a.nodeType === b.nodeType && a.nodeName === b.nodeName && (a.id || "") === (b.id || "");

  const match = (parent, place, wanted) => {
    const named = wanted.id && document.getElementById(wanted.id);
    if (named) return named.parentNode === parent && named.nodeName === wanted.nodeName ? named : null;
    return place && isSame(place, wanted) ? place : null;
  };

  const dress = (now, next) => {
    for (const { name, value } of next.attributes) {
      if (!KEPT.has(name) && now.getAttribute(name) !== value) now.setAttribute(name, value);
    }
    for (const { name } of [...now.attributes]) {
      if (!KEPT.has(name) && !next.hasAttribute(name)) now.removeAttribute(name);
    }
  };

  // Turns one tree into the other and keeps every element that both have.
  const morph = (now, next) => {
    if (now.nodeType !== Node.ELEMENT_NODE) {
      if (now.data !== next.data) now.data = next.data;
      return;
    }
    if (now.isEqualNode(next)) return;
    dress(now, next);
    let place = now.firstChild;
    for (const wanted of [...next.childNodes]) {
      const found = match(now, place, wanted);
      if (found && found === place) place = place.nextSibling;
      else now.insertBefore(found || document.importNode(wanted, true), place);
      if (found) morph(found, wanted);
    }
    while (place) { const gone = place; place = place.nextSibling; gone.remove(); }
  };

  const topmost = () => [...document.querySelectorAll("main [id]")].find((part) => part.getBoundingClientRect().bottom > 0);

  const sorted = () => [...document.querySelectorAll("table.sortable th[aria-sort]")].map((heading) => (
    { id: heading.closest("table").id, column: heading.cellIndex, down: heading.getAttribute("aria-sort") === "descending" }));

  const focusAgain = (focused, trial, plot) => {
    const dot = trial && plot.isConnected && plot.querySelector(`[data-trial="${CSS.escape(trial)}"]`);
    const wanted = trial && focused.dataset.trial !== trial ? dot : focused;
    if (wanted && wanted !== document.body && wanted.isConnected && wanted !== document.activeElement) wanted.focus({ preventScroll: true });
  };

  const change = (next) => {
    const held = topmost(), before = held && held.getBoundingClientRect().top, wasSorted = sorted();
    const focused = document.activeElement, trial = focused.dataset.trial, plot = focused.closest("svg");
    report.prepare(next);
    document.title = next.title;
    for (const part of ["header", "main"]) morph(document.querySelector(part), next.querySelector(part));
    const data = next.getElementById("data");
    if (data && document.getElementById("data")) document.getElementById("data").textContent = data.textContent;
    else if (data) document.body.append(document.importNode(data, true));
    wasSorted.forEach(({ id, column, down }) => report.sort(document.getElementById(id), column, down));
    report.reload();
    report.fit();
    focusAgain(focused, trial, plot);
    if (window.scrollY > 0 && held && held.isConnected) {
      window.scrollBy({ top: held.getBoundingClientRect().top - before, behavior: "instant" });
    }
  };

  const renew = async () => {
    const answer = await fetch("/", { cache: "no-store" });
    const text = await answer.text();
    if (!answer.headers.get("Content-Type").startsWith("text/html")) { say(text); return; }
    change(new DOMParser().parseFromString(text, "text/html"));
    shown = line().dataset.version;
    said = line().textContent;
  };

  const look = async () => {
    try {
      const { version } = await (await fetch("/version", { cache: "no-store" })).json();
      if (version !== shown) await renew(); else say(said);
    } catch (error) {
      say("Whoever served this page has ended; it shows how the run stood then.");
    }
    setTimeout(look, document.hidden ? HIDDEN : EVERY);
  };

  // The page itself keeps what the reader looks at where it is.
  document.documentElement.style.overflowAnchor = "none";
  setTimeout(look, EVERY);
})();
