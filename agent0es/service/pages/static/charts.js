// Line charts by uPlot, in the colours of the page, and the map of tasks. Data comes as JSON; nothing is built from text.
"use strict";

const charts = {
  known: new Map(),

  colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  },

  // Draw or redraw one chart. `plot`: x, series of {label, y, dash}, unit, share.
  draw(box, plot) {
    const name = box.dataset.plot;
    const labels = plot.series.map((one) => one.label).join("\n");
    const data = [plot.x, ...plot.series.map((one) => one.y)];
    const drawn = this.known.get(name);
    box.hidden = plot.x.length < 2 || plot.series.length === 0;
    if (box.hidden) return;
    if (drawn && drawn.labels === labels && drawn.box === box) {
      drawn.chart.setData(data);
      return;
    }
    if (drawn) drawn.chart.destroy();
    this.known.set(name, { labels, box, plot, chart: new uPlot(this.options(box, plot), data, box) });
  },

  options(box, plot) {
    const axis = {
      stroke: this.colour("--dim"),
      grid: { stroke: this.colour("--line"), width: 1 },
      ticks: { stroke: this.colour("--line"), width: 1, size: 4 },
      font: "12px system-ui, sans-serif",
    };
    const shown = (_, value) => (value == null ? "–" : Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3));
    return {
      width: Math.max(200, box.clientWidth),
      height: box.dataset.tall ? 270 : 210,
      scales: { x: { time: false }, y: plot.share ? { range: [0, 1] } : { range: (_, low, high) => [Math.min(0, low), high <= low ? low + 1 : high * 1.05] } },
      axes: [{ ...axis, size: 34 }, { ...axis, size: 46 }],
      cursor: { points: { size: 7 }, y: false },
      series: [
        { label: plot.unit, value: shown },
        ...plot.series.map((one, n) => ({
          label: one.label,
          stroke: this.colour(`--line-${(n % 6) + 1}`),
          width: 2,
          dash: one.dash ? [5, 4] : undefined,
          points: { show: plot.x.length < 25, size: 5 },
          spanGaps: true,
          value: shown,
        })),
      ],
    };
  },

  drawAll(plots) {
    for (const box of document.querySelectorAll("[data-plot]")) {
      const plot = plots[box.dataset.plot];
      if (plot) this.draw(box, plot);
    }
  },

  again() {
    for (const [name, drawn] of [...this.known]) {
      const data = drawn.chart.data;
      drawn.chart.destroy();
      this.known.set(name, { ...drawn, chart: new uPlot(this.options(drawn.box, drawn.plot), data, drawn.box) });
    }
    map.draw();
  },
};

// Tasks as points. All are known at once; those after the page's position are not drawn.
const map = {
  points: [],
  at: Infinity,

  async load() {
    this.box = document.querySelector("[data-map]");
    if (!this.box) return;
    const given = document.getElementById("points"); // in a file by itself
    if (given) {
      this.points = JSON.parse(given.textContent);
    } else {
      const answer = await fetch(this.box.dataset.map, { headers: { Accept: "application/json" } });
      if (!answer.ok) return;
      this.points = await answer.json();
    }
    this.draw();
    this.box.onpointermove = (event) => this.point(event);
    this.box.onpointerleave = () => this.tip(null);
    this.box.onclick = (event) => {
      const found = this.nearest(event);
      if (found && !given) location.href = `${this.box.dataset.map.replace(/\/map$/, "")}/tasks/${found.task}`;
    };
  },

  show(at) {
    this.at = at;
    this.draw();
  },

  place(one, width, height) {
    return [(one.x + 1.06) / 2.12 * width, (1.06 - one.y) / 2.12 * height];
  },

  draw() {
    const canvas = document.getElementById("map");
    if (!canvas || !this.box) return;
    const width = canvas.clientWidth, height = canvas.clientHeight, ratio = window.devicePixelRatio || 1;
    canvas.width = width * ratio;
    canvas.height = height * ratio;
    const pen = canvas.getContext("2d");
    pen.scale(ratio, ratio);
    const line = charts.colour("--line-1"), open = charts.colour("--dim");
    const shown = this.points.filter((one) => one.position <= this.at);
    for (const one of shown) {
      const [x, y] = this.place(one, width, height);
      const done = one.completed !== null && one.completed <= this.at;
      pen.beginPath();
      pen.arc(x, y, shown.length > 400 ? 2.5 : 4, 0, 2 * Math.PI);
      pen.globalAlpha = done ? 0.15 + 0.85 * one.rate : 0.9;
      pen.fillStyle = line;
      if (done) pen.fill();
      pen.globalAlpha = 0.75;
      pen.strokeStyle = done ? line : open;
      pen.stroke();
    }
    const note = document.getElementById("mapnote");
    if (note) note.textContent = shown.length ? `${shown.length} of ${this.points.length} tasks` : "No task was embedded yet.";
  },

  nearest(event) {
    const canvas = document.getElementById("map"), frame = canvas.getBoundingClientRect();
    const x = event.clientX - frame.left, y = event.clientY - frame.top;
    let best = null, least = 144;
    for (const one of this.points) {
      if (one.position > this.at) continue;
      const [a, b] = this.place(one, frame.width, frame.height);
      const far = (a - x) ** 2 + (b - y) ** 2;
      if (far < least) [best, least] = [one, far];
    }
    return best;
  },

  point(event) {
    this.tip(this.nearest(event));
  },

  tip(one) {
    const tip = document.getElementById("tip"), canvas = document.getElementById("map");
    if (!tip) return;
    tip.style.visibility = one ? "visible" : "hidden";
    canvas.style.cursor = one ? "pointer" : "";
    if (!one) return;
    const rate = one.rate === null || one.completed > this.at ? "open" : `solve rate ${one.rate.toFixed(2)}`;
    tip.textContent = `task ${one.task}: ${one.family.replaceAll("_", " ")}, ${rate}`;
    const [x, y] = this.place(one, canvas.clientWidth, canvas.clientHeight);
    tip.style.left = `${Math.min(x + 8, canvas.clientWidth - tip.offsetWidth)}px`;
    tip.style.top = `${y + 8}px`;
  },
};
