// Shows what /_emulator/events tells. Text that came from outside only ever becomes text, never HTML.
const BEAT = 0.5; // seconds of a beat, as in pulse.py
const WIDTH = 600, BASE = 149, HEADROOM = 34, STEP = WIDTH / (60 / BEAT);
const FAULTS = {
  "429: the ten seconds are used up": { answer: "ten-secondly" },
  "429: the day is used up": { answer: "daily" },
  "500: an error of the server": { answer: "internal-error" },
  "500, although it was done": { answer: "internal-error", apply: true },
  "502: a page of HTML": { answer: "bad-gateway" },
  "503: come back in 2 seconds": { answer: "service-unavailable", headers: { "Retry-After": "2" } },
  "401: the token is no good": { answer: "invalid-token" },
  "404: there is no such message": { answer: "message-not-found" },
  "400: the body is refused": { answer: "validation-error" },
  "The answer comes 5 seconds late": { delay: 5 },
  "The connection is closed, nothing done": { drop: "before" },
  "The connection is closed, although it was done": { drop: "before", apply: true },
  "Half an answer": { drop: "half" },
};
const CALLS = {
  "Updates of messages": { method: "PATCH" },
  "Questions for messages": { method: "GET" },
  "All calls about messages": {},
  "Calls for a token": { path: "/oauth/" },
};
const STATUSES = { SENT: "Sent", READ: "Read", FAILED: "Failed", RECEIVED: "Received" };
const SVG = "http://www.w3.org/2000/svg";
const $ = (id) => document.getElementById(id);
const number = new Intl.NumberFormat("en");
const clockTime = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const still = matchMedia("(prefers-reduced-motion: reduce)");

let source, state = {}, heard = 0, paused = false, news = false, summed = 0, pictured = 0;
const shown = new Map(); // thread -> { node, told }

// ---- the stream

function listen() {
  source?.close();
  const asked = new URLSearchParams({ status: $("filter").querySelector(":checked").value, search: $("search").value });
  source = new EventSource(`/_emulator/events?${asked}`);
  source.onmessage = (event) => take(JSON.parse(event.data));
  source.onerror = () => {
    live(false);
    if (source.readyState === EventSource.CLOSED) setTimeout(listen, 1000); // it gives up when a stranger answers
  };
}

function take(told) {
  const { threads, beats } = told.anew ? {} : state;
  state = { ...(told.anew ? {} : state), ...told, threads: { ...threads, ...told.threads }, beats: { ...beats, ...told.beats } };
  for (const thread of Object.keys(state.threads)) if (!state.order.includes(Number(thread))) delete state.threads[thread];
  for (const beat of Object.keys(state.beats)) if (beat < state.clock[0] / BEAT - 122) delete state.beats[beat];
  heard = performance.now();
  news = paused && (news || Boolean(told.threads || told.anew));
  live(true);
  if (!paused) render(told);
}

function live(is) {
  document.body.dataset.live = is ? (paused ? "paused" : "yes") : "no";
  const heldBack = news ? "Paused, there is news" : "Paused";
  const words = is ? (paused ? heldBack : `Live, ${clockTime.format(state.clock[0] * 1000)}`) : "The emulator does not answer. Trying again …";
  if ($("live").textContent !== words) $("live").textContent = words;
  $("live").parentElement.ariaLive = is ? "off" : "polite"; // the ticking clock is for the eyes
}

// ---- everything beside the inbox

function render(told) {
  const [quota, ...others] = state.quotas;
  const seconds = number.format(state.window);
  $("about").textContent = `${location.host} · portal ${state.portal} · channel ${state.channels.join(", ")}`;
  $("used").textContent = number.format(quota.used);
  $("of").textContent = quota.limit === null ? "no limit" : `of ${number.format(quota.limit)} in the last ${seconds} seconds`;
  $("rate").textContent = number.format(Math.round(state.rate * 10) / 10);
  $("refused").textContent = number.format(state.refused);
  $("refused").parentElement.classList.toggle("some", state.refused > 0);
  $("tokens").textContent = number.format(state.tokens);
  $("faults").textContent = number.format(state.faults.length);
  $("day").hidden = quota.day_limit === null;
  $("day-text").textContent = `${number.format(quota.day_used)} of ${number.format(quota.day_limit ?? 0)}`;
  $("day-used").max = quota.day_limit ?? 1;
  $("day-used").value = quota.day_used;
  if (told.quotas || told.anew) list("others", others, (each) => [
    `App ${each.app} in portal ${each.portal}`,
    `${number.format(each.used)} of ${each.limit === null ? "any number" : number.format(each.limit)}`,
  ]);
  $("others").hidden = !others.length;
  if (told.faults) list("fault-list", state.faults, (each) => [each.text, each.times === null ? "always" : `${number.format(each.times)} ×`]);
  $("waiting").hidden = !state.faults.length;
  for (const status of ["SENT", "READ", "FAILED"]) $(`count-${status}`).textContent = number.format(state.counts[status] ?? 0);
  $("count-all").textContent = number.format(total());
  if (told.order || told.threads) renderThreads();
  drawPlot();
  summarise();
}

const total = () => Object.values(state.counts).reduce((sum, each) => sum + each, 0);

function list(id, items, words) {
  $(id).replaceChildren(...items.map((each) => element("li", {}, ...words(each).map((text) => element("span", {}, text)))));
}

function summarise() { // for those who listen: not more often than they can
  if (performance.now() - summed < 5000) return;
  summed = performance.now();
  const counts = Object.entries(state.counts).map(([status, count]) => `${number.format(count)} ${STATUSES[status] ?? status}`);
  const text = `${counts.join(", ") || "No messages"}. ${state.refused ? `${number.format(state.refused)} answers of 429 in the last minute.` : ""}`;
  if ($("summary").textContent !== text) $("summary").textContent = text;
}

// ---- the plot: its group moves, its paths are drawn anew when something is told

const now = () => state.clock[0] + ((performance.now() - heard) / 1000) * state.clock[1];

function drawPlot() {
  const limit = state.quotas[0].limit, beats = Object.entries(state.beats).map(([at, [used, refused]]) => [Number(at), used, refused]);
  const most = limit ?? Math.max(10, ...beats.map(([, used]) => used));
  const high = (used) => BASE - (Math.min(used, most) / most) * (BASE - HEADROOM);
  pictured = Math.floor(state.clock[0] / BEAT);
  const across = (beat) => ((beat - pictured) * STEP).toFixed(1);
  let line = "";
  for (let beat = pictured - 121; beat <= pictured + 1; beat++) {
    const used = state.beats[Math.min(beat, pictured)]?.[0] ?? 0;
    line += `${line ? "L" : "M"}${across(beat)} ${high(used).toFixed(1)}`;
  }
  const worst = Math.max(1, ...beats.map(([, , refused]) => refused));
  const bars = beats.filter(([, , refused]) => refused).map(([beat, , refused]) => {
    const height = 4 + (HEADROOM - 8) * Math.sqrt(refused / worst);
    return `M${across(beat)} ${HEADROOM - 2}v${-height.toFixed(1)}h${STEP - 1.5}v${height.toFixed(1)}z`;
  });
  $("line").setAttribute("d", line);
  $("area").setAttribute("d", `${line}V${BASE}H${across(pictured - 121)}z`);
  $("refused-bars").setAttribute("d", bars.join(""));
  $("limit").setAttribute("y1", HEADROOM);
  $("limit").setAttribute("y2", HEADROOM);
  $("limit").toggleAttribute("hidden", limit === null);
  $("most").textContent = limit === null ? "" : number.format(limit);
  $("plot").ariaLabel = `The last minute: ${$("used").textContent} ${$("of").textContent}, ${number.format(state.refused)} answers of 429`;
  move();
}

const move = () => $("moving").setAttribute("transform", `translate(${(WIDTH - (now() / BEAT - pictured) * STEP).toFixed(2)})`);

function glide() {
  if (!paused && !still.matches && Object.keys(state.beats ?? {}).length) move();
  requestAnimationFrame(glide);
}

// ---- the inbox

function renderThreads() {
  const inbox = $("threads");
  let before = null;
  for (const thread of [...state.order].reverse()) {
    const told = state.threads[thread];
    const old = shown.get(thread);
    const entry = old?.told === told ? old : { told, node: threadNode(thread, told, old) };
    if (old && entry !== old) old.node.replaceWith(entry.node);
    shown.set(thread, entry);
    if (entry.node.nextSibling !== before || entry.node.parentNode !== inbox) inbox.insertBefore(entry.node, before);
    before = entry.node;
  }
  const wanted = new Set(state.order);
  for (const [thread, { node }] of shown) if (!wanted.has(thread)) (node.remove(), shown.delete(thread));
  const none = !state.order.length;
  $("empty").hidden = !none;
  $("seed").hidden = total() > 0;
  $("why-empty").textContent = total() ? "No thread fits." : "No messages yet. What your DAGs are about to mark has to be sent first.";
  const count = `${number.format(state.order.length)} of ${number.format(state.fitting)} threads, the latest first`;
  $("rest").textContent = none ? "" : state.fitting > state.order.length ? `${count}. Search for any other.` : `${count}.`;
}

function threadNode(thread, told, old) {
  const before = new Map(old?.told.messages.map((message) => [message.id, message.status]));
  const initials = told.customer.split(" ").map((word) => word[0]).slice(0, 2).join("");
  const messages = told.messages.map((message) => messageNode(message, before.has(message.id) && before.get(message.id) !== message.status));
  if (told.more) messages.unshift(element("li", { className: "more" }, `${number.format(told.more)} more`));
  return element("li", { className: "thread", dataset: { thread } },
    element("span", { className: "face", ariaHidden: "true" }, initials),
    element("div", { className: "who" },
      element("h3", {}, told.customer), element("span", {}, told.number), element("span", { className: "of-thread" }, `thread ${thread}`)),
    element("time", { dateTime: new Date(told.at * 1000).toISOString() }, clockTime.format(told.at * 1000)),
    element("ul", { className: "messages" }, ...messages));
}

function messageNode(message, changed) {
  const node = element("li", { className: `message${message.incoming ? " incoming" : ""}${changed ? " changed" : ""}`, dataset: { message: message.id } },
    element("span", { className: "text" }, message.text), element("code", {}, message.id));
  if (!message.incoming) node.append(statusNode(message.status));
  if (message.error) node.append(element("p", { className: "reason" }, message.error));
  node.dataset.status = message.status;
  return node;
}

function statusNode(status) {
  const icon = document.createElementNS(SVG, "svg"), use = document.createElementNS(SVG, "use");
  icon.setAttribute("aria-hidden", "true");
  use.setAttribute("href", `#${status.toLowerCase()}`);
  icon.append(use);
  const node = element("span", { className: "status" }, STATUSES[status] ?? status);
  node.prepend(icon);
  return node;
}

function element(name, { dataset, ...properties }, ...children) {
  const node = Object.assign(document.createElement(name), properties);
  Object.assign(node.dataset, dataset);
  node.append(...children);
  return node;
}

// ---- what can be done

async function call(method, path, body) {
  const reply = await fetch(`/_emulator/${path}`, { method, body: body && JSON.stringify(body), headers: { "Content-Type": "application/json" } });
  const said = await reply.json();
  if (!reply.ok) throw new Error(said.error);
  return said;
}

function notice(text) {
  $("notice").textContent = text;
  clearTimeout(notice.timer);
  notice.timer = setTimeout(() => ($("notice").textContent = ""), 6000);
}

function attempt(action) {
  return (event) => action(event).catch((fault) => notice(`That did not work: ${fault.message}`));
}

for (const [id, choices] of [["what", FAULTS], ["calls", CALLS]]) $(id).append(...Object.keys(choices).map((name) => new Option(name)));
for (const button of document.querySelectorAll("[data-close]")) button.onclick = () => button.closest("dialog").close();

$("inject").onclick = () => ($("fault-wrong").textContent = "", $("fault-dialog").showModal());
$("reset").onclick = () => $("reset-dialog").showModal();

$("fault-form").onsubmit = async (event) => {
  event.preventDefault();
  const chosen = new FormData(event.target), message = chosen.get("message").trim();
  try {
    await call("POST", "faults", {
      ...FAULTS[chosen.get("what")], ...CALLS[chosen.get("calls")], times: Number(chosen.get("times")), ...(message && { message_id: message }),
    });
    $("fault-dialog").close();
    notice("The fault is waiting for its calls.");
  } catch (fault) {
    $("fault-wrong").textContent = fault.message;
  }
};

$("reset-form").onsubmit = attempt(async (event) => {
  event.preventDefault();
  $("reset-dialog").close();
  await call("POST", "reset");
  notice("It has begun anew.");
});

$("clear").onclick = attempt(async () => {
  await call("DELETE", "faults");
  $("inject").focus(); // its own button goes away
});
$("seed").onclick = attempt(() => call("POST", "messages", { ids: Array.from({ length: 30 }, (_, index) => `message-${index + 1}`) }));
$("connect").ontoggle = attempt(async () => {
  if ($("connect").open) $("connection").textContent = `export AIRFLOW_CONN_HUBCHAN_DEFAULT='${JSON.stringify(await call("GET", "connection"))}'`;
});
$("copy").onclick = attempt(async () => {
  await navigator.clipboard.writeText($("connection").textContent);
  notice("Copied.");
});

$("pause").onclick = () => {
  paused = !paused;
  news = false;
  $("pause").setAttribute("aria-pressed", paused);
  if (!state.clock) return; // nothing has been told yet
  live(document.body.dataset.live !== "no");
  if (!paused) render({ ...state, anew: true });
};

$("filter").onchange = listen;
$("search").oninput = () => {
  clearTimeout(listen.timer);
  listen.timer = setTimeout(listen, 200);
};

listen();
requestAnimationFrame(glide);
