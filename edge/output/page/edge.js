// The edge's page: state in, elements out. A picture is drawn together with the boxes of its own frame, or not at all.
(() => {
  const { part, copy, text, kind, keyed, rows, number, bytes, ms, percent, ago, chart } = page;
  const STATUS = {
    live: ["running", "good"], waiting: ["no frame yet", "warn"], ended: ["its source has ended", "dim"],
    silent: ["no frames any more", "bad"], down: ["lost, being connected again", "bad"], broken: ["broken down", "bad"],
  };
  const TROUBLE = ["silent", "down", "broken"];
  const WHO = { cloud: "the cloud", edge: "this edge", still: "an earlier answer, as the scene stands still", nobody: "nobody" };
  const WHY = {
    chosen: "chosen by the settings; the planner is not asked", first: "the planner's first choice",
    limit: "as the plan before missed a limit", clear: "as it is clearly better than the one before",
    small: "as it has long been a little better than the one before",
  };
  const CLOUD = { not_asked: ["not asked yet", "dim"], closed: ["answers", "good"], open: ["away", "bad"], half_open: ["being tried", "warn"] };
  const GOAL = { latency: "the shortest latency", throughput: "the most frames", bytes: "the fewest bytes" };
  const STROKES = ["#ffd400", "#4dd2ff", "#ff8ad8", "#7dff7a", "#ffa64d", "#c9a6ff", "#ff7a7a", "#66ffe0"];

  const PATIENCE_MS = 10000, OLD_MS = 4000, FIRST_MS = 2000, MANY = 12;

  let state = null;
  const cards = new Map();

  // --- pictures ---
  // Which cards are on the screen; only those cost the edge a picture.
  const visible = new Set();
  const sight = new IntersectionObserver((entries) => {
    for (const entry of entries) entry.isIntersecting ? visible.add(entry.target.key) : visible.delete(entry.target.key);
    look();
  }, { rootMargin: "100px" });
  let looking = false;
  async function look() {
    if (looking || document.hidden || !state || !state.pictures || !visible.size) return;
    looking = true;
    try { await fetch(`/watch?${[...visible].map((name) => `camera=${encodeURIComponent(name)}`).join("&")}`, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) }); } catch { /* lost */ }
    looking = false;
  }
  setInterval(look, 1000);

  async function fetchPicture(card, record) {
    if (card.fetching) return;
    card.fetching = true;
    try {
      const answer = await fetch(`/snapshot/${encodeURIComponent(card.key)}.jpg?frame=${record.frame}`, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
      if (answer.ok && answer.headers.get("X-Frame-Id") === record.frame_id) {
        const bitmap = await createImageBitmap(await answer.blob());
        if (card.isConnected) { draw(card, record, bitmap); tell(card, record); }
        bitmap.close();
      }
    } catch { /* lost: the next state names another */ } finally { card.fetching = false; }
  }

  function hue(label) {
    let sum = 0;
    for (let place = 0; place < label.length; place++) sum = (31 * sum + label.charCodeAt(place)) >>> 0;
    return STROKES[sum % STROKES.length];
  }
  // The picture if there is one, black if not, and over it the boxes of the same record.
  function draw(card, record, bitmap) {
    const canvas = card.parts.picture, [left, top, wide, high] = record.part || [0, 0, ...(record.size || [4, 3])];
    const across = bitmap ? bitmap.width : Math.min(640, wide), down = bitmap ? bitmap.height : Math.max(1, Math.round((across * high) / wide));
    if (canvas.width !== across || canvas.height !== down) { canvas.width = across; canvas.height = down; }
    const pen = canvas.getContext("2d");
    pen.fillStyle = "#000";
    if (bitmap) pen.drawImage(bitmap, 0, 0); else pen.fillRect(0, 0, across, down);
    const sx = across / wide, sy = down / high, line = Math.max(2, across / 240), size = Math.max(13, across / 36);
    pen.font = `600 ${size}px system-ui, sans-serif`;
    pen.textBaseline = "top";
    const boxes = (record.boxes || []).map(([label, score, x0, y0, x1, y1]) =>
      ({ label, score, x: (x0 - left) * sx, y: (y0 - top) * sy, w: (x1 - x0) * sx, h: (y1 - y0) * sy }));
    const sign = (label, share, x, y) => {
      const words = share === null ? label : `${label} ${percent(share)}`, width = pen.measureText(words).width + 6;
      const at = Math.max(0, Math.min(x, across - width));
      pen.fillStyle = hue(label); pen.fillRect(at, y, width, size + 4);
      pen.fillStyle = "#000"; pen.fillText(words, at + 3, y + 2);
    };
    for (const { label, score, x, y, w, h } of boxes.slice().reverse()) {
      pen.lineWidth = line + 2; pen.strokeStyle = "#000"; pen.strokeRect(x, y, w, h);
      pen.lineWidth = line; pen.strokeStyle = hue(label); pen.strokeRect(x, y, w, h);
      sign(label, score, x, y >= size + 4 ? y - size - 4 : y);
    }
    if (!record.boxes) record.findings.slice(0, 3).forEach(([label, share], place) => sign(label, share, 0, down - (size + 6) * (Math.min(3, record.findings.length) - place)));
    canvas.dataset.frame = record.frame;
    canvas.dataset.boxes = JSON.stringify(boxes.map(({ label, x, y, w, h }) => [label, x, y, x + w, y + h]));
    canvas.setAttribute("aria-label", `${bitmap ? "Picture" : "Boxes, without the picture,"} of camera ${card.key}, frame ${record.frame}: ${record.headline || "no answer"}`);
    canvas.hidden = false;
    card.drawn = record.frame;
    card.behind = 0;
    card.hasPicture = Boolean(bitmap);
  }

  // --- one camera ---
  function makeCard(camera) {
    const card = copy("camera-card"), id = `camera-${camera.key}`;
    card.key = camera.key;
    card.since = performance.now();
    card.parts = {};
    for (const element of card.querySelectorAll("[data-part]")) card.parts[element.dataset.part] = element;
    const title = card.querySelector("h3");
    title.id = id;
    text(title, camera.name);
    card.setAttribute("aria-labelledby", id);
    card.dataset.camera = camera.key;
    card.parts.picture.hidden = true;
    card.gone = () => { sight.unobserve(card); visible.delete(card.key); cards.delete(card.key); };
    cards.set(camera.key, card);
    sight.observe(card);
    return card;
  }
  // What is said of one frame: of the picture's where a picture is seen.
  function tell(card, record) {
    const parts = card.parts;
    text(parts.headline, record.headline || "no answer");
    text(parts.frame, record.damaged ? `${record.frame}, damaged` : record.frame);
    const who = record.answered_by === "cloud" && record.cloud ? `the cloud at ${record.cloud}` : WHO[record.answered_by] || record.answered_by;
    text(parts.who, record.fallback ? `${who} (${record.fallback.replaceAll("_", " ")})` : who);
    kind(parts.who, record.answered_by === "nobody" ? "bad" : record.answered_by);
    text(parts.latency, ms(record.latency_ms));
    text(parts.sent, bytes(record.payload_bytes));
    text(parts.plan, record.codec === "none" ? record.split_point : `${record.split_point} ${record.codec}`);
    const found = record.findings.map(([name, share]) => (share === null ? name : `${name} ${percent(share)}`));
    if (record.more) found.push(`and ${record.more} more boxes`);
    keyed(parts.findings, found.map((words, place) => ({ words, place })), (item) => item.place, () => document.createElement("li"), (item, { words }) => text(item, words));
  }
  function showCamera(card, camera) {
    const parts = card.parts, [word, tone] = STATUS[camera.status] || [camera.status, "dim"];
    const lost = TROUBLE.includes(camera.status), old = lost ? ` (${ago(camera.age_s)})` : "";
    text(parts.status, word + old);
    kind(parts.status, tone);
    card.classList.toggle("trouble", lost);
    card.classList.toggle("stale", lost);
    card.dataset.status = camera.status;
    text(parts.rate, `${number(camera.per_s)} frames/s`);
    const counts = camera.counts, undecodable = camera.undecodable;
    text(parts.counts, [["cloud", "by the cloud"], ["edge", "here"], ["still", "still"], ["dropped", "dropped"], ["failed", "without an answer"], ["left_out", "left out"]]
      .filter(([name]) => counts[name]).map(([name, words]) => `${number(counts[name], 9)} ${words}`)
      .concat(undecodable ? [`${undecodable} not decodable`] : []).join(", ") || "nothing");
    text(parts.source, camera.problem || camera.source || "");
    const { latest, picture } = camera;
    if (picture && picture.frame !== card.drawn) { if (visible.has(card.key)) fetchPicture(card, picture); }
    if (latest && latest.frame !== card.drawn && !card.behind) card.behind = performance.now();
    if (card.hasPicture && camera.status === "live" && card.behind && performance.now() - card.behind > OLD_MS) {
      card.hasPicture = false;
      parts.picture.hidden = true;
    }
    if (latest && !card.hasPicture) {
      tell(card, latest);
      const waits = state.pictures && camera.status === "live" && visible.has(card.key) && performance.now() - card.since < FIRST_MS;
      if (latest.boxes && latest.frame !== card.drawn && !waits) draw(card, latest, null);
    }
    text(parts["no-picture"], card.hasPicture ? "" : state.pictures ? (["live", "waiting"].includes(camera.status) ? "No picture yet." : "No picture: nobody looked when its last frame came.") : "Pictures are off on this edge (--page-pictures).");
    parts["no-picture"].hidden = card.hasPicture;
    if (visible.has(card.key)) chart(parts.chart, camera.series, [{ values: camera.series.latency_ms, colour: "text", name: "latency" }], { unit: ms, title: `Latency of camera ${camera.key}` });
  }
  function showCameras(cameras) {
    part("filter").hidden = cameras.length < 7;
    const wanted = part("filter-name").value.trim().toLowerCase(), trouble = part("filter-trouble").checked;
    const chosen = part("filter").hidden ? cameras : cameras.filter((camera) =>
      camera.key.toLowerCase().includes(wanted) && (!trouble || TROUBLE.includes(camera.status)));
    const bad = cameras.filter((camera) => TROUBLE.includes(camera.status)).map((camera) => camera.name);
    text(part("camera-count"), chosen.length < cameras.length ? `${chosen.length} of ${cameras.length}` : cameras.length);
    text(part("camera-news"), bad.length ? `Without frames: ${bad.slice(0, 8).join(", ")}${bad.length > 8 ? ` and ${bad.length - 8} more` : ""}` : "");
    kind(part("camera-news"), bad.length ? "bad" : "dim");
    part("cameras").classList.toggle("many", chosen.length > MANY);
    keyed(part("cameras"), chosen, (camera) => camera.key, makeCard, showCamera);
  }

  // --- all of them ---
  const lastOf = (values) => values[values.length - 1];
  function showNow({ series, cameras }) {
    const all = ["cloud", "edge", "still", "nobody"].map((who) => lastOf(series[who]) || 0), rate = all.reduce((sum, each) => sum + each, 0);
    const count = (name) => cameras.reduce((sum, camera) => sum + camera.counts[name], 0), dropped = count("dropped"), failed = count("failed");
    text(part("t-rate"), `${number(rate)}/s`);
    text(part("t-cloud"), rate ? percent(all[0] / rate) : "–");
    text(part("t-latency"), ms(lastOf(series.latency_ms)));
    text(part("t-bytes"), `${bytes(lastOf(series.bytes) || 0)}/s`);
    text(part("t-dropped"), number(dropped, 9));
    kind(part("t-dropped"), dropped ? "warn" : "");
    text(part("t-failed"), number(failed, 9));
    kind(part("t-failed"), failed ? "bad" : "");
    chart(part("c-frames"), series, [
      { values: series.cloud, colour: "cloud", name: "cloud" }, { values: series.edge, colour: "edge", name: "edge" },
      { values: series.still, colour: "still", name: "still" }, { values: series.nobody, colour: "bad", name: "nobody" },
    ], { stacked: true, title: "Frames answered a second" });
    chart(part("c-bytes"), series, [{ values: series.bytes, colour: "cloud", name: "sent" }], { unit: (value) => `${bytes(value)}/s`, stacked: true, title: "Bytes sent a second" });
    chart(part("c-latency"), series, [{ values: series.latency_ms, colour: "text", name: "latency" }], { unit: ms, title: "Latency" });
  }
  function showClouds(clouds) {
    rows(part("clouds"), clouds, (cloud) => cloud.cloud, (cloud) => [
      cloud.cloud, cloud.state === "closed" && !cloud.network ? ["not heard yet", "dim"] : CLOUD[cloud.state] || [cloud.state.replaceAll("_", " "), "warn"],
      cloud.network ? ms(cloud.round_trip_ms) : "–",
      cloud.throughput_bytes_per_s === null ? "not measured yet" : `${bytes(cloud.throughput_bytes_per_s)}/s`,
      cloud.under_way ?? "–", ms(cloud.expected_ms), cloud.network || "–",
    ]);
  }
  function showPlan(card, plan) {
    const parts = card.parts;
    text(parts.plan, plan.plan);
    text(parts.why, WHY[plan.why] || plan.why);
    const names = plan.cameras.length > 6 ? `${plan.cameras.length} cameras` : plan.cameras.join(", ");
    const goal = plan.objective ? `. Wanted: ${GOAL[plan.objective]}, agreement from ${number(plan.min_agreement)}${plan.max_latency_ms ? `, at most ${ms(plan.max_latency_ms)}` : ""}` : "";
    const carried = plan.overhead_bytes === undefined ? "" : `. Frames go ${plan.session ? "over a session" : "as requests"}, with ${bytes(plan.overhead_bytes)} around each payload`;
    const budget = plan.budget ? `. Of the hour's ${bytes(plan.budget.bytes_per_hour)}, ${bytes(plan.budget.left_bytes)} may still travel` : "";
    text(parts.whose, `For ${names}${goal}${plan.since_s === undefined ? "" : `. In force for ${Math.round(plan.since_s)} s`}${carried}${budget}`);
    const planned = Boolean(plan.now);
    parts.best.hidden = !planned;
    parts.options.closest(".wide").hidden = !planned;
    if (!planned) return;
    text(parts.best, plan.best === plan.plan ? `Of ${plan.options} plans this is the best one now.` : `Now the best one would be ${plan.best}; a change has to be worth it.`);
    rows(parts.options, [plan.now, ...plan.instead], (option) => option.plan, (option) => [
      option === plan.now ? `${option.plan} (in force)` : option.plan, ms(option.latency_ms), number(option.per_s), bytes(option.bytes),
      number(option.agreement), option.keeps ? "yes" : ["no", "warn"],
    ]);
  }
  function makePlan() {
    const card = copy("plan-card");
    card.parts = {};
    for (const element of card.querySelectorAll("[data-part]")) card.parts[element.dataset.part] = element;
    return card;
  }
  function showFaults(faults) {
    part("no-faults").hidden = faults.length > 0;
    part("faults-table").hidden = !faults.length;
    rows(part("faults"), faults, ([what]) => what, ([what, count, bad]) => [[what, bad ? "" : "dim"], number(count, 9)]);
  }
  function show(next) {
    const first = !state;
    state = next;
    text(part("edge"), next.edge);
    const title = `${next.edge} – SplitDNN edge`;
    if (document.title !== title) document.title = title;
    text(part("run"), `${next.state}${next.network ? `, ${next.network.name} (${next.network.fingerprint})` : ""}`);
    showNow(next);
    showCameras(next.cameras);
    showClouds(next.clouds);
    keyed(part("plans"), next.plans, (plan) => plan.cameras[0], makePlan, showPlan);
    part("no-plan").hidden = next.plans.length > 0;
    showFaults(next.faults);
    if (first) look();
  }
  part("filter").addEventListener("input", () => { if (state) showCameras(state.cameras); });
  part("filter").addEventListener("submit", (event) => event.preventDefault());
  page.follow("/events", show, (connected, why) => text(part("link-lost"), connected ? "" : `The edge is not heard: ${why}`));
})();
