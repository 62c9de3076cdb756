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

  // On a phone: long names of rows stand above their rows, long titles have several lines, and the names of curves stand
  // at the ends of their curves, not beside them.
  const NARROW = 480;
  const CHARACTER = 7;
  const ROW = 48; // a row with its name above it
  const lines = (title, width) => title.split(" ").reduce((found, word) => {
    const longer = [...found.slice(0, -1), `${found.at(-1)} ${word}`.trim()];
    return CHARACTER * longer.at(-1).length < width ? longer : [...found, word];
  }, [""]);
  const narrowed = (spec, width, inside, rows) => {
    if (Array.isArray(spec)) return spec.map((part) => narrowed(part, width, inside, rows));
    if (!spec || typeof spec !== "object") return spec;
    const copy = Object.fromEntries(Object.entries(spec).map(([key, value]) => [key, narrowed(value, width, inside, rows)]));
    const { x, y } = copy.encoding ?? {};
    const names = Array.isArray(y?.sort) ? y.sort : y?.scale?.domain;
    if (x?.type === "quantitative" && ["nominal", "ordinal"].includes(y?.type) && Array.isArray(names) && y.axis !== null
      && CHARACTER * Math.max(...names.map((name) => String(name).length)) > width / 4) {
      y.axis = { ...y.axis, labelAlign: "left", labelPadding: 0, labelOffset: 5 - ROW / 2, labelLimit: width, ticks: false, domain: false };
      delete y.axis.labelExpr; // one line above the row, not two beside it
      rows.count = names.length;
    }
    if (typeof x?.title === "string" && CHARACTER * x.title.length > width - 60) x.title = lines(x.title, width - 60);
    if (copy.mark?.type === "text" && copy.mark.fontWeight) { // the names of curves and dots
      copy.mark = { ...copy.mark, ...(inside ? { align: "right", dx: -4, dy: -9 } : { fontSize: 10.5 }) };
    }
    return copy;
  };
  const fitting = (spec, width, named) => {
    if (width >= NARROW) return spec;
    const inside = spec.padding?.right > 60;
    const rows = { count: 0 };
    const found = narrowed(spec, width, inside, rows);
    if (rows.count) for (const part of [found, ...found.layer ?? []]) if (part.height) part.height = ROW * rows.count;
    if (inside) found.padding = { ...spec.padding, right: 8 };
    if (inside && named) found.layer = found.layer.filter(({ mark }) => mark?.type !== "text"); // a legend names them
    return found;
  };

  const show = (view) => view.signal("only", only).runAsync();
  const sanitize = (value) => // an arm without a value at an epoch has none in the tooltip
    (/^NaN%?$/.test(value) ? "–" : String(value).replaceAll("&", "&amp;").replaceAll("<", "&lt;"));
  const describe = (place, label) => { // one image with its description: Vega would name each mark, and forget that
    place.setAttribute("role", "img");
    place.setAttribute("aria-label", label);
    place.removeAttribute("aria-roledescription");
    place.querySelector("svg")?.setAttribute("aria-hidden", "true");
  };
  const draw = async (place) => {
    if (place.clientWidth === 0 || drawn.get(place) === ground) return; // folded away: drawn when it is opened
    drawn.set(place, ground);
    const chart = read(place.dataset.chart);
    const spec = { ...fitting(chart.spec, place.clientWidth, place.dataset.keys !== "[]"), datasets: chart.datasets, config: themes[ground] };
    const label = place.getAttribute("aria-label");
    const options = { mode: "vega-lite", renderer: "svg", actions: false, tooltip: { theme: ground, sanitize } };
    const { view } = await vegaEmbed(place, spec, options);
    views.get(place)?.finalize();
    views.set(place, view);
    describe(place, label);
    if (only && "only" in view.getState().signals) await show(view);
  };
  const drawAll = async () => {
    for (const place of document.querySelectorAll("[data-chart]")) await draw(place);
    document.documentElement.dataset.drawn = "yes";
  };
  const safe = (words) => words.replace(/[&<>"]/g, (letter) => `&#${letter.charCodeAt(0)};`);
  // A chart with its title and its legend as one SVG picture, and its size.
  const picture = async (place) => {
    const card = place.closest(".card");
    const drawing = await views.get(place).toSVG();
    const [width, height] = drawing.match(/ width="([\d.]+)" height="([\d.]+)"/).slice(1).map(Number);
    const { color, backgroundColor, fontFamily } = getComputedStyle(card);
    const parts = [];
    const text = (x, y, size, words, weight) =>
      parts.push(`<text x="${x}" y="${y}" font-size="${size}" font-weight="${weight}" fill="${color}">${safe(words)}</text>`);
    let top = 6;
    const title = card.querySelector("h3, .statement")?.textContent.trim() ?? "";
    for (const line of title.match(new RegExp(`.{1,${Math.floor(width / 9)}}(\\s|$)`, "g")) ?? []) text(12, (top += 20), 16, line, 600);
    let left = Infinity;
    const named = (key) => (key.querySelector(".swatch") ? key : key.lastChild).textContent.trim();
    const keys = JSON.parse(place.dataset.keys); // of a legend that several charts share, its own
    const legend = card.querySelector(".legend") ?? place.closest(".charts")?.querySelector(".legend");
    for (const key of [...legend?.checkVisibility() ? legend.children : []].filter((one) => keys.includes(named(one)))) {
      const swatch = key.querySelector(".swatch"), words = named(key);
      if (left + words.length * 7 + 30 > width) [left, top] = [12, top + 22];
      if (swatch) {
        const stroke = getComputedStyle(swatch).getPropertyValue("--arm");
        parts.push(`<line x1="${left}" x2="${left + 18}" y1="${top - 4}" y2="${top - 4}" stroke="${stroke}" stroke-width="2.5"/>`);
      } else text(left + 4, top, 12, key.firstElementChild.textContent, 400);
      text(left + 24, top, 12, words, 400);
      left += words.length * 7 + 48;
    }
    top += 10;
    const size = `width="${width}" height="${height + top}"`;
    const svg = `<svg xmlns="http://www.w3.org/2000/svg" ${size} font-family='${fontFamily.replaceAll("'", '"').replaceAll('"', "&quot;")}'><rect ${size} fill="${backgroundColor}"/>${parts.join("")}${drawing.replace("<svg ", `<svg y="${top}" `)}</svg>`;
    return { svg: `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`, width, height: height + top };
  };
  const png = async ({ svg, width, height }) => {
    const image = new Image();
    image.src = svg;
    await image.decode();
    const canvas = Object.assign(document.createElement("canvas"), { width: 2 * width, height: 2 * height });
    canvas.getContext("2d").drawImage(image, 0, 0, 2 * width, 2 * height);
    return canvas.toDataURL("image/png");
  };
  const save = async (kind, place) => {
    const drawn = await picture(place);
    const href = kind === "png" ? await png(drawn) : drawn.svg;
    Object.assign(document.createElement("a"), { href, download: `${place.dataset.chart.replace("chart-", "")}.${kind}` }).click();
  };
  const turn = (to) => { ground = to; return drawAll(); };
  const press = () => {
    for (const each of document.querySelectorAll("button[data-arm]")) each.setAttribute("aria-pressed", each.dataset.arm === only);
  };
  dark.addEventListener("change", (event) => turn(event.matches ? "dark" : "light"));
  const offer = () => {
    for (const part of document.querySelectorAll("[data-saves]")) part.hidden = false;
  };
  offer();
  document.addEventListener("click", (event) => {
    const wanted = event.target.closest("button[data-save]");
    if (wanted) return void save(wanted.dataset.save, wanted.closest(".card").querySelector("[data-chart]"));
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
    offer();
    drawAll();
  });
  document.addEventListener("paribus:rows", (event) => views.get(event.target)?.data(event.detail.name, event.detail.rows).runAsync());
  document.addEventListener("paribus:arms", press);
  drawAll();
})();
