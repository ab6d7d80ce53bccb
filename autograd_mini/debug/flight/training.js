// A training run: charts over the steps, what happened where, and the way into the backward pass of a step. If the page
// has a graph, this comes after `backprop.js`, whose names it uses to set the leaves to those of a step.
{
  const run = JSON.parse(document.getElementById("data").textContent).run;
  const get = (id) => document.getElementById(id);
  const unfold = (x) => (typeof x === "string" ? { nan: NaN, inf: Infinity, "-inf": -Infinity }[x] : x);
  const rows = run.rows.map(([step, loss, told, values, gradients, ...bands]) => ({
    step, loss: unfold(loss), told, values, gradients, bands: bands.map((layers) => layers.map((band) => band.map(unfold))),
  }));
  const NAMESPACE = "http://www.w3.org/2000/svg";
  const last = rows.length - 1;
  const end = Math.max(rows[last].step, 1);
  let at = last;  // the row that is shown
  let view = "run";
  let begun = false;  // was a pass opened before?

  function make(tag, attributes = {}, ...children) {
    const svg = ["svg", "g", "path", "line", "text", "circle", "title"].includes(tag);
    const made = svg ? document.createElementNS(NAMESPACE, tag) : document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  }
  const brief = (x) => (x === 0 ? "0" : Math.abs(x) >= 1e4 || Math.abs(x) < 1e-3 ? x.toExponential(0).replace("e+", "e") : String(Number(x.toPrecision(3)))).replace(/-/g, "−");

  const canOpen = (row) => String(row.step) in run.passes;
  const openable = rows.map((row, index) => (canOpen(row) ? index : -1)).filter((index) => index >= 0);
  const near = (index) => openable.filter((i) => i <= index).slice(-1).concat(openable.filter((i) => i > index).slice(0, 1));
  const name = (row) => `step ${row.step.toLocaleString("en")}`;

  // -- charts -------------------------------------------------------------------------------------------------------

  function scale(numbers, middles, positive) {  // logarithmic where the middles span decades
    const finite = numbers.filter(Number.isFinite);
    const above = middles.filter((x) => x > 0 && Number.isFinite(x));
    let [low, high] = [Math.min(...finite), Math.max(...finite)];
    if (!finite.length) [low, high] = [0, 1];
    if (above.length && low >= 0 && positive && high > 100 * Math.min(...above)) {
      const [from, to] = [Math.floor(Math.log10(Math.min(...above))), Math.ceil(Math.log10(high))];
      const every = Math.ceil((to - from) / 4);
      const ticks = Array.from({ length: Math.floor((to - from) / every) + 1 }, (_, i) => 10 ** (from + i * every));
      return { log: true, ticks, of: (x) => Math.max((Math.log10(x) - from) / (to - from), 0) };
    }
    if (positive && low > 0 && low < high / 2) low = 0;
    if (low === high) [low, high] = [low - Math.abs(low || 1) / 2, high + Math.abs(high || 1) / 2];
    const listed = (step) => Array.from({ length: Math.max(Math.floor(high / step) - Math.ceil(low / step) + 1, 0) }, (_, i) => (Math.ceil(low / step) + i) * step);
    const decade = 10 ** Math.floor(Math.log10(high / 2 - low / 2));
    const ticks = [5, 2, 1, 0.5, 0.2, 0.1].map((times) => listed(times * decade)).find((found) => found.length > 2) || [low, high];
    return { log: false, ticks, of: (x) => (x / 2 - low / 2) / (high / 2 - low / 2) };
  }

  function nice(x) {
    const decade = 10 ** Math.floor(Math.log10(x));
    return decade * [1, 2, 5, 10].find((times) => times * decade >= x);
  }

  const charts = [];
  function chart(area, about, label, band, positive, number) {  // `band` gives the numbers of a row, from low to high
    const svg = make("svg", { role: "img", "aria-label": label });
    const cursor = make("line", { class: "cursor" });
    const spot = make("circle", { class: "spot", r: 4.5 });
    area.append(svg);
    const own = { area, move: () => {} };
    own.draw = () => {
      const { width, height } = area.getBoundingClientRect();
      if (!width || !height) return;
      const em = parseFloat(getComputedStyle(document.documentElement).fontSize);
      const [left, right, top, bottom] = [3.6 * em, 8, (about ? 1.5 : 1.1) * em, 1.4 * em];
      const x = (step) => left + (width - left - right) * (step / end);
      const all = rows.flatMap(band);
      const y = scale(all, rows.map((row) => band(row)[(band(row).length - 1) / 2]), positive);
      const up = (value) => height - bottom - (height - top - bottom) * y.of(value);
      svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
      const parts = [];
      for (const tick of y.ticks) {
        parts.push(make("path", { class: "grid", d: `M${left} ${up(tick)}H${width - right}` }));
        parts.push(make("text", { x: left - 6, y: up(tick) + 4, "text-anchor": "end" }, brief(tick)));
      }
      const every = nice(Math.max(end * 3.5 * em / (width - left - right), 0.5));
      for (let tick = 0; tick <= end; tick += Math.max(every, 1)) {
        if (tick + every <= end || x(tick) < width - right - 1.5 * em || tick === 0) parts.push(make("text", { x: x(tick), y: height - 3, "text-anchor": "middle" }, tick.toLocaleString("en")));
      }
      if (about) parts.push(make("text", { class: "about", x: left, y: 0.85 * em }, about));
      const many = band(rows[0]).length;
      const strips = many > 1 ? [["all", 0, many - 1], ["half", 1, many - 2]] : [];
      const runs = [];  // of rows without nan
      for (const row of rows) {
        const finite = band(row).every(Number.isFinite);
        if (finite && runs.length && runs[runs.length - 1].open) runs[runs.length - 1].push(row);
        else if (finite) runs.push(Object.assign([row], { open: true }));
        else {
          if (runs.length) runs[runs.length - 1].open = false;
          const [middle, size] = [x(row.step), 3];
          parts.push(make("path", { class: "broken", d: `M${middle - size} ${top - size}l${2 * size} ${2 * size}m0 ${-2 * size}l${-2 * size} ${2 * size}` }));
        }
      }
      for (const group of runs) {
        for (const [name, low, high] of strips) {
          const over = group.map((row) => `${x(row.step)} ${up(band(row)[high])}`);
          const under = group.map((row) => `${x(row.step)} ${up(band(row)[low])}`).reverse();
          parts.push(make("path", { class: name, d: `M${[...over, ...under].join("L")}Z` }));
        }
        const middle = (many - 1) / 2;
        const points = group.map((row) => `${x(row.step)} ${up(band(row)[middle])}`);
        parts.push(make("path", { class: "line", d: `M${points.join("L")}${points.length === 1 ? "h0.1" : ""}` }));
      }
      let [before, above] = [-Infinity, 0];
      run.events.forEach(({ step, slow, until }, index) => {  // a line at the top until the unit works again
        const on = slow && number ? `M${x(step)} ${top - 1}H${x(until ?? end)}` : "";
        parts.push(make("path", { class: slow ? "began slow" : "began", d: `M${x(step)} ${top}V${height - bottom}${on}` }));
        if (!number) return;
        if (x(step) - before < 1.1 * em && above < 12) above += 1;
        else above = 0;
        before = x(step);
        const near = x(step) > width - right - em;
        parts.push(make("text", { class: slow ? "flag slow" : "flag", x: x(step) + (near ? -4 : 4), y: top + (1.05 + 0.95 * above) * em, "text-anchor": near ? "end" : "start" }, String(index + 1)));
      });
      if (number) for (const index of openable) parts.push(make("path", { class: "kept", d: `M${x(rows[index].step)} ${height - bottom}v5` }));
      svg.replaceChildren(...parts, cursor, spot);
      own.move = () => {
        const row = rows[at];
        const numbers = band(row);
        const middle = numbers[(numbers.length - 1) / 2];
        for (const [name, value] of [["x1", x(row.step)], ["x2", x(row.step)], ["y1", top], ["y2", height - bottom]]) cursor.setAttribute(name, value);
        spot.setAttribute("visibility", Number.isFinite(middle) ? "inherit" : "hidden");
        spot.setAttribute("cx", x(row.step));
        spot.setAttribute("cy", Number.isFinite(middle) ? up(middle) : 0);
      };
      own.row = (across) => {  // the nearest one, but rather one that can be opened
        const step = ((across - left) / (width - left - right)) * end;
        const open = openable.find((index) => Math.abs(x(rows[index].step) - across) < 7);
        return open === undefined ? closest(step) : openable.reduce((one, other) => (Math.abs(rows[other].step - step) < Math.abs(rows[one].step - step) ? other : one), open);
      };
      own.move();
    };
    const pick = (event) => go(own.row(event.clientX - area.getBoundingClientRect().left));
    area.addEventListener("pointerdown", (event) => {
      pick(event);
      if (event.pointerType === "touch") return;
      area.setPointerCapture(event.pointerId);
      area.addEventListener("pointermove", pick);
      area.addEventListener("pointerup", () => area.removeEventListener("pointermove", pick), { once: true });
    });
    area.addEventListener("dblclick", () => act.open());
    charts.push(own);
  }

  function closest(step) {
    let found = 0;
    rows.forEach((row, index) => { if (Math.abs(row.step - step) < Math.abs(rows[found].step - step)) found = index; });
    return found;
  }

  // -- a step -------------------------------------------------------------------------------------------------------

  function shaded(text, largest) {  // the colour of a gradient
    const x = unfold(Number.isNaN(Number(text)) ? text : Number(text));
    if (!Number.isFinite(x)) return ["broken", 100];
    if (x === 0) return ["zero", 100];
    const depth = Math.min(Math.max(1 + Math.log10(Math.abs(x) / largest) / 3, 0), 1);
    return [x < 0 ? "minus" : "plus", Math.round(15 + 85 * depth)];
  }

  function go(index) {
    at = Math.min(Math.max(index, 0), last);
    const row = rows[at];
    get("run-now").replaceChildren(make("strong", {}, name(row)), ` of ${run.steps.toLocaleString("en")}, loss ${row.told.replace(/-/g, "−")}`);
    for (const { move } of charts) move();
    get("run-step-title").textContent = name(row);
    const finite = row.gradients.map(Number).filter((x) => Number.isFinite(x));
    const largest = Math.max(...finite.map(Math.abs), 0) || 1;
    get("run-step").querySelector("tbody").replaceChildren(...row.gradients.map((gradient, i) => {
      const [word, depth] = shaded(gradient, largest);
      const cell = make("td", { class: word }, make("span", {}, gradient.replace(/-/g, "−")));
      cell.style.setProperty("--depth", `${depth}%`);
      return make("tr", {}, make("th", { scope: "row" }, ...run.names[i].split(/(?<=[.\]])(?=\w)|(?<=\.)/).flatMap((part) => [part, make("wbr")])), make("td", {}, row.values[i].replace(/-/g, "−")), cell);
    }));
    get("run-step").querySelector("thead th").textContent = row.gradients.length ? "parameter" : "";
    get("run-rest").textContent = row.gradients.length ? run.rest : run.large;
    get("run-open").setAttribute("aria-disabled", !canOpen(row));
    const why = canOpen(row) ? "" : run.why || (String(row.step) in run.different ? run.different[row.step] : "The inputs of this step were not kept.");
    const offered = canOpen(row) ? [] : near(at).map((i) => {
      const button = make("button", {}, `to ${name(rows[i])}`);
      button.addEventListener("click", () => go(i));
      return button;
    });
    get("run-why").replaceChildren(why, ...(offered.length ? [" Kept nearby: ", ...offered] : []));
    for (const key of ["first", "back"]) document.querySelector(`[data-run=${key}]`).setAttribute("aria-disabled", at === 0);
    for (const key of ["last", "next"]) document.querySelector(`[data-run=${key}]`).setAttribute("aria-disabled", at === last);
    if (view === "run") address();
  }

  function address() {
    try {
      history.replaceState(null, "", `#training=${rows[at].step}`);
    } catch { /* in a frame of a notebook */ }
  }

  function enter() {  // the backward pass of this step
    const row = rows[at];
    if (!canOpen(row)) return;
    view = "pass";
    document.body.classList.remove("run");
    get("run-pass").textContent = `${name(row)} of ${run.steps.toLocaleString("en")}, loss ${row.told.replace(/-/g, "−")}`;
    get("run-near").textContent = run.near.includes(row.step) ? run.form : "";
    const place = openable.indexOf(at);
    document.querySelector("[data-run=passBack]").setAttribute("aria-disabled", place === 0);
    document.querySelector("[data-run=passNext]").setAttribute("aria-disabled", place === openable.length - 1);
    away = row.step !== run.graph;
    if (live) {
      run.passes[row.step].map(read).forEach((number, i) => { given[i] = inputs[i] = number; });
      recompute();
    }
    settle();
    show(begun ? now : data.start);
    begun = true;
  }

  const act = {
    first: () => go(0), back: () => go(at - 1), next: () => go(at + 1), last: () => go(last), open: enter,
    close: () => { view = "run"; document.body.classList.add("run"); go(at); get("run-open").focus(); },
    passBack: () => { const i = openable.indexOf(at); if (i > 0) { go(openable[i - 1]); enter(); } },
    passNext: () => { const i = openable.indexOf(at); if (i < openable.length - 1) { go(openable[i + 1]); enter(); } },
  };
  const keys = {
    run: { ArrowLeft: "back", ArrowRight: "next", Home: "first", End: "last", Enter: "open" },
    pass: { t: "close", T: "close", "[": "passBack", "]": "passNext" },
  };
  addEventListener("keydown", (event) => {  // before the keys of the backward pass
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target.closest && event.target.closest("input, select, dialog");
    if (view === "run") event.stopPropagation();
    const found = keys[view][event.key];
    if (!found || (view === "pass" && typing) || (found === "open" && event.target.tagName === "BUTTON")) return;
    event.preventDefault();
    event.stopPropagation();
    act[found]();
  }, true);
  for (const button of document.querySelectorAll("[data-run]")) button.addEventListener("click", () => act[button.dataset.run]());

  // -- the page -----------------------------------------------------------------------------------------------------

  get("run-title").textContent = document.title;
  get("run-fine").textContent = run.fine;
  get("run-ticks").textContent = openable.length ? "below, a tick for each backward pass that is kept: click there, then step through it" : "";
  get("run-events").querySelector("ol").replaceChildren(...run.events.map(({ step, slow, title, texts }, index) => {
    const said = make("span", { class: "said" }, ...texts.map((text) => make("span", {}, text)));
    const button = make("button", slow ? { class: "slow" } : {}, make("span", { class: "flag" }, String(index + 1)), make("strong", {}, `Step ${step.toLocaleString("en")}: ${title}`), said);
    button.addEventListener("click", () => go(closest(step)));
    return make("li", {}, button);
  }));
  chart(get("run-loss").querySelector(".chart"), "", "the loss over the steps", ({ loss }) => [loss], true, true);
  run.layers.forEach(([title, about], index) => {
    const [one, other] = [make("div", { class: "chart" }), make("div", { class: "chart" })];
    get("run-layers").querySelector("div").append(make("div", { class: "layer" }, make("h3", {}, title, " ", make("small", {}, about)), one, other));
    chart(one, "size of the gradients", `sizes of the gradients of ${title}`, ({ bands }) => bands[1][index], true, false);
    chart(other, "values", `values of ${title}`, ({ bands }) => bands[0][index], false, false);
  });
  for (const [shown, about] of [["T", "back to the training"], ["[", "to the backward pass before"], ["]", "to the next backward pass"]]) {
    const row = make("div", {}, make("dt", {}, make("kbd", {}, shown)), make("dd", {}, about));
    document.querySelector("#help dl")?.append(row);
  }
  document.body.classList.add("run");
  const drawn = () => { for (const { draw } of charts) draw(); };
  addEventListener("resize", drawn);
  addEventListener("hashchange", () => {
    const found = /^#training=(\d+)$/.exec(location.hash);
    if (found) { go(closest(Number(found[1]))); if (view === "pass") act.close(); }
  });
  drawn();
  const wanted = /^#training=(\d+)$/.exec(location.hash);
  const started = run.events.length ? closest(run.events[0].step) : openable.length ? openable[openable.length - 1] : last;
  go(wanted ? closest(Number(wanted[1])) : started);
}
