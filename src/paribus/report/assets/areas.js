// Marks every area that scrolls sideways: on which side there is more (a fade shows it), and, where there is, a name and
// a stop for the keyboard.
(() => {
  "use strict";
  const AREAS = ".scroll, nav.contents";
  const name = (area) => {
    const near = area.closest("details")?.querySelector("summary") ?? area.closest(".card")?.querySelector("h2, h3")
      ?? area.closest("section")?.querySelector("h2");
    return (near?.textContent ?? "").trim().slice(0, 120) || "Table";
  };
  const set = (area, attribute, value) => {
    if (value === null) area.removeAttribute(attribute);
    else if (area.getAttribute(attribute) !== value) area.setAttribute(attribute, value);
  };
  const mark = (area) => {
    const hidden = area.scrollWidth - area.clientWidth;
    const left = hidden > 1 && area.scrollLeft > 1, right = hidden > 1 && area.scrollLeft < hidden - 1;
    set(area, "data-more", hidden <= 1 ? null : [left && "left", right && "right"].filter(Boolean).join(" "));
    if (area.matches("nav")) return; // its links are stops, and it has a name
    set(area, "tabindex", hidden > 1 ? "0" : null);
    set(area, "role", hidden > 1 ? "group" : null);
    set(area, "aria-label", hidden > 1 ? name(area) : null);
  };
  const sizes = new ResizeObserver((entries) => {
    for (const entry of entries) mark(entry.target.closest(AREAS));
  });
  const seen = new WeakSet();
  const watch = () => {
    for (const area of document.querySelectorAll(AREAS)) {
      if (seen.has(area)) continue;
      seen.add(area);
      sizes.observe(area);
      if (area.firstElementChild) sizes.observe(area.firstElementChild);
    }
  };
  document.addEventListener("scroll", (event) => {
    if (event.target instanceof Element && event.target.matches(AREAS)) mark(event.target);
  }, { capture: true, passive: true });
  document.addEventListener("paribus:changed", watch);
  watch();
})();
