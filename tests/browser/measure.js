// What is wrong with how a page is laid out, as lists of words: one for each thing that a reader cannot see or reach.
() => {
  const named = (element) => {
    const words = (element.textContent || element.getAttribute("aria-label") || "").trim().replace(/\s+/g, " ").slice(0, 50);
    const classes = typeof element.className === "string" ? element.className : element.getAttribute("class") || "";
    return `${element.tagName.toLowerCase()}${element.id ? "#" + element.id : ""}.${classes.split(" ").join(".")} "${words}"`;
  };
  const shown = (element) => element.checkVisibility({ opacityProperty: true, visibilityProperty: true });
  const style = (element) => getComputedStyle(element);
  const all = [...document.querySelectorAll("body *")].filter((element) => !element.closest("script, style, noscript"));
  const html = all.filter((element) => element instanceof HTMLElement && shown(element));
  const scrolls = (element) => ["auto", "scroll"].includes(style(element).overflowX);
  const cuts = (element) => ["hidden", "clip"].includes(style(element).overflowX);
  const width = document.documentElement.clientWidth;

  const wide = document.documentElement.scrollWidth > width + 1
    ? [`the page is ${document.documentElement.scrollWidth} px wide in ${width} px`] : [];
  const within = (element) => { // the nearest ancestor that scrolls or cuts
    for (let each = element.parentElement; each && each !== document.body; each = each.parentElement) {
      if (scrolls(each) || cuts(each)) return each;
    }
    return null;
  };
  const ownText = (element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
  const outside = [], cut = [];
  for (const element of html) {
    if (!ownText(element) && !["IMG", "BUTTON", "INPUT", "PROGRESS"].includes(element.tagName)) continue;
    const box = element.getBoundingClientRect();
    if (!box.width || !box.height) continue;
    const holder = within(element);
    if (holder && scrolls(holder)) continue; // the reader can scroll to it: see `silent`
    if (box.right > width + 1 || box.left < -1) outside.push(named(element));
    if (holder) {
      const frame = holder.getBoundingClientRect();
      if (box.right > frame.right + 1 || box.bottom > frame.bottom + 1) cut.push(`${named(element)} in ${named(holder)}`);
    }
    if (element.scrollWidth > element.clientWidth + 1 && cuts(element)) cut.push(named(element));
  }

  const silent = [], unreachable = [];
  for (const area of html.filter(scrolls)) {
    if (area.scrollWidth <= area.clientWidth + 1) continue;
    const fades = style(area).maskImage.includes("gradient") || style(area).webkitMaskImage?.includes("gradient");
    const atEnd = area.scrollLeft + area.clientWidth >= area.scrollWidth - 1;
    if (!fades && !atEnd) silent.push(named(area));
    const reachable = area.tabIndex === 0 || area.querySelector("a[href], button");
    if (!reachable || !area.getAttribute("aria-label")) unreachable.push(named(area));
  }

  const labels = [], collisions = [];
  for (const svg of [...document.querySelectorAll(".chart svg")].filter(shown)) {
    const frame = svg.getBoundingClientRect();
    const chart = svg.closest("[data-chart]")?.dataset.chart;
    const texts = [...svg.querySelectorAll("text")].filter((text) => text.textContent.trim() && shown(text)
      && style(text).opacity !== "0").map((text) => [text, text.getBoundingClientRect()]);
    for (const [text, box] of texts) {
      if (box.left < frame.left - 1.5 || box.right > frame.right + 1.5 || box.top < frame.top - 1.5 || box.bottom > frame.bottom + 1.5) {
        labels.push(`${chart}: "${text.textContent}"`);
      }
      if (text.textContent.includes("…")) labels.push(`${chart}: "${text.textContent}" is shortened`);
    }
    const upright = texts.filter(([text]) => !/rotate/.test(text.getAttribute("transform") ?? ""));
    for (let i = 0; i < upright.length; i += 1) {
      for (let j = i + 1; j < upright.length; j += 1) {
        const [a, b] = [upright[i][1], upright[j][1]];
        const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
        const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
        if (across > 2 && down > 5) collisions.push(`${chart}: "${upright[i][0].textContent}" and "${upright[j][0].textContent}"`);
      }
    }
  }
  // Names of rows, and the marks of the rows: a name may stand above its row, but not on it.
  const covered = [];
  for (const svg of [...document.querySelectorAll(".chart svg")].filter(shown)) {
    const boxes = (selector) => [...svg.querySelectorAll(selector)].filter(shown).map((one) => [one, one.getBoundingClientRect()]);
    const names = boxes(".role-axis-label text").filter(([name]) => name.textContent.trim());
    for (const [, mark] of boxes(".mark-symbol.role-mark path")) {
      for (const [name, box] of names) {
        const across = Math.min(box.right, mark.right) - Math.max(box.left, mark.left);
        const down = Math.min(box.bottom, mark.bottom) - Math.max(box.top, mark.top);
        if (across > 2 && down > 4) covered.push(`${svg.closest("[data-chart]")?.dataset.chart}: "${name.textContent}"`);
      }
    }
  }
  const empty = [...document.querySelectorAll("[data-chart]")].filter((place) => shown(place) && !place.querySelector("svg"))
    .map((place) => place.dataset.chart);
  const narrow = [...document.querySelectorAll(".chart svg")].filter(shown).filter((svg) => {
    const plot = svg.querySelector(".mark-group.role-frame .background, .mark-group.role-scope .background");
    return plot && plot.getBoundingClientRect().width < 90;
  }).map((svg) => svg.closest("[data-chart]")?.dataset.chart);
  return { wide, outside, cut, silent, unreachable, labels, collisions, covered, empty, narrow };
}
