// Draws every chart of the page from the specifications that it carries; again when the ground turns dark or light.
(() => {
  "use strict";
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const themes = read("themes");
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  let ground = dark.matches ? "dark" : "light";
  const drawn = new WeakMap();
  const views = new Map();
  let only = "";

  const show = (view) => view.signal("only", only).runAsync();
  const draw = async (place) => {
    if (place.clientWidth === 0 || drawn.get(place) === ground) return; // folded away: drawn when it is opened
    drawn.set(place, ground);
    const chart = read(place.dataset.chart);
    const spec = { ...chart.spec, datasets: chart.datasets, config: themes[ground] };
    const options = { mode: "vega-lite", renderer: "svg", actions: false, tooltip: { theme: ground } };
    const { view } = await vegaEmbed(place, spec, options);
    views.get(place)?.finalize();
    views.set(place, view);
    if (only && "only" in view.getState().signals) await show(view);
  };
  const drawAll = async () => {
    for (const place of document.querySelectorAll("[data-chart]")) await draw(place);
    document.documentElement.dataset.drawn = "yes";
  };
  const turn = (to) => { ground = to; return drawAll(); };
  const press = () => {
    for (const each of document.querySelectorAll("button[data-arm]")) each.setAttribute("aria-pressed", each.dataset.arm === only);
  };
  dark.addEventListener("change", (event) => turn(event.matches ? "dark" : "light"));
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-arm]");
    if (!button) return;
    only = only === button.dataset.arm ? "" : button.dataset.arm;
    press();
    for (const view of views.values()) if ("only" in view.getState().signals) show(view);
  });
  document.addEventListener("toggle", drawAll, true);
  window.addEventListener("beforeprint", () => turn("light"));
  window.addEventListener("afterprint", () => turn(dark.matches ? "dark" : "light"));
  // What a live page changes: other parts, other specifications (their ids), other rows of one chart, other arms.
  document.addEventListener("paribus:changed", (event) => {
    for (const [place, view] of views) {
      if (!place.isConnected) { view.finalize(); views.delete(place); }
      else if (event.detail.includes(place.dataset.chart)) drawn.delete(place);
    }
    press();
    drawAll();
  });
  document.addEventListener("paribus:rows", (event) => views.get(event.target)?.data(event.detail.name, event.detail.rows).runAsync());
  document.addEventListener("paribus:arms", press);
  drawAll();
})();
