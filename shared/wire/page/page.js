// What the pages have in common: the stream of states, formats, lists and charts. Foreign text becomes text nodes only.
const page = (() => {
  const LOST_MS = 1800;
  let heard = performance.now();

  // --- the stream ---
  // show(state) gets every state; tell(connected, why) is called whenever that changes.
  function follow(url, show, tell) {
    let source = null, connected = null, said = "", pause = 500, again = 0, crowded = false;
    const say = (now, why) => {
      if (now === connected && why === said) return;
      [connected, said] = [now, why];
      document.documentElement.classList.toggle("lost", !now);
      tell(now, why);
    };
    const news = () => { crowded = false; heard = performance.now(); pause = 500; say(true, ""); };
    const stop = () => { clearTimeout(again); if (source) source.close(); source = null; };
    const start = () => {
      stop();
      if (document.hidden) return;
      source = new EventSource(url);
      source.onopen = news;
      source.onmessage = (event) => { news(); show(JSON.parse(event.data)); };
      source.addEventListener("beat", news);
      source.addEventListener("over", retry);
      source.onerror = retry;
    };
    // Not the browser's own way to connect again: it gives up at the first answer that is an error.
    async function retry() {
      stop();
      const head = (address) => fetch(address, { method: "HEAD", cache: "no-store", signal: AbortSignal.timeout(4000) });
      try {
        crowded = (await head(url)).status === 503;
        const answer = await head(location.pathname);
        if (answer.status === 401 || answer.status === 403) { location.reload(); return; }
      } catch { /* nobody is there */ }
      clearTimeout(again);
      again = setTimeout(start, pause);
      pause = Math.min(2 * pause, 5000);
    }
    setInterval(() => {
      if (document.hidden || performance.now() - heard < LOST_MS) return;
      say(false, crowded ? "as many pages are open as may be; trying again" : "no word for 2 s; trying again");
      if (source && performance.now() - heard > 3 * LOST_MS) { heard = performance.now(); retry(); }
    }, 200);
    document.addEventListener("visibilitychange", () => {
      heard = performance.now();
      if (document.hidden) stop(); else start();
    });
    start();
  }

  // --- text ---
  // Only what changes is touched: readers and selections keep their place.
  function text(element, value) {
    const wanted = value === null || value === undefined ? "–" : String(value);
    if (element.textContent !== wanted) element.textContent = wanted;
    return element;
  }
  function kind(element, name) { if (element.dataset.kind !== name) { element.dataset.kind = name; element.className = name; } }
  const number = (value, digits = 3) => {
    if (value === null || value === undefined || !isFinite(value)) return "–";
    if (value !== 0 && Math.abs(value) < 1e-3) return "0";
    const whole = Math.abs(value) >= 10 ** (digits - 1);
    return whole ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(digits)));
  };
  const bytes = (value) => {
    if (value === null || value === undefined) return "–";
    for (const [unit, size] of [["GB", 1e9], ["MB", 1e6], ["kB", 1e3]]) if (value >= size) return `${number(value / size)} ${unit}`;
    return `${Math.round(value)} B`;
  };
  const ms = (value) => (value === null || value === undefined ? "–" : `${number(value)} ms`);
  const percent = (share) => (share === null || share === undefined ? "–" : `${number(100 * share)} %`);
  const ago = (s) => {
    if (s === null || s === undefined) return "never";
    if (s < 1) return "now";
    if (s < 120) return `${Math.round(s)} s ago`;
    return s < 7200 ? `${Math.round(s / 60)} min ago` : `${Math.round(s / 3600)} h ago`;
  };

  // --- lists ---
  // One child for each item, by its key, in the items' order; `make(item)` gives a new element, `update(element, item)` fills it.
  function keyed(parent, items, key, make, update) {
    const known = parent.known || (parent.known = new Map());
    const wanted = new Set();
    let place = null;
    for (const item of items) {
      const name = key(item);
      if (wanted.has(name)) continue;
      wanted.add(name);
      let element = known.get(name);
      if (!element) { element = make(item); known.set(name, element); }
      const next = place ? place.nextSibling : parent.firstChild;
      if (element !== next) parent.insertBefore(element, next);
      place = element;
      update(element, item);
    }
    for (const [name, element] of known) if (!wanted.has(name)) { known.delete(name); element.remove(); if (element.gone) element.gone(); }
  }
  // Rows of a table: each an array of cells, a cell a text, or [text, class]. Numbers stand to the right where the head's cell has class n.
  function rows(body, items, key, cells) {
    const heads = body.closest("table").tHead.rows[0].cells;
    keyed(body, items, key, () => document.createElement("tr"), (row, item) => {
      cells(item).forEach((cell, place) => {
        const [value, name] = Array.isArray(cell) ? cell : [cell, ""];
        if (!row.cells[place]) {
          const made = document.createElement(place ? "td" : "th");
          if (!place) made.scope = "row";
          row.append(made);
        }
        text(row.cells[place], value);
        kind(row.cells[place], [name, heads[place].classList.contains("n") ? "n" : ""].filter(Boolean).join(" "));
      });
    });
  }
  const part = (id) => document.getElementById(id);
  const copy = (id) => part(id).content.firstElementChild.cloneNode(true);

  // --- charts ---
  let colours = {};
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { colours = {}; });
  function colour(name) {
    return colours[name] || (colours[name] = getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim());
  }
  // The canvas in the screen's own pixels, empty.
  function paper(canvas) {
    const scale = Math.min(devicePixelRatio || 1, 2), width = canvas.clientWidth, height = canvas.clientHeight;
    if (!width || !height) return null;
    const across = Math.round(width * scale), down = Math.round(height * scale);
    if (canvas.width !== across || canvas.height !== down) { canvas.width = across; canvas.height = down; }
    const pen = canvas.getContext("2d");
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, width, height);
    return { pen, width, height };
  }
  function above(value) {
    if (!(value > 0)) return 1;
    const ten = 10 ** Math.floor(Math.log10(value));
    for (const step of [1, 2, 5, 10]) if (value <= step * ten) return step * ten;
    return value;
  }
  // series: its `slots` numbers of `step_s` seconds each are as many as the chart is wide; there may be fewer, and the last one is now.
  // layers: [{values, colour, name}], oldest value first, null where nothing was measured. `stacked`: filled, one on the other.
  function chart(canvas, series, layers, { unit = number, stacked = false, title = "" } = {}) {
    const now = performance.now();
    if (now - canvas.drawn < 900) return;
    canvas.drawn = now;
    const sheet = paper(canvas), count = Math.max(2, series.slots), seconds = series.slots * series.step_s;
    layers = layers.map((layer) => ({ ...layer, values: new Array(Math.max(0, count - layer.values.length)).fill(null).concat(layer.values).slice(-count) }));
    if (stacked) layers = layers.filter((layer, place) => !place || layer.values.some((value) => value > 0));
    const all = layers.map((layer) => layer.values);
    const sums = Array.from({ length: count }, (_, place) => all.reduce((sum, values) =>
      (stacked ? sum + (values[place] || 0) : Math.max(sum, values[place] || 0)), 0));
    const most = above(Math.max(...sums));
    const last = layers.map((layer) => `${layer.name} ${unit(layer.values[count - 1])}`).join(", ");
    const told = `${title}: ${last}; at most ${unit(Math.max(...sums))} in the last ${Math.round(seconds / 60)} minutes`;
    if (!canvas.told || now - canvas.told > 5000) { canvas.told = now; canvas.setAttribute("aria-label", told); }
    if (!sheet) return;
    const { pen, width, height } = sheet, small = height < 60, top = small ? 2 : 14, foot = small ? 2 : 16, floor = height - foot;
    const x = (place) => (place * width) / (count - 1), y = (value) => floor - (value / most) * (floor - top);
    pen.strokeStyle = colour("line");
    pen.lineWidth = 1;
    for (const part of small ? [0] : [0, 0.5, 1]) {
      pen.beginPath(); pen.moveTo(0, y(part * most) + 0.5); pen.lineTo(width, y(part * most) + 0.5); pen.stroke();
    }
    const base = new Array(count).fill(0);
    for (const layer of layers) {
      pen.fillStyle = pen.strokeStyle = colour(layer.colour);
      pen.lineWidth = 1.5;
      const points = [];
      for (let place = 0; place <= count; place++) {
        const value = layer.values[place];
        // Nothing lies on nothing: a layer of zeros would hide the line of the one below.
        const shown = stacked ? value || layer.values[place - 1] || layer.values[place + 1] : value !== null && value !== undefined;
        if (place < count && shown) { points.push([place, base[place] + (value || 0), base[place]]); continue; }
        if (points.length) stroke(points.splice(0));
      }
      if (stacked) layer.values.forEach((value, place) => { base[place] += value || 0; });
    }
    function stroke(points) {
      pen.beginPath();
      points.forEach(([place, high]) => pen.lineTo(x(place), y(high)));
      if (points.length === 1) pen.lineTo(x(points[0][0]) + 1.5, y(points[0][1]));
      pen.stroke();
      if (!stacked) return;
      for (const [place, , low] of points.slice().reverse()) pen.lineTo(x(place), y(low));
      pen.globalAlpha = 0.45; pen.fill(); pen.globalAlpha = 1;
    }
    if (small) return;
    pen.fillStyle = colour("dim");
    pen.font = "12px system-ui, sans-serif";
    pen.textBaseline = "bottom";
    pen.textAlign = "left"; pen.fillText(unit(most), 0, top - 1); pen.fillText(`${Math.round(seconds / 60)} min ago`, 0, height);
    pen.textAlign = "right"; pen.fillText("now", width, height);
    let edge = width;
    for (const layer of layers.slice().reverse()) {
      pen.fillStyle = colour(layer.colour);
      if (layers.length > 1) { pen.fillText(layer.name, edge, top - 1); edge -= pen.measureText(layer.name).width + 10; }
    }
  }

  return { follow, text, kind, number, bytes, ms, percent, ago, keyed, rows, part, copy, colour, paper, chart };
})();
