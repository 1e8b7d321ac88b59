// The cloud's page: one state a second, of everything.
(() => {
  const { part, text, kind, number, bytes, ms, rows, chart } = page;
  const STEPS = { receive: "receiving", decode: "decoding", queue: "waiting", tail: "the tail", top: "the answer" };
  const STATES = { ready: ["ready", "good"], silent: ["its workers do not answer; what was seen last", "bad"] };
  const put = (id, value) => text(part(id), value);
  const show = (id, shown) => { if (part(id).hidden === shown) part(id).hidden = !shown; };
  const rate = (value) => `${bytes(value)}/s`;
  const listed = (counts) => Object.entries(counts).sort((one, other) => other[1] - one[1])
    .map(([name, count]) => `${name} ${number(count)}`).join(", ");
  const whole = (value) => Math.round(value).toLocaleString("en");
  const span = (s) => {
    if (s < 120) return `${Math.floor(s)} s`;
    const minutes = Math.floor(s / 60), hours = Math.floor(minutes / 60), days = Math.floor(hours / 24);
    if (hours < 1) return `${minutes} min`;
    return days < 1 ? `${hours} h ${minutes % 60} min` : `${days} d ${hours % 24} h`;
  };
  const size = (shape) => (Array.isArray(shape[0]) ? shape.map(size).join(", ") : shape.join(" × "));

  function tiles(state) {
    const { now, queue } = state;
    put("frames", number(now.frames_per_s));
    put("median", ms(now.median_ms));
    put("slow", ms(now.slow_ms));
    put("bytes", rate(now.bytes_per_s));
    put("queue", `${whole(queue.depth || 0)} / ${whole(queue.capacity || 0)}`);
    kind(part("queue"), queue.depth > 0.8 * queue.capacity ? "bad" : "");
    put("refused", number(now.refused_per_s));
    kind(part("refused"), now.refused_per_s > 0 ? "bad" : "");
    put("cores", number(now.cores));
    put("active", whole(state.clients.active));
  }

  function charts({ history }) {
    const draw = (id, title, unit, layers) => chart(part(id), history, layers, { title, unit });
    draw("frames-chart", "Frames a second", number, [
      { values: history.frames, colour: "cloud", name: "answered" }, { values: history.refused, colour: "bad", name: "refused" }]);
    draw("latency-chart", "Latency", ms, [
      { values: history.slow_ms, colour: "edge", name: "99 of 100" }, { values: history.median_ms, colour: "cloud", name: "median" }]);
    draw("bytes-chart", "Received a second", bytes, [{ values: history.bytes, colour: "cloud", name: "received" }]);
    draw("queue-chart", "Frames that wait", number, [{ values: history.queue, colour: "warn", name: "waiting" }]);
  }

  function clients({ shown, others }) {
    const all = shown.map((each) => ({ ...each, key: `c${each.name}` }));
    if (others.clients) all.push({ ...others, key: "others", name: `${whole(others.clients)} others` });
    show("nobody", !all.length);
    show("clients-box", all.length > 0);
    rows(part("clients"), all, (each) => each.key, (each) => {
      const refused = listed(each.refused);
      return [each.name, number(each.frames_per_s), rate(each.bytes_per_s), whole(each.frames), bytes(each.bytes),
        [refused || "none", refused ? "bad" : "dim"], page.ago(each.quiet_s)];
    });
    for (const row of part("clients").rows) row.dataset.client = row.cells[0].textContent;
  }

  function networks(state) {
    rows(part("networks"), state.networks, (each) => each.fingerprint, (each) => [
      each.name, each.task, each.weights, each.fingerprint, `${each.engine}, ${each.precision}, ${each.device}`,
      each.current ? ["current", "good"] : ["earlier", "dim"], page.ago(each.idle_s), bytes(each.bundle_bytes)]);
    const tails = state.networks.flatMap((network) => network.tails.map((tail) => ({ ...tail, network })));
    rows(part("tails"), tails, (each) => `${each.network.fingerprint} ${each.split_point}`, (each) => [
      each.split_point + (each.default ? " (default)" : ""), each.network.name, whole(each.frames), ms(each.lately_ms), ms(each.alone_ms),
      each.ready ? ["yes", "good"] : ["when asked for", "dim"]]);
  }

  function batches({ bounds, runs, mean, most }) {
    const all = runs.reduce((sum, each) => sum + each, 0);
    const name = (place) => {
      const low = place ? bounds[place - 1] + 1 : 1, high = bounds[place];
      if (high === undefined) return `${low} and more`;
      return low === high ? `${low}` : `${low} to ${high}`;
    };
    put("batches-caption", `${whole(all)} runs of tails since the start, ${number(mean)} frames in the mean, ${whole(most)} at most`);
    const there = runs.map((count, place) => ({ count, place })).filter((each) => each.count);
    rows(part("batches"), there, (each) => each.place, (each) => [name(each.place), whole(each.count), page.percent(each.count / all)]);
  }

  function facts(state) {
    const { queue, bundles } = state;
    put("about", `${state.version}, up for ${span(state.uptime_s)}`);
    put("version", state.version);
    put("uptime", span(state.uptime_s));
    put("processor", state.processor);
    put("cloud", state.cloud);
    put("memory", bytes(state.workers.reduce((sum, each) => sum + (each.memory_bytes || 0), 0)));
    put("connections", number(queue.connections));
    put("held", bytes(queue.buffered_bytes));
    put("under-way", `${number(queue.under_way)} frames`);
    put("bundles", bundles.served ? `served; ${number(bundles.under_way)} under way, sent: ${listed(bundles.sent) || "none"}` : "not served");
    put("changes", listed(state.network_changes) || "none");
    kind(part("changes"), state.network_changes.failed ? "bad" : "");
  }

  function all(state) {
    const [said, name] = STATES[state.state] || [state.state, "warn"];
    put("state", said);
    kind(part("state"), name);
    if (!state.now) return;
    tiles(state);
    charts(state);
    clients(state.clients);
    const reasons = Object.entries(state.refused).sort((one, other) => other[1] - one[1]);
    show("refusals-box", reasons.length > 0);
    rows(part("refusals"), reasons, (each) => each[0], ([reason, count]) => [reason, whole(count)]);
    networks(state);
    batches(state.batches);
    rows(part("steps"), Object.entries(state.now.steps_ms), (each) => each[0], ([step, took]) => [STEPS[step] || step, ms(took)]);
    facts(state);
    show("profiles-box", state.profiles.length > 0);
    rows(part("profiles"), state.profiles, (each) => each.name, (each) => [
      each.name, each.split_point, size(each.shape), bytes(each.bytes), bytes(each.held_bytes), ms(each.decode_ms)]);
    show("workers-box", state.workers.length > 1);
    rows(part("workers"), state.workers, (each) => each.number, (each) => {
      if (each.state === "silent") return [each.number, ["does not answer", "bad"], "–", "–", "–", "–", "–"];
      return [each.number, [each.state, each.state === "ready" ? "good" : "warn"], number(each.frames_per_s), whole(each.queue),
        number(each.cores), bytes(each.memory_bytes), span(each.uptime_s)];
    });
  }

  let latest = {};
  page.follow("page/events", (state) => { latest = state; all(state); }, (connected, why) => {
    if (connected) { if (latest.state) all(latest); return; }
    put("state", `no connection: ${why}`);
    kind(part("state"), "bad");
  });
  addEventListener("resize", () => { if (latest.history) charts(latest); });
})();
