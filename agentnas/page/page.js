"use strict";
(() => {
  const held = document.getElementById("data");
  if (!held) return;
  const trials = JSON.parse(held.textContent).trials;
  const tip = document.getElementById("tip");
  const dots = [...document.querySelectorAll("svg [data-trial]")];

  const mark = (trial) => dots.forEach((dot) => dot.classList.toggle("same", dot.dataset.trial === trial));

  const hide = () => { tip.hidden = true; mark(null); };

  const tell = (dot) => {
    const trial = trials[dot.dataset.trial];
        tip.textContent = [dot.getAttribute("aria-label"), trial.change, trial.text, trial.author].filter(Boolean).join("\n");
    tip.hidden = false;
    const box = dot.getBoundingClientRect();
    const left = Math.min(box.right + 12, window.innerWidth - tip.offsetWidth - 12);
    const below = box.bottom + 10 + tip.offsetHeight < window.innerHeight;
    tip.style.left = `${Math.max(8, left)}px`;
    tip.style.top = `${below ? box.bottom + 10 : Math.max(8, box.top - tip.offsetHeight - 10)}px`;
    mark(dot.dataset.trial);
  };

  // The script's own words take the place of the browser's, which come late and to pointers alone.
  dots.forEach((dot) => {
    dot.querySelector("title").remove();
    dot.addEventListener("mouseenter", () => tell(dot));
    dot.addEventListener("focus", () => tell(dot));
    dot.addEventListener("mouseleave", hide);
    dot.addEventListener("blur", hide);
    dot.addEventListener("keydown", (event) => step(event, dot));
  });

  const step = (event, dot) => {
    const way = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!way) return;
    event.preventDefault();
    const own = [...dot.closest("svg").querySelectorAll("[data-trial]")].sort((a, b) => place(a) - place(b));
    own[(own.indexOf(dot) + way + own.length) % own.length].focus();
  };

  const place = (dot) => dot.getBoundingClientRect().left;

  document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
  window.addEventListener("scroll", hide, { passive: true });

  // A row that a link leads to shows all that it holds, and has the focus.
  const arrive = () => {
    const row = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!row) return;
    row.querySelectorAll("details").forEach((part) => { part.open = true; });
    if (row.matches("tr")) row.focus({ preventScroll: true });
  };
  window.addEventListener("hashchange", arrive);
  arrive();

  const value = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.value === undefined ? cell.textContent.trim() : Number(cell.dataset.value);
  };

  const compare = (a, b) => (typeof a === "number" ? a - b : a.localeCompare(b, undefined, { numeric: true }));

  const sort = (table, heading, column) => {
    const down = heading.getAttribute("aria-sort") === "ascending";
    table.querySelectorAll("th[aria-sort]").forEach((other) => other.removeAttribute("aria-sort"));
    heading.setAttribute("aria-sort", down ? "descending" : "ascending");
    const rows = [...table.tBodies[0].rows].sort((a, b) => (down ? -1 : 1) * compare(value(a, column), value(b, column)));
    table.tBodies[0].append(...rows);
  };

  document.querySelectorAll("table.sortable").forEach((table) => {
    [...table.tHead.rows[0].cells].forEach((heading, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = heading.textContent;
      button.addEventListener("click", () => sort(table, heading, column));
      heading.replaceChildren(button);
    });
  });

  // What is folded in would not be printed.
  let folded = [];
  window.addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("details:not([open])")];
    folded.forEach((part) => { part.open = true; });
  });
  window.addEventListener("afterprint", () => folded.forEach((part) => { part.open = false; }));
})();
