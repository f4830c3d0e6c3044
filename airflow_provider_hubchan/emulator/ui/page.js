// Shows what /_emulator/events tells. Text that came from outside only ever becomes text, never HTML.
const BUCKET = 0.5; // seconds of a bucket, as in traffic.py
const WIDTH = 600, BASE = 149, HEADROOM = 34, STEP = WIDTH / (60 / BUCKET);
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
  "Webhook: 5 seconds late": { webhook: "late", delay: 5 },
  "Webhook: sent twice": { webhook: "twice" },
  "Webhook: sent after the next one": { webhook: "out-of-order" },
  "Webhook: without a signature": { webhook: "unsigned" },
  "Webhook: signed with another secret": { webhook: "wrong-signature" },
  "Webhook: signed as of ten minutes ago": { webhook: "old-signature" },
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

let source, state = {}, receivedAt = 0, paused = false, hasUnseen = false, summarizedAt = 0, newest = 0;
const shown = new Map(); // thread number -> { node, thread }

// ---- the stream

function listen() {
  source?.close();
  const query = new URLSearchParams({ status: $("filter").querySelector(":checked").value, search: $("search").value });
  source = new EventSource(`/_emulator/events?${query}`);
  source.onmessage = (event) => take(JSON.parse(event.data));
  source.onerror = () => {
    live(false);
    if (source.readyState === EventSource.CLOSED) setTimeout(listen, 1000); // it gives up when a stranger answers
  };
}

function take(update) {
  const { threads, buckets } = update.full ? {} : state;
  state = {
    ...(update.full ? {} : state), ...update, threads: { ...threads, ...update.threads }, buckets: { ...buckets, ...update.buckets },
  };
  for (const thread of Object.keys(state.threads)) if (!state.order.includes(Number(thread))) delete state.threads[thread];
  for (const bucket of Object.keys(state.buckets)) if (bucket < state.clock[0] / BUCKET - 122) delete state.buckets[bucket];
  receivedAt = performance.now();
  hasUnseen = paused && (hasUnseen || Boolean(update.threads || update.full));
  live(true);
  if (!paused) render(update);
}

function live(is) {
  document.body.dataset.live = is ? (paused ? "paused" : "yes") : "no";
  const heldBack = hasUnseen ? "Paused, there is news" : "Paused";
  const words = is ? (paused ? heldBack : `Live, ${clockTime.format(state.clock[0] * 1000)}`) : "The emulator does not answer. Trying again …";
  if ($("live").textContent !== words) $("live").textContent = words;
  $("live").parentElement.ariaLive = is ? "off" : "polite"; // the ticking clock is for the eyes
}

// ---- everything beside the inbox

function render(update) {
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
  if (update.quotas || update.full) list("others", others, (each) => [
    `App ${each.app} in portal ${each.portal}`,
    `${number.format(each.used)} of ${each.limit === null ? "any number" : number.format(each.limit)}`,
  ]);
  $("others").hidden = !others.length;
  if (update.faults) list("fault-list", state.faults, (each) => [each.text, each.times === null ? "always" : `${number.format(each.times)} ×`]);
  $("waiting").hidden = !state.faults.length;
  if (update.webhooks || update.full) renderWebhooks(state.webhooks);
  for (const status of ["SENT", "READ", "FAILED"]) $(`count-${status}`).textContent = number.format(state.counts[status] ?? 0);
  $("count-all").textContent = number.format(total());
  if (update.order || update.threads) renderThreads();
  drawPlot();
  summarise();
}

const total = () => Object.values(state.counts).reduce((sum, each) => sum + each, 0);

function list(id, items, words) {
  $(id).replaceChildren(...items.map((each) => element("li", {}, ...words(each).map((text) => element("span", {}, text)))));
}

function renderWebhooks({ urls, sent, latest }) {
  $("webhooks").hidden = !urls.length && !sent;
  $("webhook-urls").textContent = `${urls.join(", ") || "No channel has a webhookUrl any more"} · ${number.format(sent)} sent`;
  $("deliveries").replaceChildren(...latest.map((each) => {
    const took = each.milliseconds === null ? "" : ` in ${number.format(each.milliseconds)} ms`;
    const result = each.error ?? (each.status === null ? "no answer yet" : `${each.status}${took}`);
    const notes = [each.attempt > 1 && `try ${number.format(each.attempt)}`, each.fault].filter(Boolean).join(", ");
    const failed = !each.accepted && (each.error !== null || each.status !== null);
    return element("li", { className: failed ? "failed" : "", dataset: { delivery: each.message } },
      element("time", { dateTime: new Date(each.at * 1000).toISOString() }, clockTime.format(each.at * 1000)),
      element("code", {}, each.message),
      element("span", { className: "result" }, result), ...(notes ? [element("span", { className: "notes" }, notes)] : []));
  }));
}

function summarise() { // for those who listen: not more often than they can
  if (performance.now() - summarizedAt < 5000) return;
  summarizedAt = performance.now();
  const counts = Object.entries(state.counts).map(([status, count]) => `${number.format(count)} ${STATUSES[status] ?? status}`);
  const text = `${counts.join(", ") || "No messages"}. ${state.refused ? `${number.format(state.refused)} answers of 429 in the last minute.` : ""}`;
  if ($("summary").textContent !== text) $("summary").textContent = text;
}

// ---- the plot: its group moves, its paths are drawn again at each update

const now = () => state.clock[0] + ((performance.now() - receivedAt) / 1000) * state.clock[1];

function drawPlot() {
  const limit = state.quotas[0].limit, buckets = Object.entries(state.buckets).map(([at, [used, refused]]) => [Number(at), used, refused]);
  const most = limit ?? Math.max(10, ...buckets.map(([, used]) => used));
  const high = (used) => BASE - (Math.min(used, most) / most) * (BASE - HEADROOM);
  newest = Math.floor(state.clock[0] / BUCKET);
  const across = (bucket) => ((bucket - newest) * STEP).toFixed(1);
  let line = "";
  for (let bucket = newest - 121; bucket <= newest + 1; bucket++) {
    const used = state.buckets[Math.min(bucket, newest)]?.[0] ?? 0;
    line += `${line ? "L" : "M"}${across(bucket)} ${high(used).toFixed(1)}`;
  }
  const worst = Math.max(1, ...buckets.map(([, , refused]) => refused));
  const bars = buckets.filter(([, , refused]) => refused).map(([bucket, , refused]) => {
    const height = 4 + (HEADROOM - 8) * Math.sqrt(refused / worst);
    return `M${across(bucket)} ${HEADROOM - 2}v${-height.toFixed(1)}h${STEP - 1.5}v${height.toFixed(1)}z`;
  });
  $("line").setAttribute("d", line);
  $("area").setAttribute("d", `${line}V${BASE}H${across(newest - 121)}z`);
  $("refused-bars").setAttribute("d", bars.join(""));
  $("limit").setAttribute("y1", HEADROOM);
  $("limit").setAttribute("y2", HEADROOM);
  $("limit").toggleAttribute("hidden", limit === null);
  $("most").textContent = limit === null ? "" : number.format(limit);
  $("plot").ariaLabel = `The last minute: ${$("used").textContent} ${$("of").textContent}, ${number.format(state.refused)} answers of 429`;
  move();
}

const move = () => $("moving").setAttribute("transform", `translate(${(WIDTH - (now() / BUCKET - newest) * STEP).toFixed(2)})`);

function animate() {
  if (!paused && !still.matches && Object.keys(state.buckets ?? {}).length) move();
  requestAnimationFrame(animate);
}

// ---- the inbox

function renderThreads() {
  const inbox = $("threads"), focused = document.activeElement;
  const current = new Set(state.order);
  for (const [threadNumber, { node }] of shown) if (!current.has(threadNumber)) (node.remove(), shown.delete(threadNumber));
  let place = inbox.firstChild;
  for (const threadNumber of state.order) { // forwards: only the threads that come to the front are moved
    const thread = state.threads[threadNumber], old = shown.get(threadNumber);
    const entry = old?.thread === thread ? old : { thread, node: threadNode(threadNumber, thread, old) };
    shown.set(threadNumber, entry);
    if (entry.node === place) place = place.nextSibling;
    else inbox.insertBefore(entry.node, place);
  }
  if (focused !== document.activeElement && focused.isConnected) focused.focus({ preventScroll: true }); // its thread was moved
  const none = !state.order.length;
  $("empty").hidden = !none;
  $("seed").hidden = total() > 0;
  $("why-empty").textContent = total() ? "No thread fits." : "No messages yet. What your DAGs are about to mark has to be sent first.";
  const count = `${number.format(state.order.length)} of ${number.format(state.matching)} threads, the latest first`;
  $("rest").textContent = none ? "" : state.matching > state.order.length ? `${count}. Search for any other.` : `${count}.`;
}

function threadNode(threadNumber, thread, old) { // what was typed stays: the form of an old node is never taken out of it
  const before = new Map(old?.thread.messages.map((message) => [message.id, message.status]));
  const initials = thread.customer.split(" ").map((word) => word[0]).slice(0, 2).join("");
  const messages = thread.messages.map((message) => messageNode(message, before.has(message.id) && before.get(message.id) !== message.status));
  if (thread.more) messages.unshift(element("li", { className: "more" }, `${number.format(thread.more)} more`));
  const parts = [
    element("span", { className: "face", ariaHidden: "true" }, initials),
    element("div", { className: "who" },
      element("h3", {}, thread.customer), element("span", {}, thread.number),
      element("span", { className: "of-thread" }, `thread ${threadNumber}`)),
    element("time", { dateTime: new Date(thread.at * 1000).toISOString() }, clockTime.format(thread.at * 1000)),
    element("ul", { className: "messages" }, ...messages),
  ];
  if (!old) return element("li", { className: "thread", dataset: { thread: threadNumber } }, ...parts, replyForm(threadNumber, thread));
  const form = old.node.lastChild;
  while (old.node.firstChild !== form) old.node.firstChild.remove();
  form.before(...parts);
  return old.node;
}

function replyForm(threadNumber, thread) {
  const input = element("input", {
    placeholder: "Write as the agent", autocomplete: "off", enterKeyHint: "send", ariaLabel: `Write to ${thread.customer}, ${thread.number}`,
  });
  const form = element("form", { className: "reply" }, input, element("button", {}, "Send"));
  form.onsubmit = attempt(async (event) => {
    event.preventDefault();
    const text = input.value;
    if (!text.trim()) return;
    input.value = ""; // at once: a second Enter must not send it again
    try {
      await call("POST", "replies", { thread: Number(threadNumber), text });
    } catch (fault) {
      input.value ||= text;
      throw fault;
    }
  });
  return form;
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
  const result = await reply.json();
  if (!reply.ok) throw new Error(result.error);
  return result;
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

$("what").onchange = () => ($("calls").disabled = "webhook" in FAULTS[$("what").value]); // a webhook is no call

$("fault-form").onsubmit = async (event) => {
  event.preventDefault();
  const chosen = new FormData(event.target), message = chosen.get("message").trim();
  try {
    await call("POST", "faults", {
      ...FAULTS[chosen.get("what")], ...CALLS[chosen.get("calls")], times: Number(chosen.get("times")), ...(message && { message_id: message }),
    });
    $("fault-dialog").close();
    notice("The fault is waiting.");
  } catch (fault) {
    $("fault-wrong").textContent = fault.message;
  }
};

$("reset-form").onsubmit = attempt(async (event) => {
  event.preventDefault();
  $("reset-dialog").close();
  await call("POST", "reset");
  notice("The emulator has started over.");
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
  hasUnseen = false;
  $("pause").setAttribute("aria-pressed", paused);
  if (!state.clock) return; // no update has come yet
  live(document.body.dataset.live !== "no");
  if (!paused) render({ ...state, full: true });
};

$("filter").onchange = listen;
$("search").oninput = () => {
  clearTimeout(listen.timer);
  listen.timer = setTimeout(listen, 200);
};

listen();
requestAnimationFrame(animate);
