"use strict";
// What the page does beyond its links: tooltips and arrow keys in plots, tables that sort, rows that open when a link leads to them.
// Listeners stand on the document, so that parts which a live page replaces need none of their own.
const report = (() => {
  const tip = document.getElementById("tip");
  const dotOf = (event) => event.target.closest && event.target.closest("svg [data-trial]");

  const trials = () => {
    const held = document.getElementById("data");
    return (held && JSON.parse(held.textContent).trials) || {};
  };
  let known = trials();

  const mark = (trial) => {
    document.querySelectorAll("svg [data-trial]").forEach((dot) => dot.classList.toggle("same", dot.dataset.trial === trial));
  };

  const hide = () => { if (!tip.hidden) { tip.hidden = true; mark(null); } };

  const tell = (dot) => {
    const trial = known[dot.dataset.trial] || {};
    tip.textContent = [dot.getAttribute("aria-label"), trial.change, trial.text, trial.author].filter(Boolean).join("\n");
    tip.hidden = false;
    const box = dot.getBoundingClientRect();
    const left = Math.min(box.right + 12, window.innerWidth - tip.offsetWidth - 12);
    const below = box.bottom + 10 + tip.offsetHeight < window.innerHeight;
    tip.style.left = `${Math.max(8, left)}px`;
    tip.style.top = `${below ? box.bottom + 10 : Math.max(8, box.top - tip.offsetHeight - 10)}px`;
    mark(dot.dataset.trial);
  };

  for (const kind of ["mouseover", "focusin"]) {
    document.addEventListener(kind, (event) => { const dot = dotOf(event); if (dot) tell(dot); });
  }
  for (const kind of ["mouseout", "focusout"]) {
    document.addEventListener(kind, (event) => { if (dotOf(event)) hide(); });
  }
  // A dot that the keyboard has reached may have been scrolled to: its words go with it.
  const follow = () => {
    const dot = document.activeElement.closest("svg [data-trial]");
    if (dot && !tip.hidden) tell(dot); else hide();
  };
  window.addEventListener("scroll", follow, { passive: true });

  const place = (dot) => dot.getBoundingClientRect().left;

  const step = (dot, way) => {
    const own = [...dot.closest("svg").querySelectorAll("[data-trial]")].sort((a, b) => place(a) - place(b));
    own[(own.indexOf(dot) + way + own.length) % own.length].focus();
  };

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") hide();
    const dot = dotOf(event);
    const way = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (dot && way) { event.preventDefault(); step(dot, way); }
  });

  // What a link leads to is unfolded, and has the focus if it is a row.
  const arrive = () => {
    const found = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!found) return;
    found.querySelectorAll("details").forEach((part) => { if (found.matches("tr")) part.open = true; });
    for (let part = found.closest("details"); part; part = part.parentElement.closest("details")) part.open = true;
    if (found.matches("tr")) found.focus({ preventScroll: true });
  };
  window.addEventListener("hashchange", arrive);

  const value = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.value === undefined ? cell.textContent.trim() : Number(cell.dataset.value);
  };

  const compare = (a, b) => (typeof a === "number" ? a - b : a.localeCompare(b, undefined, { numeric: true }));

  const sort = (table, column, down) => {
    const headings = [...table.tHead.rows[0].cells];
    headings.forEach((heading) => heading.removeAttribute("aria-sort"));
    headings[column].setAttribute("aria-sort", down ? "descending" : "ascending");
    const rows = [...table.tBodies[0].rows].sort((a, b) => (down ? -1 : 1) * compare(value(a, column), value(b, column)));
    table.tBodies[0].append(...rows);
  };

  document.addEventListener("click", (event) => {
    const heading = event.target.closest("table.sortable th[scope=col]");
    if (!heading) return;
    sort(heading.closest("table"), heading.cellIndex, heading.getAttribute("aria-sort") === "ascending");
  });

  // The script's own words take the place of the browser's, which come late and to pointers alone; headings that sort become buttons.
  const prepare = (root) => {
    root.querySelectorAll("svg [data-trial] > title").forEach((title) => title.remove());
    root.querySelectorAll("table.sortable thead th").forEach((heading) => {
      const button = heading.ownerDocument.createElement("button");
      button.type = "button";
      button.textContent = heading.textContent;
      heading.replaceChildren(button);
    });
  };

  // A region that cannot be scrolled is no stop of the Tab key.
  const fit = () => {
    document.querySelectorAll(".wide, .held").forEach((region) => {
      region.tabIndex = region.scrollWidth > region.clientWidth || region.scrollHeight > region.clientHeight ? 0 : -1;
    });
  };
  window.addEventListener("resize", fit);
  document.addEventListener("toggle", fit, true);

  // What is folded in would not be printed.
  let folded = [];
  window.addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("details:not([open])")];
    folded.forEach((part) => { part.open = true; });
  });
  window.addEventListener("afterprint", () => folded.forEach((part) => { part.open = false; }));

  prepare(document);
  fit();
  arrive();
  return { prepare, sort, fit, reload: () => { known = trials(); hide(); } };
})();
