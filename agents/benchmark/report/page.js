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

  // Filters: each element lists, for each filter, the values it belongs to.
  const filters = all("select[data-filter]");
  function filter() {
    for (const element of all("[data-filtered]"))
      element.hidden = !filters.every((f) => !f.value || JSON.parse(element.dataset[f.dataset.filter]).includes(f.value));
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
    return window.Plotly;
  }

  const drawn = new Map();
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
    layout.paper_bgcolor = layout.plot_bgcolor = "rgba(0,0,0,0)";
    layout.font = { color: text, family: "system-ui, 'DejaVu Sans', sans-serif", size: 13 };
    layout.hoverlabel = { ...layout.hoverlabel, bgcolor: back, bordercolor: text, font: { color: text } };
    layout.dragmode = matchMedia("(pointer: fine)").matches ? "zoom" : false;
    return layout;
  }
  async function draw(chart) {
    if (drawn.has(chart)) return;
    const spec = JSON.parse(document.getElementById(`${chart.id}-data`).textContent);
    drawn.set(chart, spec);
    const plotly = await (loading ??= load());
    await plotly.newPlot(chart, spec.data, layoutOf(spec), { responsive: true, displayModeBar: false });
    chart.dataset.drawn = "true";
  }
  const watcher = new IntersectionObserver(
    (entries) => entries.filter((e) => e.isIntersecting).forEach((e) => { watcher.unobserve(e.target); draw(e.target); }),
    { rootMargin: "300px" },
  );
  all(".chart").forEach((chart) => watcher.observe(chart));
  function restyle() {
    for (const [chart, spec] of drawn) if (chart.dataset.drawn) window.Plotly.relayout(chart, layoutOf(spec));
  }
  dark.addEventListener("change", restyle);

  for (const button of all("button.seeds"))
    button.addEventListener("click", async () => {
      const chart = button.parentElement.querySelector(".chart");
      await draw(chart);
      const on = button.getAttribute("aria-pressed") !== "true";
      const indices = chart.data.flatMap((trace, i) => (trace.meta === "seeds" ? [i] : []));
      await window.Plotly.restyle(chart, { visible: on }, indices);
      button.setAttribute("aria-pressed", String(on));
    });

  addEventListener("beforeprint", () => {
    printing = true;
    all("details").forEach((element) => { unpack(element); element.dataset.was = element.open; element.open = true; });
    if (window.Plotly) all(".chart").forEach(draw);
    restyle();
  });
  addEventListener("afterprint", () => {
    printing = false;
    all("details").forEach((element) => { element.open = element.dataset.was === "true"; });
    restyle();
  });
  filter();
})();
