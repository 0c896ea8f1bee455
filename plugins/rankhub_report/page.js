"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const root = document.documentElement, button = document.getElementById("theme"), hover = document.getElementById("hover");
  const colours = {
    light: ["#0b63a5", "#c2500a", "#12795c", "#a3347f", "#7a5c00", "#5b4bc4", "#b3261e", "#00727f", "#586270", "#8a4b2d"],
    dark: ["#6db8f2", "#f5a25d", "#54cfa5", "#eb91cb", "#e3c34f", "#aca1fa", "#f58b83", "#58c9d6", "#a9b4c0", "#d6a183"],
  };
  const system = matchMedia("(prefers-color-scheme: dark)");
  let chosen = null;
  const theme = () => chosen ?? (system.matches ? "dark" : "light");
  const colour = (number) => (number < 0 ? style("--quiet") : colours[theme()][number % 10]);
  const style = (name) => getComputedStyle(root).getPropertyValue(name).trim();

  function traces(chart) {
    const several = chart.lines.length > 1;
    return chart.lines.map((line, place) => {
      const marker = { size: chart.kind === "lines" ? 7 : 8, color: colour(line.run), opacity: chart.kind === "lines" ? 1 : 0.75 };
      if (line.value) Object.assign(marker, { color: line.value, colorscale: "Viridis", showscale: true, colorbar: { thickness: 10, outlinewidth: 0 } });
      const trace = { type: "scatter", x: line.x, y: line.y, mode: line.mode, name: line.name, marker, showlegend: several && line.name !== "" };
      trace.line = { color: colour(line.run), width: 2, dash: line.dash ?? "solid" };
      if (chart.kind === "scatter" && line.text) Object.assign(trace, { text: line.text, hovertemplate: "%{text}<br>label %{x:.4g}, answer %{y:.4g}<extra></extra>" });
      if (chart.kind === "scatter" && !line.text) trace.hoverinfo = "skip";
      if (chart.kind === "map") Object.assign(trace, { text: line.text, customdata: line.at, hoverinfo: chart.thumbs ? "none" : "text" });
      if (chart.kind === "lines") trace.hovertemplate = "%{y:.5g}" + (several ? "" : "<extra></extra>");
      return trace;
    });
  }

  function layout(chart) {
    const bare = chart.kind === "map";
    const axis = { gridcolor: style("--grid"), zeroline: false, linecolor: style("--line"), automargin: true, exponentformat: "e", showgrid: !bare, showticklabels: !bare };
    const plan = {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { color: style("--ink"), size: 12, family: "system-ui, sans-serif" },
      margin: { l: bare ? 8 : 48, r: 8, t: 8, b: bare ? 8 : 40 }, hovermode: chart.kind === "lines" ? "x unified" : "closest",
      hoverlabel: { bgcolor: style("--card"), bordercolor: style("--line"), font: { color: style("--ink") } },
      legend: { orientation: "h", y: bare ? -0.02 : chart.kind === "lines" ? -0.32 : -0.2, yanchor: "top", x: 0, font: { size: 11 } }, xaxis: { ...axis, title: { text: chart.x } }, yaxis: { ...axis, title: { text: chart.y } }, dragmode: "zoom",
    };
    if (chart.shown && chart.thumbs) {
      const every = (key) => chart.lines.flatMap((line) => line[key]);
      const span = (values) => Math.max(...values) - Math.min(...values) || 1;
      const [w, h] = [span(every("x")) / 14, span(every("y")) / 11];
      plan.images = chart.shown.map(([x, y, at]) => ({
        source: chart.thumbs[at], x, y, sizex: w, sizey: h, xref: "x", yref: "y", xanchor: "center", yanchor: "middle", layer: "above", opacity: 0.9,
      }));
    }
    return plan;
  }

  function draw(place) {
    const chart = data.charts[place.dataset.chart];
    if (!place.clientWidth) return;
    const first = !place.dataset.drawn;
    place.dataset.drawn = "yes";
    Plotly.react(place, traces(chart), layout(chart), { responsive: true, displaylogo: false, displayModeBar: false, doubleClick: "reset" });
    if (first && chart.thumbs) watch(place, chart);
  }

  function watch(place, chart) {
    place.on("plotly_hover", (found) => {
      const point = found.points[0], picture = document.createElement("img"), words = document.createElement("div");
      picture.src = chart.thumbs[point.customdata];
      picture.alt = "";
      words.textContent = data.names[place.dataset.chart][point.customdata];
      hover.replaceChildren(picture, words);
      hover.style.display = "block";
      hover.style.left = Math.max(4, Math.min(found.event.clientX + 14, innerWidth - 236)) + "px";
      hover.style.top = Math.max(4, Math.min(found.event.clientY + 14, innerHeight - 170)) + "px";
    });
    place.on("plotly_unhover", () => (hover.style.display = "none"));
  }

  const soon = new IntersectionObserver((seen) => {
    for (const one of seen) if (one.isIntersecting) { soon.unobserve(one.target); draw(one.target); }
  }, { rootMargin: "400px" });

  function paint() {
    root.dataset.theme = theme();
    button.textContent = theme() === "dark" ? "Light" : "Dark";
    for (const swatch of document.querySelectorAll(".swatch")) swatch.style.background = colour(Number(swatch.dataset.run));
    for (const place of document.querySelectorAll("[data-drawn]")) draw(place);
  }
  button.addEventListener("click", () => { chosen = theme() === "dark" ? "light" : "dark"; paint(); });
  system.addEventListener("change", paint);
  paint();
  for (const place of document.querySelectorAll(".chart")) soon.observe(place);
})();
