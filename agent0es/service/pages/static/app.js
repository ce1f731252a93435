// What a page does by itself: the slider redraws the panels, new events come in, charts follow the window.
"use strict";

const slider = {
  shown: new Map(),

  begin() {
    this.box = document.querySelector(".time[data-run]");
    if (!this.box) return;
    this.run = this.box.dataset.run;
    this.input = document.getElementById("at");
    this.live = this.box.dataset.live === "yes";
    this.head = Number(this.box.dataset.head);
    this.span = null;
    this.input.addEventListener("input", () => this.go(Number(this.input.value)));
    this.input.addEventListener("change", () => this.settle());
    document.getElementById("live").addEventListener("click", (event) => {
      event.preventDefault();
      this.live = true;
      this.want(null);
    });
    for (const name of ["before", "after"]) {
      document.getElementById(name).addEventListener("click", (event) => {
        event.preventDefault();
        this.go(Number(new URL(event.currentTarget.href).searchParams.get("at")));
      });
    }
    document.addEventListener("click", (event) => {
      const link = event.target.closest("[data-goto]");
      if (!link || event.metaKey || event.ctrlKey) return;
      event.preventDefault();
      this.go(Number(link.dataset.goto));
    });
    document.addEventListener("keydown", (event) => this.key(event));
    window.addEventListener("popstate", () => {
      const at = new URLSearchParams(location.search).get("at");
      this.live = at === null;
      this.want(at === null ? null : Number(at), false);
    });
    map.show(this.live ? Infinity : Number(this.box.dataset.at));
    this.lookAgain(document.getElementById("status").textContent);
    this.listen();
  },

  key(event) {
    if (event.target.closest("input, textarea, select") || event.altKey || event.ctrlKey || event.metaKey) return;
    const name = { ",": "before", ".": "after", l: "live" }[event.key];
    if (name) document.getElementById(name).click();
  },

  go(at) {
    this.live = false;
    this.want(at);
  },

  // One request at a time; of positions that come meanwhile only the last is asked for.
  want(at, keep = true) {
    this.next = { at, keep };
    if (!this.busy) this.fetch();
  },

  async fetch() {
    this.busy = true;
    while (this.next) {
      const { at, keep } = this.next;
      this.next = null;
      try {
        const query = at === null ? `?known=${this.head}` : `?at=${at}`;
        const answer = await fetch(`${this.run}/panels${query}`, { headers: { Accept: "application/json" } });
        if (answer.ok) this.show(await answer.json(), at, keep);
      } catch (error) {
        document.getElementById("said").textContent = "The service does not answer.";
      }
    }
    this.busy = false;
  },

  show(found, at, keep) {
    for (const [name, html] of Object.entries(found.bodies)) {
      const box = document.querySelector(`[data-body="${name}"]`);
      if (box && this.shown.get(name) !== html) {
        box.innerHTML = html; // escaped by the server's templates
        this.shown.set(name, html);
      }
    }
    charts.drawAll(found.plots);
    map.show(at === null ? Infinity : found.at);
    this.span = found.span;
    this.input.max = Math.max(found.span.last, this.head);
    if (at === null || document.activeElement !== this.input) this.input.value = found.at;
    const status = document.getElementById("status");
    status.textContent = status.dataset.status = found.status;
    const where = document.getElementById("where");
    where.replaceChildren("event ", Object.assign(document.createElement("b"), { textContent: found.span.place.toLocaleString("en") }), ` of ${found.span.events.toLocaleString("en")}`);
    document.getElementById("before").href = `${this.run}?at=${found.span.before ?? found.span.first}`;
    document.getElementById("after").href = `${this.run}?at=${found.span.after ?? found.span.last}`;
    const live = document.getElementById("live");
    if (at === null) live.setAttribute("aria-current", "true");
    else live.removeAttribute("aria-current");
    for (const link of document.querySelectorAll("a[data-at]")) {
      const url = new URL(link.href);
      url.searchParams.set("at", found.at);
      link.href = url;
    }
    this.input.setAttribute("aria-valuetext", `event ${found.span.place} of ${found.span.events}`);
    this.lookAgain(found.status);
    if (keep) history.replaceState(null, "", at === null ? this.run : `${this.run}?at=${at}`);
  },

  // How a run stands changes without an event when its process ends.
  lookAgain(status) {
    clearTimeout(this.later);
    if (["running", "training"].includes(status)) this.later = setTimeout(() => this.live && this.want(null), 3000);
  },

  settle() {
    document.getElementById("said").textContent = document.getElementById("where").textContent;
  },

  // Events of this run as they come: at once into the list of events, the panels soon after.
  listen() {
    const source = new EventSource(`/live?after=${this.head}`);
    const name = decodeURIComponent(this.run.split("/")[2]);
    source.onmessage = (message) => {
      const rows = JSON.parse(message.data).filter((row) => row.stream.split("/")[1] === name);
      if (!rows.length) return;
      this.head = rows.at(-1).position;
      this.input.max = this.head;
      if (!this.live) return;
      this.ticker(rows.slice(-12));
      clearTimeout(this.soon);
      const since = performance.now() - (this.drawn || 0);
      this.soon = setTimeout(() => {
        this.drawn = performance.now();
        if (this.live) this.want(null);
      }, Math.max(0, 600 - since));
    };
  },

  ticker(rows) {
    const list = document.querySelector(".events");
    if (!list) return;
    this.shown.delete("event");
    for (const row of rows) {
      const item = document.createElement("li");
      item.className = "fresh";
      const link = Object.assign(document.createElement("a"), { href: `${this.run}?at=${row.position}`, textContent: row.position });
      link.dataset.goto = row.position;
      const type = Object.assign(document.createElement("span"), { className: "type", textContent: row.type });
      const stream = Object.assign(document.createElement("span"), { className: "dim stream", textContent: row.stream.split("/").slice(2).join("/") });
      item.append(link, " ", type, " ", stream);
      list.prepend(item);
    }
    while (list.children.length > 12) list.lastChild.remove();
  },
};

// A list of runs that is open shows what has changed since.
function refreshRuns() {
  const table = document.querySelector("[data-runs]");
  if (!table) return;
  const source = new EventSource(`/live?after=${table.dataset.runs}`);
  let soon = null;
  const refresh = (wait) => {
    soon ??= setTimeout(async () => {
      soon = null;
      const answer = await fetch("/runs/rows");
      if (!answer.ok) return refresh(1000);
      table.innerHTML = await answer.text(); // escaped by the server's templates
      for (const one of document.querySelectorAll("[data-none]")) one.hidden = (one.dataset.none === "yes") === (table.children.length > 0);
      if (table.querySelector('[data-status="running"], [data-status="training"]')) refresh(3000);
    }, wait);
  };
  source.onmessage = () => refresh(1000);
}

function begin() {
  const data = document.getElementById("plots");
  if (data) charts.drawAll(JSON.parse(data.textContent));
  slider.begin();
  map.load();
  refreshRuns();
  let resized = null;
  window.addEventListener("resize", () => {
    clearTimeout(resized);
    resized = setTimeout(() => charts.again(), 150);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => charts.again());
}

begin();
