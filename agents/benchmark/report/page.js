"use strict";
(() => {
  const all = (query, from = document) => [...from.querySelectorAll(query)];
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const status = document.getElementById("status");

  // Sorting: rows of each group on their own; what has no number comes last.
  function sort(table, head) {
    const column = Number(head.firstElementChild.dataset.column);
    const descending = head.getAttribute("aria-sort") !== "descending";
    all("thead th", table).forEach((th) => th.setAttribute("aria-sort", "none"));
    head.setAttribute("aria-sort", descending ? "descending" : "ascending");
    const key = (row) => row.cells[column].dataset.key;
    const compare = (a, b) => (isNaN(a) || isNaN(b) ? a.localeCompare(b) : Number(a) - Number(b));
    for (const body of table.tBodies) {
      const rows = all("tr.row", body);
      rows.sort((a, b) => (key(a) === "") - (key(b) === "") || compare(key(a), key(b)) * (descending ? -1 : 1));
      body.append(...rows);
    }
    status.textContent = `Sorted by ${head.textContent}, ${descending ? "largest" : "smallest"} first.`;
  }
  for (const table of all("table.sortable"))
    for (const head of all("thead th", table)) head.firstElementChild.addEventListener("click", () => sort(table, head));

  // Filters: each element lists, for each filter, the values it belongs to, and by which of them it is a part.
  const filters = all("select[data-filter]");
  function filter() {
    for (const element of all("[data-filtered]"))
      element.hidden = !filters.every((f) => {
        const name = f.dataset.filter;
        if (f.value) return JSON.parse(element.dataset[name]).includes(f.value);
        return !JSON.parse(element.dataset.by).includes(name); // a part is shown where somebody asks for it
      });
    for (const task of all("section.task")) task.hidden = !all(".block", task).some((block) => !block.hidden);
    const rows = all("#leaderboard tbody .row");
    const left = rows.filter((row) => !row.parentElement.hidden).length;
    status.textContent = `${left} of ${rows.length} rows of the leaderboard shown.`;
  }
  filters.forEach((f) => f.addEventListener("change", filter));
  document.getElementById("filters").addEventListener("submit", (event) => event.preventDefault());

  // Long tables become elements when somebody opens them.
  const unpack = (details) => all("template", details).forEach((held) => held.replaceWith(held.content));
  all("details").forEach((element) => element.addEventListener("toggle", () => unpack(element)));

  // Plotly is packed, and unpacked when the first chart comes into view.
  let loading = null;
  async function load() {
    const packed = Uint8Array.from(atob(document.getElementById("plotly").textContent), (c) => c.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    const script = document.createElement("script");
    script.textContent = await new Response(stream).text();
    document.head.append(script);
  }

  // Pixels between the margins of a sheet of paper.
  const PAPER = 660;
  let printing = false;
  function colours() {
    if (printing) return { axis: { gridcolor: "#ddd", linecolor: "#bbb", tickcolor: "#bbb" }, text: "#000", back: "#fff" };
    const css = getComputedStyle(document.documentElement);
    const get = (name) => css.getPropertyValue(name).trim();
    const axis = { gridcolor: get("--grid"), linecolor: get("--line"), tickcolor: get("--line") };
    return { axis, text: get("--text"), back: get("--back") };
  }
  function layoutOf(spec) {
    const { axis, text, back } = colours();
    const layout = structuredClone(spec.layout);
    Object.assign(layout.xaxis, axis);
    Object.assign(layout.yaxis, axis);
    if (printing) layout.width = PAPER;
    layout.paper_bgcolor = layout.plot_bgcolor = "rgba(0,0,0,0)";
    layout.font = { color: text, family: "system-ui, 'DejaVu Sans', sans-serif", size: 13 };
    layout.hoverlabel = { ...layout.hoverlabel, bgcolor: back, bordercolor: text, font: { color: text } };
    layout.dragmode = matchMedia("(pointer: fine)").matches ? "zoom" : false;
    return layout;
  }
  // Colours are those on white; in the dark each has a lighter one.
  const lighter = JSON.parse(document.body.dataset.dark);
  function specOf(chart) {
    const swap = dark.matches && !printing;
    const inside = (key, value) =>
      swap && /color$/.test(key) && typeof value === "string" && value.slice(0, 7) in lighter
        ? lighter[value.slice(0, 7)] + value.slice(7)
        : value;
    return JSON.parse(document.getElementById(`${chart.id}-data`).textContent, inside);
  }
  function render(chart) {
    const spec = specOf(chart);
    const on = chart.parentElement.querySelector("button.seeds")?.getAttribute("aria-pressed") === "true";
    for (const trace of spec.data) if (trace.meta === "seeds") trace.visible = on;
    return window.Plotly.react(chart, spec.data, layoutOf(spec), { responsive: true, displayModeBar: false });
  }
  async function draw(chart) {
    await (loading ??= load());
    await render(chart);
    chart.dataset.drawn = "true";
  }
  const watcher = new IntersectionObserver(
    (entries) => entries.filter((e) => e.isIntersecting).forEach((e) => { watcher.unobserve(e.target); draw(e.target); }),
    { rootMargin: "300px" },
  );
  const charts = all(".chart");
  charts.forEach((chart) => watcher.observe(chart));
  const redraw = () => charts.filter((chart) => chart.dataset.drawn).forEach(render);
  dark.addEventListener("change", redraw);
  // Whoever prints cannot wait for the library, so it is there before.
  addEventListener("load", () => (window.requestIdleCallback ?? setTimeout)(() => (loading ??= load())));

  for (const button of all("button.seeds"))
    button.addEventListener("click", () => {
      button.setAttribute("aria-pressed", String(button.getAttribute("aria-pressed") !== "true"));
      draw(button.parentElement.querySelector(".chart"));
    });

  addEventListener("beforeprint", () => {
    printing = true;
    all("details").forEach((element) => { unpack(element); element.dataset.was = element.open; element.open = true; });
    if (window.Plotly) charts.filter((chart) => chart.offsetParent).forEach(render);
  });
  addEventListener("afterprint", () => {
    printing = false;
    all("details").forEach((element) => { element.open = element.dataset.was === "true"; });
    redraw();
  });
  filter();
})();
