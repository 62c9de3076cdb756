// Updates the page in place from the viewer's events: progress, curves and findings while a study trains, and every
// part of the report that has changed. Folds, the arm that is shown alone, focus and the place on the page stay.
(() => {
  "use strict";
  const panel = document.getElementById("live");
  const QUIET_MS = 20_000; // without any event for this long, the connection is taken for lost
  const RETRY_MS = 2_000;
  const by = (name) => panel.querySelector(`[data-live="${name}"]`);
  const make = (tag, className, text) => {
    const element = document.createElement(tag);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    return element;
  };
  const say = (name, text) => { if (by(name).textContent !== text) by(name).textContent = text; };

  // --- the report itself: parts that have changed are replaced ---
  const UNITS = ".page > :not(main):not(#live), .page > main > *";
  const keyed = (root) => { // parts by id, or by their tag and how many of that tag came before
    const counts = {};
    const keyOf = (unit) => unit.id || `${unit.tagName} ${counts[unit.tagName] = (counts[unit.tagName] ?? 0) + 1}`;
    return new Map([...root.querySelectorAll(UNITS)].map((unit) => [keyOf(unit), unit]));
  };
  const sources = new Map(); // each part as it was served, before charts are drawn into it
  for (const [key, unit] of keyed(document)) sources.set(key, unit.outerHTML);
  let shown = panel.dataset.version;
  let busy = false;

  const folds = (unit) => [...unit.querySelectorAll("details:not(.files)")].map( // by title, whatever it counts
    (fold) => [fold.firstElementChild?.textContent.replace(/\d+/g, "#"), fold]);
  const focusable = (unit) => [...unit.querySelectorAll("a, button, summary, input, [tabindex]")];
  const replaceUnit = (old, fresh) => {
    const open = new Set(folds(old).filter(([, fold]) => fold.open).map(([title]) => title));
    for (const [title, fold] of folds(fresh)) if (open.has(title)) fold.open = true;
    const focus = focusable(old).indexOf(document.activeElement);
    old.replaceWith(fresh);
    if (focus >= 0) focusable(fresh)[focus]?.focus({ preventScroll: true });
  };
  const swap = (fresh) => {
    const known = keyed(document);
    const [place, anchor] = [...known].find(([, unit]) => unit.getBoundingClientRect().bottom > 0) ?? [];
    const before = anchor?.getBoundingClientRect().top;
    let last = null;
    for (const [key, unit] of keyed(fresh)) {
      const source = unit.outerHTML, old = known.get(key);
      known.delete(key);
      if (old && sources.get(key) === source) { last = old; continue; }
      sources.set(key, source);
      const added = document.adoptNode(unit);
      if (old) replaceUnit(old, added);
      else if (last?.parentElement?.tagName === "MAIN") last.after(added);
      else document.querySelector("main").prepend(added);
      last = added;
    }
    for (const [key, gone] of known) { gone.remove(); sources.delete(key); }
    const changed = swapCharts(fresh);
    const now = keyed(document).get(place);
    if (now) window.scrollBy({ top: now.getBoundingClientRect().top - before, behavior: "instant" });
    document.dispatchEvent(new CustomEvent("paribus:changed", { detail: changed }));
  };
  const swapCharts = (fresh) => {
    const changed = [];
    const those = 'script[type="application/json"][id^="chart-"]';
    for (const script of fresh.querySelectorAll(those)) {
      if (setChart(script.id, script.textContent)) changed.push(script.id);
    }
    for (const script of document.querySelectorAll(those)) {
      if (!script.id.startsWith("chart-live-") && !fresh.getElementById(script.id)) script.remove();
    }
    return changed;
  };
  const setChart = (id, text) => {
    let script = document.getElementById(id);
    if (!script) {
      script = make("script");
      script.type = "application/json";
      script.id = id;
      document.body.append(script);
    }
    if (script.textContent === text) return false;
    script.textContent = text;
    return true;
  };
  const renew = async (version) => {
    if (busy || !version || version === shown) return;
    if (panel.dataset.waiting) { location.reload(); return; }
    busy = true;
    try {
      const response = await fetch(location.pathname, { cache: "no-store" });
      if (response.status === 200) {
        const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
        const served = fresh.getElementById("live")?.dataset.version;
        if (served && served !== shown) { swap(fresh); shown = served; }
      }
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // the viewer is gone: the events say so
    } finally {
      busy = false;
    }
  };

  // --- the part that is about training ---
  const progress = (news) => {
    panel.hidden = news.complete && !panel.dataset.waiting;
    say("line", news.line);
    by("share").value = news.share;
    by("share").textContent = `${Math.round(100 * news.share)} %`;
    const rows = news.arms.map((arm) => {
      const row = make("tr", arm.training ? "" : "still");
      const name = make("th");
      name.scope = "row";
      const button = make("button", "", "");
      button.type = "button";
      button.dataset.arm = `a${arm.place}`;
      button.append(make("span", `swatch a${arm.place}`), arm.arm);
      name.append(button);
      row.append(name, ...[arm.runs, arm.epoch, arm.metrics, arm.left].map((text) => make("td", "", text)));
      return row;
    });
    const table = by("arms");
    const focus = focusable(table).indexOf(document.activeElement);
    table.tBodies[0].replaceChildren(...rows);
    table.parentElement.hidden = !rows.length;
    if (focus >= 0) focusable(table)[focus]?.focus({ preventScroll: true });
    say("more", news.more);
    document.dispatchEvent(new CustomEvent("paribus:arms"));
  };
  const curves = (charts) => {
    const place = by("curves");
    const ids = charts.map((chart) => `chart-live-${chart.name}`);
    for (const old of [...place.children]) if (!ids.includes(old.dataset.of)) old.remove();
    charts.forEach((chart, index) => {
      const id = ids[index];
      const before = document.getElementById(id)?.textContent;
      const spec = JSON.stringify(chart.spec);
      let figure = [...place.children].find((child) => child.dataset.of === id);
      const isNew = !figure || figure.dataset.spec !== spec;
      if (!figure) {
        figure = make("div");
        figure.dataset.of = id;
        const drawing = make("div", "chart");
        drawing.setAttribute("role", "img");
        drawing.setAttribute("aria-label", `${chart.title} over epochs of the runs in training.`);
        drawing.dataset.chart = id;
        drawing.style.minHeight = `${chart.spec.height + 48}px`;
        figure.append(drawing);
        place.append(figure);
      }
      figure.dataset.spec = spec;
      const text = JSON.stringify({ spec: chart.spec, datasets: { [chart.data]: chart.rows } });
      if (text === before) return;
      setChart(id, text); // for when the chart is drawn anew
      if (isNew) document.dispatchEvent(new CustomEvent("paribus:changed", { detail: [id] }));
      else figure.firstElementChild.dispatchEvent(
        new CustomEvent("paribus:rows", { bubbles: true, detail: { name: chart.data, rows: chart.rows } }));
    });
  };
  const findings = (news) => {
    by("claims").replaceChildren(...news.claims.map((claim) => {
      const line = make("li");
      const label = make("span", `outcome ${claim.label.split(" ")[0]}`, claim.label);
      line.append(label, make("p", "", claim.statement));
      return line;
    }));
    by("findings").replaceChildren(...news.findings.map((note) => {
      const line = make("li");
      const words = make("p", "", "");
      if (note.arm !== null) words.append(make("span", `dot a${note.arm}`));
      words.append(note.sentence);
      line.append(make("span", "label", note.label), words);
      return line;
    }));
    for (const name of ["claims", "findings"]) by(name).parentElement.hidden = !by(name).children.length;
  };
  const studies = (list) => {
    for (const study of list) {
      const entry = document.querySelector(`[data-study="${study.id}"]`);
      if (!entry) continue;
      entry.querySelector("[data-line]").textContent = study.line;
      entry.querySelector("progress").value = study.share;
      entry.querySelector("progress").hidden = !study.training;
    }
  };

  // --- the connection ---
  const HANDLERS = {
    progress, curves, findings, studies,
    page: (news) => renew(news.version),
    problem: (news) => say("problem", news.line),
    alive: () => {},
  };
  let source = null;
  let heard = Date.now();
  const lost = () => {
    say("connection", "disconnected, retrying");
    panel.dataset.connected = "no";
  };
  const connect = () => {
    source?.close();
    source = new EventSource(panel.dataset.events);
    heard = Date.now();
    source.onerror = () => {
      lost();
      if (source.readyState === EventSource.CLOSED) setTimeout(connect, RETRY_MS); // else the browser tries again
    };
    for (const [name, handle] of Object.entries(HANDLERS)) {
      source.addEventListener(name, (event) => {
        heard = Date.now();
        say("connection", "");
        panel.dataset.connected = "yes";
        handle(JSON.parse(event.data));
      });
    }
  };
  setInterval(() => {
    if (Date.now() - heard > QUIET_MS) { lost(); connect(); }
  }, RETRY_MS);
  window.addEventListener("pagehide", () => source?.close());
  window.addEventListener("pageshow", (event) => { if (event.persisted) connect(); });
  connect();
})();
