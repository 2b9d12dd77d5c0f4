"use strict";
// The page's script: what is chosen, drawn from the data that stands in the page. No number is computed here.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const byId = (id) => document.getElementById(id);
  const [task, model, probe, layer] = ["task", "model", "probe", "layer"].map(byId);
  const narrow = window.matchMedia("(max-width: 48rem)");
  const CONFIG = { displayModeBar: false, responsive: true, showTips: false };
  const FONT = { family: 'system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif', size: 13, color: "#1a1a1a" };
  const BASE = { font: FONT, paper_bgcolor: "#fff", plot_bgcolor: "#fff", dragmode: false, hovermode: "closest" };
  const AXIS = { showgrid: false, zeroline: false, showline: true, linecolor: "#595959", ticks: "outside", fixedrange: true };
  const HIDDEN = { visible: false, fixedrange: true };
  const STEP = 200;

  // Text for plotly, which reads a part of HTML.
  const plain = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  const score = (value) => {
    if (value === null || value === undefined) return "undefined";
    return value < 1 && value.toFixed(3) === "1.000" ? ">0.999" : value.toFixed(3);
  };
  const interval = (one, at) => {
    if (!one.lower) return "";
    const [low, high] = [one.lower[at], one.upper[at]];
    return low === null || high === null ? " [interval undefined]" : ` [${score(low)}, ${score(high)}]`;
  };
  const count = (value) => (value === null || value === undefined ? "–" : value.toLocaleString("en"));
  const km = (value) => (value === null ? "undefined" : `${count(Math.round(value))} km`);
  const digits = (value) => (value === null ? "undefined" : String(Number(value.toPrecision(2))));
  const metricOf = (panel) => data.metrics[panel.metric] || panel.metric;
  const element = (name, text, attributes) => {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    Object.entries(attributes || {}).forEach(([key, value]) => made.setAttribute(key, value));
    return made;
  };

  const fill = (select, entries, kept) => {
    select.replaceChildren(...entries.map(([value, text]) => element("option", text, { value })));
    if (entries.some(([value]) => value === kept)) select.value = kept;
  };
  const nothing = (id, caption, text) => {
    Plotly.purge(id);
    byId(id).replaceChildren(element("p", text));
    byId(id).classList.add("empty");
    byId(caption).textContent = "";
  };
  const draw = (id, traces, layout) => {
    if (byId(id).classList.contains("empty")) byId(id).replaceChildren();
    byId(id).classList.remove("empty");
    Plotly.react(id, traces, { ...BASE, ...layout }, CONFIG);
    // The element around it is the image, with name and description; what it is painted with says nothing more.
    // So does the corner in which plotly measures text.
    [byId(id).querySelector(".plot-container"), byId("js-plotly-tester")].forEach((one) => one && one.setAttribute("aria-hidden", "true"));
  };

  const panelsOf = () => (data.curves[task.value] || {})[model.value] || {};
  const panel = () => panelsOf()[probe.value];
  const layersOf = () => {
    const found = new Set();
    Object.values(panelsOf()).forEach((one) => one.series.forEach((series) => series.layer.forEach((at) => found.add(at))));
    return [...found].sort((a, b) => a - b);
  };
  const chosenLayer = () => layersOf()[Number(layer.value)];

  // Runs of layers at which the interval is defined, each as a closed band; a run of one layer gets a bar instead.
  const band = (one) => {
    const [x, y, bars] = [[], [], []];
    let run = [];
    const end = () => {
      if (run.length > 1) {
        x.push(...run.map((at) => one.layer[at]), ...run.map((at) => one.layer[at]).reverse(), null);
        y.push(...run.map((at) => one.upper[at]), ...run.map((at) => one.lower[at]).reverse(), null);
      }
      if (run.length === 1) bars.push(run[0]);
      run = [];
    };
    one.layer.forEach((_, at) => (one.lower[at] === null || one.upper[at] === null ? end() : run.push(at)));
    end();
    return { x, y, bars };
  };

  const curveTraces = (shown) => {
    const layers = layersOf();
    const reach = [layers[0] - 0.4, layers[layers.length - 1] + 0.4];
    const traces = [];
    const curves = shown.series.filter((one) => !one.level);
    shown.series.forEach((one) => {
      // With one layer all curves would stand on one point: they are set side by side, each with a mark.
      const alone = layers.length < 2 && !one.level;
      const aside = alone ? 0.05 * (curves.indexOf(one) - (curves.length - 1) / 2) : 0;
      const look = data.looks[one.look];
      const line = { color: look.color, dash: look.dash, width: look.width };
      const texts = one.layer.map((at, place) => `layer ${at}: ${score(one.estimate[place])}${interval(one, place)}`);
      const again = traces.some((other) => other.name === plain(one.label));
      const trace = { showlegend: !again, name: plain(one.label), x: one.layer.map((where) => where + aside), y: one.estimate, text: texts, line, legendgroup: plain(one.label) };
      Object.assign(trace, { type: "scatter", mode: look.symbol || alone ? "lines+markers" : "lines" });
      trace.marker = { color: look.color, symbol: look.symbol || "circle", size: 8 };
      trace.hovertemplate = `<b>${plain(one.label)}</b><br>%{text}<extra></extra>`;
      if (one.level) {
        const value = one.estimate[0];
        Object.assign(trace, { x: reach, y: [value, value], text: [score(value), score(value)], mode: "lines" });
      }
      if (one.lower) {
        const { x, y, bars } = band(one);
        const filled = { type: "scatter", mode: "lines", x, y, fill: "toself", line: { width: 0, color: look.color } };
        const fillcolor = `${look.color}33`;
        if (x.length) traces.push({ ...filled, fillcolor, hoverinfo: "skip", showlegend: false, legendgroup: trace.legendgroup });
        const [up, down] = [one.upper, one.lower].map((ends) =>
          one.layer.map((_, at) => (bars.includes(at) ? Math.abs(ends[at] - one.estimate[at]) : 0)));
        if (bars.length) trace.error_y = { type: "data", array: up, arrayminus: down, color: look.color };
      }
      traces.push(trace);
    });
    return { traces, reach };
  };

  const own = () => panel().series.find((one) => one.look === "headline");
  const at = (one, where) => (one ? one.layer.indexOf(where) : -1);

  const drawCurve = () => {
    const shown = panel();
    byId("curve-title").textContent = "Score by layer";
    if (!shown) {
      byId("curve-numbers").replaceChildren();
      nothing("curve", "curve-text", "There is no defined estimate of this task for this model.");
      return;
    }
    const { traces, reach } = curveTraces(shown);
    const where = chosenLayer();
    const mark = { type: "line", x0: where, x1: where, yref: "paper", y0: 0, y1: 1, layer: "below" };
    mark.line = { color: "#8c8c8c", width: 1.5, dash: "dot" };
    const few = layersOf().length < 15;
    const legend = narrow.matches ? { orientation: "h", y: -0.3, yanchor: "top" } : { x: 1.02, y: 1, xanchor: "left" };
    draw("curve", traces, {
      shapes: [mark], legend, height: narrow.matches ? 500 : 410, margin: { l: 58, r: 12, t: 12, b: 58 },
      xaxis: { ...AXIS, range: reach, title: { text: "layer (0: embedding)" }, ...(few ? { tickvals: layersOf() } : {}) },
      yaxis: { ...AXIS, range: shown.limits, title: { text: metricOf(shown) } },
    });
    byId("curve-title").textContent = `${data.tasks[task.value]}: ${metricOf(shown)} by layer`;
    describeCurve(shown);
    curveNumbers(shown);
  };

  const describeCurve = (shown) => {
    const groups = `${count(shown.n)} targets in ${count(shown.groups)} groups`;
    const parts = [`${model.value}, ${data.probes[probe.value]}, split by ${shown.split}, part ${shown.part}: ${groups}.`];
    if (!own()) parts.push("The model’s own score is undefined at every layer.");
    if (shown.best) {
      const { layer: where, estimate, lower, upper } = shown.best;
      parts.push(`Layer chosen by inner folds: ${where}, score ${score(estimate)}${interval({ lower: [lower], upper: [upper] }, 0)}.`);
    }
    const test = (data.tests[model.value] || {})[task.value];
    if (test && test.holm !== null) {
      parts.push(`Ridge probe, best of all layers, against ${count(test.permutations)} permutations: p = ${digits(test.p)}, ` +
        `after Holm’s correction over ${test.tasks} tasks ${digits(test.holm)}.`);
    }
    const below = shown.series.some((one) => one.estimate.some((value) => value !== null && value < shown.limits[0]));
    if (below) parts.push("Numbers below the axis are in the table below.");
    if (shown.series.some((one) => one.lower)) parts.push(`${layersOf().length > 1 ? "Bands" : "Bars"}: bootstrap intervals.`);
    parts.push("The dotted line marks the chosen layer.");
    byId("curve-text").replaceChildren(parts.join(" "));
    if (shown.caution) byId("curve-text").append(" ", element("strong", `${shown.caution}.`, { class: "caution" }));
  };

  const table = (heads, rows, caption) => {
    const made = element("table");
    if (caption) made.append(element("caption", caption));
    const [head, body] = [element("thead"), element("tbody")];
    head.append(element("tr"));
    heads.forEach((one) => head.firstChild.append(element("th", one, { scope: "col" })));
    rows.forEach((cells) => {
      const row = element("tr");
      cells.forEach((cell, place) => row.append(place ? element("td", cell) : element("th", cell, { scope: "row" })));
      body.append(row);
    });
    made.append(head, body);
    return made;
  };

  const curveNumbers = (shown) => {
    const layers = layersOf();
    const rows = shown.series.map((one) => [one.label, ...layers.map((where) => {
      const place = at(one, where);
      return place < 0 ? "–" : `${score(one.estimate[place])}${interval(one, place)}`;
    })]);
    byId("curve-numbers").replaceChildren(table(["Curve", ...layers.map((where) => `layer ${where}`)], rows));
  };

  const drawMap = () => {
    const here = data.places.models[model.value];
    const where = chosenLayer();
    byId("map-title").textContent = "True and predicted places";
    if (!here) return nothing("map", "map-text", `No map: the tables hold no places of cities for ${model.value}.`);
    const now = here.layers[where];
    if (!now) return nothing("map", "map-text", `No map at layer ${where}; there is one at ${Object.keys(here.layers).join(", ")}.`);
    const [lx, ly] = [[], []];
    for (let n = 0; n < now.lines.length; n += 4) {
      lx.push(now.lines[n], now.lines[n + 2], null);
      ly.push(now.lines[n + 1], now.lines[n + 3], null);
    }
    const text = here.name.map((name, n) => `<b>${plain(name)}</b><br>error: ${km(now.km[n])}`);
    const marks = { type: "scatter", mode: "markers", hovertemplate: "%{text}<extra></extra>" };
    const traces = [
      { type: "scatter", mode: "lines", x: lx, y: ly, line: { color: "#9a9a9a", width: 0.7 }, hoverinfo: "skip", name: "error" },
      { ...marks, x: here.x, y: here.y, text: text.map((one) => `${one}<br>(true place)`), name: "true place",
        marker: { color: "#fff", size: 6, line: { color: "#4d4d4d", width: 1 } } },
    ];
    Object.entries(data.places.continents).forEach(([code, look]) => {
      const kept = here.continent.map((one, n) => (one === code ? n : -1)).filter((n) => n >= 0);
      if (!kept.length) return;
      const [x, y, texts] = [now.x, now.y, text].map((values) => kept.map((n) => values[n]));
      traces.push({ ...marks, x, y, text: texts.map((one) => `${one}<br>(predicted)`), name: plain(look.name),
        marker: { color: look.color, symbol: look.symbol, size: 7 } });
    });
    const { width, height, outline } = data.places;
    const edge = outline.x.map((x, n) => `${n ? "L" : "M"}${x} ${outline.y[n]}`).join("") + "Z";
    const box = `M-3.1 -1.6H3.1V1.6H-3.1Z${edge}`;
    draw("map", traces, {
      images: [{ source: `data:image/svg+xml,${encodeURIComponent(data.places.land)}`, xref: "x", yref: "y", x: -width, y: height,
        sizex: 2 * width, sizey: 2 * height, sizing: "stretch", layer: "below" }],
      shapes: [
        { type: "path", path: box, fillcolor: "#fff", fillrule: "evenodd", line: { width: 0 } },
        { type: "path", path: edge, line: { color: "#8c8c8c", width: 1 } },
      ],
      height: narrow.matches ? 300 : 400, margin: { l: 0, r: 0, t: 0, b: 0 },
      xaxis: { ...HIDDEN, range: [-2.75, 2.75] },
      yaxis: { ...HIDDEN, range: [-1.36, 1.36], scaleanchor: "x", constrain: "domain" },
      legend: { orientation: "h", y: -0.02, yanchor: "top", x: 0.5, xanchor: "center" },
    });
    byId("map-title").textContent = `True and predicted places at layer ${where}`;
    const error = now.median === null ? "" : `Median error at layer ${where}: ${km(now.median)}, over all ${count(now.n)} targets. `;
    byId("map-text").textContent = `${error}Filled marks: where the ${model.value} probe of the task “${data.tasks[here.task]}” puts a ` +
      `city; colour and shape: its true continent; lines lead from the true place. Drawn: ${count(here.name.length)} of ` +
      `${count(here.groups)} cities, one mention of each, the same at every layer.`;
  };

  const drawPlane = () => {
    const known = data.statements.models[model.value] || {};
    const named = task.value in known ? task.value : Object.keys(known)[0];
    const where = chosenLayer();
    byId("plane-title").textContent = "True and false statements";
    if (!named) return nothing("plane", "plane-text", `No scatter: the tables hold no statements of two kinds for ${model.value}.`);
    const here = known[named];
    const now = here.layers[where];
    if (!now) return nothing("plane", "plane-text", `No scatter at layer ${where}; there is one at ${Object.keys(here.layers).join(", ")}.`);
    const traces = here.labels.map((label, number) => {
      const kept = here.label.map((one, n) => (one === label ? n : -1)).filter((n) => n >= 0);
      const [x, y, names, parts] = [now.x, now.y, here.name, here.part].map((values) => kept.map((n) => values[n]));
      const text = names.map((name, n) => `<b>${plain(name)}</b><br>${plain(label)}${parts[n] ? `, ${plain(parts[n])}` : ""}`);
      const look = data.statements.looks[number % data.statements.looks.length];
      return { type: "scatter", mode: "markers", x, y, text, name: plain(label), hovertemplate: "%{text}<extra></extra>",
        marker: { color: look.color, symbol: look.symbol, size: 8, opacity: 0.85 } };
    });
    const flat = [now.x, now.y].every((values) => new Set(values.filter((value) => value !== null)).size <= 1);
    const frame = { ...AXIS, showticklabels: false, ticks: "", mirror: true, linecolor: "#8c8c8c" };
    const word = { text: "all statements<br>have one state", xref: "paper", yref: "paper", x: 0.5, y: 0.4, showarrow: false };
    draw("plane", traces, {
      annotations: flat ? [word] : [],
      height: 400, margin: { l: 30, r: 10, t: 6, b: 60 },
      xaxis: { ...frame, title: { text: "first component", standoff: 6 } },
      yaxis: { ...frame, title: { text: "second component", standoff: 6 } },
      legend: { orientation: "h", y: -0.12, yanchor: "top", x: 0.5, xanchor: "center" },
    });
    byId("plane-title").textContent = `${data.tasks[named]}: statements at layer ${where}`;
    const same = flat ? "All statements have one state at this layer. " : "";
    const other = named === task.value ? "" : `The chosen task has no statements of two kinds; shown: ${data.tasks[named]}. `;
    byId("plane-text").textContent = `${other}${same}First two principal components of the states, ${here.name.length} statements: a ` +
      `sample, equally many of each kind, the same at every layer; in all ${here.counts}.`;
  };

  // The table of all estimates: rows by number, so that sorting moves numbers alone.
  const estimates = data.estimates;
  const NAMES = { text_baseline: "text", n_groups: "groups" };
  const cellOf = (name, row) => {
    const column = estimates[name];
    return Array.isArray(column) ? column[row] : column.words[column.rows[row]];
  };
  const sorted = { by: null, down: false, shown: STEP };
  const shownRows = () => {
    const all = [...Array(estimates.layer.length).keys()];
    const kept = byId("rows").value === "all" ? all : all.filter((row) => cellOf("model", row) === model.value &&
      (byId("rows").value === "model" || cellOf("task", row) === task.value));
    if (sorted.by === null) return kept;
    const turn = sorted.down ? -1 : 1;
    return kept.sort((one, other) => {
      const [a, b] = [cellOf(sorted.by, one), cellOf(sorted.by, other)];
      if (a === null || b === null) return (a === null) - (b === null) || one - other;
      return turn * (typeof a === "number" ? a - b : a.localeCompare(b)) || one - other;
    });
  };

  const drawTable = () => {
    const names = Object.keys(estimates);
    if (!byId("table").firstChild) {
      const made = element("table");
      made.append(element("caption", "All estimates", { class: "hidden" }), element("thead"), element("tbody"));
      const head = element("tr");
      names.forEach((name) => {
        const cell = element("th", undefined, { scope: "col", class: Array.isArray(estimates[name]) ? "number" : "text" });
        const button = element("button", NAMES[name] || name, { type: "button", "data-column": name });
        button.append(element("span", "", { class: "sign", "aria-hidden": "true" }));
        button.addEventListener("click", () => sortBy(name));
        cell.append(button);
        head.append(cell);
      });
      made.querySelector("thead").append(head);
      byId("table").append(made);
    }
    byId("table").querySelectorAll("thead th").forEach((cell, place) => {
      const active = names[place] === sorted.by;
      if (active) cell.setAttribute("aria-sort", sorted.down ? "descending" : "ascending");
      else cell.removeAttribute("aria-sort");
      cell.querySelector(".sign").textContent = active ? (sorted.down ? " ▼" : " ▲") : "";
    });
    const rows = shownRows();
    byId("table").querySelector("tbody").replaceChildren(...rows.slice(0, sorted.shown).map((row) => {
      const line = element("tr");
      names.forEach((name) => {
        const value = cellOf(name, row);
        const isNumber = Array.isArray(estimates[name]);
        const text = isNumber && /^n/.test(name) ? count(value) : value === null ? "–" : String(value);
        line.append(element("td", text, isNumber ? { class: "number" } : {}));
      });
      return line;
    }));
    const end = Math.min(sorted.shown, rows.length);
    byId("more").hidden = end === rows.length;
    const order = sorted.by ? `, by ${NAMES[sorted.by] || sorted.by}, ${sorted.down ? "descending" : "ascending"}` : "";
    byId("table-status").textContent = `${count(end)} of ${count(rows.length)} rows${order}.`;
  };
  const sortBy = (name) => {
    sorted.down = sorted.by === name && !sorted.down;
    sorted.by = name;
    drawTable();
  };

  const drawNotes = () => {
    const names = Object.keys(data.notes);
    const rows = [...Array(data.notes.fits.length).keys()].map((row) => names.map((name) => {
      const column = data.notes[name];
      return String(Array.isArray(column) ? column[row] : column.words[column.rows[row]]);
    }));
    if (!rows.length) return byId("notes-table").remove();
    return byId("notes-table").append(table(names, rows));
  };

  const announce = () => {
    const shown = panel();
    const where = chosenLayer();
    const named = `${data.tasks[task.value]}, ${model.value}${shown ? `, ${data.probes[probe.value]}` : ""}`;
    if (!shown) {
      byId("status").textContent = `${named}: no defined estimate.`;
      return;
    }
    const one = own();
    const place = at(one, where);
    const value = place < 0 ? "undefined" : `${score(one.estimate[place])}${interval(one, place)}`;
    const map = (data.places.models[model.value] || { layers: {} }).layers[where];
    const error = map && map.median !== null ? ` Places: median error ${km(map.median)}.` : "";
    byId("status").textContent = `${named}, layer ${where}: ${metricOf(shown)} ${value}.${error}`;
  };

  const setLayers = (kept) => {
    const layers = layersOf();
    layer.max = String(Math.max(0, layers.length - 1));
    layer.disabled = layers.length < 2;
    const place = layers.indexOf(kept);
    layer.value = String(place < 0 ? Math.max(0, layers.length - 1) : place);
  };
  const showLayer = () => {
    const [layers, where] = [layersOf(), chosenLayer()];
    const text = where === undefined ? "none" : layers.length < 2 ? `${where} (the only one)` : `${where} of ${layers[layers.length - 1]}`;
    byId("layer-value").textContent = text;
    layer.setAttribute("aria-valuetext", where === undefined ? "none" : `layer ${where}`);
    drawMap();
    drawPlane();
    announce();
  };
  const choose = (kept) => {
    const probes = Object.keys(panelsOf());
    const words = (name) => data.probes[name] || name;
    fill(probe, probes.map((name, number) => [name, number ? words(name) : `${words(name)} (the task’s own)`]), probe.value);
    if (!probes.length) fill(probe, [["", "none"]]);
    setLayers(kept);
    drawCurve();
    showLayer();
    sorted.shown = STEP;
    drawTable();
  };

  fill(task, Object.entries(data.tasks));
  fill(model, Object.entries(data.models).map(([name, twin]) => [name, twin ? `${name} (beside ${twin})` : name]));
  [task, model, probe].forEach((select) => select.addEventListener("change", () => choose(chosen)));
  let chosen;
  layer.addEventListener("input", () => { chosen = chosenLayer(); drawCurve(); showLayer(); });
  byId("choices").addEventListener("submit", (event) => event.preventDefault());
  byId("rows").addEventListener("change", () => { sorted.shown = STEP; drawTable(); });
  byId("more").addEventListener("click", () => { sorted.shown += STEP; drawTable(); });
  narrow.addEventListener("change", () => { drawCurve(); drawMap(); });
  const first = Object.values(panelsOf())[0];
  chosen = first && first.best ? first.best.layer : undefined;
  choose(chosen);
  drawNotes();
})();
