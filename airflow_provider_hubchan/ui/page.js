"use strict";
// Batches in Airflow's UI. All data come from Airflow's public API, asked as whoever looks; every text is put in as text.

const OUTCOMES = ["updated", "skipped", "rejected", "unresolved"];
const ENDED = ["success", "failed", "upstream_failed", "skipped", "removed"];
const BEGUN = ["running", "restarting", "deferred", "up_for_retry", "up_for_reschedule"], OPEN = [...BEGUN, "queued", "scheduled"];
const OPERATORS = ["UpdateMessageStatusOperator", "HubchanStatusDecoratedOperator"];
// Requests to Airflow in a minute, at most; those for reports. Then milliseconds between two looks.
const MOST = 55, FOR_REPORTS = 28, SOON = 2000, LATER = 10000;
const SNAPSHOT_VERSION = 1, PAGE = 100, MAX_PARTS = 300, FEW_PARTS = 12;

const $ = (id) => document.getElementById(id);
const API = new URL("../api/v2/", location.href);
const AIRFLOW = new URL("../", location.href).pathname;
const query = new URLSearchParams(location.search);
const isBatch = /\/batch$/.test(location.pathname);

// --- what is shown

function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children.filter((child) => child !== ""));
  return element;
}

/** Put children into an element, unless it has those of the same data: a selection stays, and a focus in any case. */
const filled = new WeakMap();
function fill(element, data, children) {
  const key = JSON.stringify(data);
  if (filled.get(element) === key) return;
  filled.set(element, key);
  const focused = element.contains(document.activeElement) && document.activeElement;
  element.replaceChildren(...children());
  if (focused) [...element.querySelectorAll("a, button")].find((same) => same.isEqualNode(focused))?.focus();
}

const say = (element, text) => { if (element.textContent !== text) element.textContent = text; };
const show = (element, yes) => { element.hidden = !yes; };
const count = (number) => number.toLocaleString("en");
const counted = (number, noun) => `${count(number)} ${noun}${number === 1 ? "" : "s"}`;
const rate = (perSecond) => `${perSecond.toLocaleString("en", { maximumFractionDigits: perSecond < 10 ? 1 : 0 })} per second`;

function duration(seconds) {
  const parts = [];
  let left = Math.round(seconds);
  for (const [unit, size] of [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]]) {
    if (left >= size && parts.length < 2) parts.push(counted(Math.floor(left / size), unit));
    left %= size;
  }
  return parts.join(" ") || "less than a second";
}

/** The time of day; with the date if it is not today's. */
function clock(seconds) {
  const at = new Date(seconds * 1000), isToday = at.toDateString() === new Date().toDateString();
  return isToday ? at.toLocaleTimeString() : at.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}

function notice(text, link) {
  show($("notice"), Boolean(text));
  fill($("notice"), [text, link], () => [text, ...(link ? [" ", make("a", { href: link[1], target: "_top" }, link[0])] : [])]);
}

function copyButton(text, label) {
  const button = make("button", { type: "button", class: "small", "aria-label": label }, "Copy");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
    } catch { // without https there is no clipboard: the text is selected for Ctrl-C instead
      getSelection().selectAllChildren(button.previousElementSibling);
      button.textContent = "Selected";
      return;
    }
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
  return button;
}

/** A link into Airflow. In a frame of Airflow's it is the Airflow around it that goes there. */
function airflowLink(text, path) {
  const link = make("a", { href: AIRFLOW + path }, text);
  link.addEventListener("click", (event) => {
    if (parent === window || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    parent.history.pushState(null, "", link.href);
    parent.dispatchEvent(new PopStateEvent("popstate", { state: null }));
  });
  return link;
}

// --- asking Airflow

const sent = []; // when each request of the last minute was sent
let skew = 0; // seconds that Airflow's clock is ahead of the browser's

function spent() {
  while (sent.length && sent[0] < Date.now() - 60000) sent.shift();
  return sent.length;
}

/** Airflow's answer: {status, body}. Status 0: it does not answer; -1: not asked, because of the budget or a hidden tab. */
async function ask(path, parameters) {
  if (document.hidden || spent() >= MOST) return { status: -1, body: {} };
  sent.push(Date.now());
  const url = new URL(path, API);
  for (const [name, value] of Object.entries(parameters || {})) for (const each of [value].flat()) url.searchParams.append(name, each);
  try {
    const reply = await fetch(url, { headers: { Accept: "application/json" }, cache: "no-store", redirect: "manual" });
    if (reply.type === "opaqueredirect") return { status: 401, body: {} }; // a proxy that wants a sign-in
    const date = Date.parse(reply.headers.get("Date") || "");
    if (date) skew = (date - Date.now()) / 1000;
    const body = (await reply.json().catch(() => null)) || {};
    return { status: body.detail === "Invalid JWT token" ? 401 : reply.status, body }; // a 403 of Airflow's
  } catch {
    return { status: 0, body: {} };
  }
}

const now = () => Date.now() / 1000 + skew;
const detail = (answer) => (typeof answer.body.detail === "string" ? answer.body.detail : "");

/** Why something cannot be read, in words. */
function why(answer, what) {
  if (answer.status === 401) return "You are not signed in to Airflow, or your session has ended.";
  if (answer.status === 403) return `You may not read ${what}. Whoever administers Airflow can give you that permission.`;
  if (answer.status === 404) return "Airflow knows no such task of such a run: it was deleted, or the address is wrong.";
  if (answer.status === 0) return "Airflow does not answer. Trying again …";
  return `Airflow answered ${answer.status} when it was asked for ${what}. Trying again …`;
}

function complain(answer, what) {
  const signIn = ["Sign in", `${API.pathname}auth/login?next=${encodeURIComponent(location.href)}`];
  notice(why(answer, what), answer.status === 401 ? signIn : null);
}

const isFinal = (answer) => [401, 403, 404].includes(answer.status);
const part = encodeURIComponent;
const pathOf = (ti) => `dags/${part(ti.dag_id)}/dagRuns/${part(ti.dag_run_id)}/taskInstances/${part(ti.task_id)}`;
const pageOf = (ti) => `dags/${part(ti.dag_id)}/runs/${part(ti.dag_run_id)}/tasks/${part(ti.task_id)}${ti.map_index >= 0 ? `/mapped/${ti.map_index}` : ""}`;
const keyOf = (ti) => [ti.dag_id, ti.dag_run_id, ti.task_id, ti.map_index, ti.try_number, ti.end_date].join("\n");
const isOpen = (ti) => !ENDED.includes(ti.state);

// --- what Airflow keeps of a batch

const number = (value) => (typeof value === "number" && isFinite(value) && value >= 0 ? value : 0);
const text = (value) => (typeof value === "string" ? value : "");
const list = (value) => (Array.isArray(value) ? value.filter((each) => each && typeof each === "object") : []);

/** A report, or a snapshot of progress: whatever is in it, what is shown are numbers and texts. */
function figures(value) {
  const read = { reasons: [], problems: [] };
  for (const name of [...OUTCOMES, "rows", "requests", "rate_limited", "waited_seconds", "elapsed_seconds", "started", "at", "waiting_until"])
    read[name] = number(value[name]);
  for (const each of list(value.reasons)) read.reasons.push({ outcome: text(each.outcome), reason: text(each.reason), count: number(each.count) });
  for (const each of list(value.problems))
    read.problems.push({ row: number(each.row), id: text(each.message_id), outcome: text(each.outcome), reason: text(each.reason), correlation: text(each.correlation_id) });
  read.samples = list(value.samples).filter(Array.isArray).map(([at, done]) => [number(at), number(done)]);
  read.file = text(value.report_file);
  const { limit, window: seconds, known: isKnown } = value.quota || {};
  if (number(limit) && number(seconds)) read.quota = { limit, seconds, isKnown };
  return read;
}

/** What is known of a task instance: {figures, wait, words}. The words say what cannot be read. */
async function readReport(ti) {
  const where = { xcom_key: "return_value", map_index: ti.map_index };
  // Where there may be none, a list is asked for first: the browser's console has every 404.
  let answer = ti.state === "success" ? { status: 200, body: { total_entries: 1 } } : await ask(`${pathOf(ti)}/xcomEntries`, where);
  if (answer.status === 200) answer = answer.body.total_entries ? await ask(`${pathOf(ti)}/xcomEntries/return_value`, where) : { status: 404 };
  if (answer.status < 1) return null;
  if (answer.status === 404) return { words: "There is no report in XCom: the batch did not begin, or do_xcom_push is False. The task's log says more." };
  if (answer.status !== 200) return { words: why(answer, "the XComs of this DAG") };
  let value = answer.body.value;
  try {
    if (typeof value === "string") value = JSON.parse(value);
  } catch { /* the place where a backend of XComs keeps it */ }
  if (!value || typeof value !== "object" || typeof value.rows !== "number")
    return { words: `The report is not in Airflow's database. What is there: ${String(answer.body.value).slice(0, 300)}` };
  return { figures: figures(value) };
}

let version = "";

async function readProgress(ti) {
  version = version || text((await ask("version")).body.version);
  const [major, minor] = version.split(".").map(Number);
  if (major === 3 && minor < 3)
    return { words: `Airflow ${version} keeps no progress of running tasks; 3.3 does. The report is here when the task has ended.`, never: true };
  const answer = await ask(`${pathOf(ti)}/state-store`, { map_index: ti.map_index });
  if (answer.status < 1) return null;
  if (answer.status !== 200) return { words: why(answer, "the task state of this DAG") };
  const entry = list(answer.body.task_state_store).find((each) => each.key === "hubchan_progress");
  if (!entry) return { words: "There is no progress yet. It is kept from two seconds after the first request on, and not at all with durable=False or in a dry run." };
  const value = entry.value || {}, batch = value.batch || {}, snapshot = batch.snapshot || {};
  if (snapshot.version !== SNAPSHOT_VERSION)
    return { words: "The worker runs another version of this provider than the API server: its progress cannot be shown." };
  const wait = value.wait && value.wait.until ? { until: number(value.wait.until), reason: text(value.wait.reason) } : null;
  if (wait) snapshot.unresolved = 0; // they are sent then
  return { figures: figures({ ...snapshot, problems: batch.problems }), wait };
}

/** What has been read, by task instance and try: a report once, progress again and again. */
const known = new Map();
let reads = 0;
const detailsOf = (ti) => known.get(keyOf(ti)) || {};

async function readDetails(instances) {
  const unread = instances.filter((ti) => !isOpen(ti) && !known.has(keyOf(ti)));
  const running = instances.filter((ti) => BEGUN.includes(ti.state) && !detailsOf(ti).never);
  running.sort((one, other) => (detailsOf(one).read || 0) - (detailsOf(other).read || 0));
  const keep = (ti, details) => details && known.set(keyOf(ti), { ...details, read: ++reads });
  const reports = unread.slice(0, Math.min(6, Math.max(0, FOR_REPORTS - spent())));
  await Promise.all([
    ...running.slice(0, 1).map(async (ti) => keep(ti, await readProgress(ti))),
    ...reports.map(async (ti) => keep(ti, await readReport(ti))),
  ]);
  return unread.length > reports.length;
}

function sum(all) {
  const read = all.filter(Boolean), total = figures({});
  for (const each of read) {
    for (const name of [...OUTCOMES, "rows", "requests", "rate_limited", "waited_seconds"]) total[name] += each[name];
    total.elapsed_seconds = Math.max(total.elapsed_seconds, each.elapsed_seconds);
    total.problems.push(...each.problems);
    for (const { outcome, reason, count: many } of each.reasons) {
      const same = total.reasons.find((other) => other.outcome === outcome && other.reason === reason);
      if (same) same.count += many; else total.reasons.push({ outcome, reason, count: many });
    }
  }
  total.reasons.sort((one, other) => other.count - one.count);
  return read.length ? total : null;
}

// --- parts of both views

const toGo = (figure) => Math.max(0, figure.rows - OUTCOMES.reduce((total, name) => total + figure[name], 0));

function drawBar(element, figure) {
  const parts = [...OUTCOMES.map((name) => [name, figure[name]]), ["togo", toGo(figure)]];
  if (element.children.length !== parts.length) element.replaceChildren(...parts.map(([name]) => make("i", { class: name })));
  parts.forEach(([, many], index) => { element.children[index].style.width = `${figure.rows ? (100 * many) / figure.rows : 0}%`; });
  const done = figure.rows - toGo(figure);
  element.setAttribute("role", "progressbar");
  element.setAttribute("aria-valuenow", figure.rows ? Math.floor((100 * done) / figure.rows) : 0);
  element.setAttribute("aria-label", `${count(done)} of ${counted(figure.rows, "row")} done`);
}

function legend(figure) {
  const parts = [...OUTCOMES.map((name) => [name, name, figure[name]]), ["togo", "to go", toGo(figure)]];
  return parts.filter(([name, , many]) => many || name === "updated").map(([name, label, many]) => make("li", {}, make("i", { class: name }), `${count(many)} ${label}`));
}

const stateWord = (state) => (state || "not scheduled yet").replaceAll("_", " ");
const tag = (state) => make("span", { class: `tag t-${state}` }, stateWord(state));
const stamp = (ti) => Date.parse(ti.start_date || ti.queued_when || ti.run_after || "") / 1000 || 0;
const batchLink = (ti) => `batch?${new URLSearchParams({ dag_id: ti.dag_id, run_id: ti.dag_run_id, task_id: ti.task_id, ...(ti.map_index === undefined ? {} : { map_index: ti.map_index }) })}`;

/** One state for several task instances: what a person has to look at first. */
const worstOf = (instances) => ["failed", ...OPEN, "upstream_failed", "skipped"].find((state) => instances.some((ti) => ti.state === state)) || (instances[0] || {}).state;

// --- one batch

let instances = [], lookedAt = 0, isMapped = !query.has("map_index"), manyParts = 0;
const wanted = { dag_id: query.get("dag_id") || "", dag_run_id: query.get("run_id") || "", task_id: query.get("task_id") || "" };

/** Ask for the states; if they cannot be read, give the milliseconds until the next try, 0 for none. */
async function readInstances() {
  const index = query.get("map_index");
  if (!isMapped) {
    const answer = await ask(`${pathOf(wanted)}${index > -1 ? `/${part(index)}` : ""}`);
    if (answer.status === 404 && /mapped/.test(detail(answer))) isMapped = true;
    else return take(answer, answer.body.task_id ? [answer.body] : []);
  }
  const found = [];
  let answer;
  do {
    answer = await ask(`${pathOf(wanted)}/listMapped`, { limit: PAGE, offset: found.length, order_by: "map_index" });
    if (answer.status === 404 && /not mapped/.test(detail(answer))) return (isMapped = false), query.set("map_index", "-1"), readInstances();
    found.push(...list(answer.body.task_instances));
    manyParts = number(answer.body.total_entries);
  } while (answer.status === 200 && list(answer.body.task_instances).length && found.length < Math.min(manyParts, MAX_PARTS));
  return take(answer, found);
}

function take(answer, found) {
  if (answer.status === -1) return undefined;
  if (answer.status !== 200) {
    complain(answer, "the task instances of this DAG");
    if (!isFinal(answer)) return LATER;
    instances = [];
    show($("batch"), false);
    return 0;
  }
  [instances, lookedAt] = [found, Date.now()];
  notice("");
}

async function lookAtBatch() {
  if (!wanted.dag_id || !wanted.dag_run_id || !wanted.task_id) return notice("The address names no batch: dag_id, run_id and task_id are needed."), 0;
  const isRunning = () => instances.some((ti) => ti.state === "running");
  if (Date.now() - lookedAt >= (isRunning() && !isMapped ? 3 * SOON : LATER) - 100) {
    const pause = await readInstances();
    if (pause !== undefined) return pause;
  }
  const had = instances.map((ti) => detailsOf(ti).figures);
  const isMore = await readDetails(instances);
  showBatch();
  // Progress that is gone means that the batch has ended: the state is asked for at once.
  if (instances.some((ti, index) => ti.state === "running" && had[index] && !detailsOf(ti).figures)) lookedAt = 0;
  return isRunning() || isMore ? SOON : instances.some(isOpen) || !instances.length ? LATER : 0;
}

function showBatch() {
  show($("batch"), true);
  const details = instances.map(detailsOf), alone = !isMapped && instances[0];
  const figure = isMapped ? sum(details.map((each) => each.figures)) : (details[0] || {}).figures;
  const state = worstOf(instances), running = instances.some((ti) => ti.state === "running");
  const name = `${wanted.dag_id} / ${wanted.task_id}${alone && alone.map_index >= 0 ? ` [${alone.rendered_map_index || alone.map_index}]` : ""}`;
  say($("title"), name);
  document.title = `${figure ? `${Math.floor((100 * (figure.rows - toGo(figure))) / (figure.rows || 1))}% ` : ""}${name}`;
  say($("state"), isMapped ? `${counted(manyParts, "part")}, ${stateWord(state)}` : stateWord(state));
  $("state").className = `t-${state}`;
  say($("try"), alone ? `try ${alone.try_number} of ${Math.max(alone.try_number, alone.max_tries + 1)}, run ${wanted.dag_run_id}` : `run ${wanted.dag_run_id}`);
  say($("words"), words(alone, details, figure, running));
  for (const id of ["bar", "legend"]) show($(id), figure);
  if (figure) {
    drawBar($("bar"), figure);
    fill($("legend"), OUTCOMES.map((each) => figure[each]).concat(figure.rows), () => legend(figure));
  }
  showFacts(figure, running);
  showPlot(alone && figure);
  showParts(details);
  showReasons(figure);
  showRows(figure);
  showFile(alone && figure && !isOpen(alone) ? figure.file : "");
  fill($("links"), name + state, () => [
    ...(alone ? [airflowLink("Task in Airflow", pageOf(alone)), airflowLink("XComs", `${pageOf(alone)}/xcom`)] : []),
    ...(alone && alone.map_index >= 0 ? [make("a", { href: batchLink(wanted) }, "All parts")] : []),
    airflowLink("DAG run", `dags/${part(wanted.dag_id)}/runs/${part(wanted.dag_run_id)}`),
  ]);
}

/** What there is to say of the state, as sentences. */
function words(alone, details, figure, running) {
  const lines = [], first = details.find((each) => each.words && (!isMapped || !figure));
  if (!instances.length) lines.push("There are no parts yet: the task has not been expanded.");
  if (manyParts > instances.length) lines.push(`The first ${count(instances.length)} are shown.`);
  if (first) lines.push(first.words);
  const { wait } = (alone && details[0]) || {};
  if (alone && ["deferred", "up_for_retry"].includes(alone.state)) {
    if (wait) lines.push(`Waiting until ${clock(wait.until)} (${wait.until > now() ? duration(wait.until - now()) : "now"}). ${wait.reason}`);
    else lines.push(alone.state === "deferred" ? "Waiting outside the worker slot." : "Waiting for its next try.");
  }
  if (running && figure && alone) {
    const silent = now() - figure.at;
    if (figure.waiting_until > now()) lines.push(`HubSpot takes no requests until ${clock(figure.waiting_until)}: nothing is sent for ${duration(figure.waiting_until - now())}.`);
    if (silent > 60) lines.push(`The last progress is ${duration(silent)} old.`);
  }
  return lines.join(" ");
}

function speeds(figure) {
  const samples = figure.samples, last = samples[samples.length - 1];
  if (samples.length < 2) return null;
  const between = (from) => Math.max(0, last[1] - from[1]) / (last[0] - from[0] || 1);
  const recent = samples.filter(([at]) => at <= last[0] - 8).pop() || samples[0];
  return { now: between(recent), since: between(samples[0]) };
}

function showFacts(figure, running) {
  const facts = [], add = (name, value) => facts.push([name, value]);
  const all = instances.map((ti) => detailsOf(ti).figures).filter(Boolean);
  const speed = running && all.filter((each) => each.at).map(speeds).filter(Boolean)
    .reduce((total, each) => ({ now: total.now + each.now, since: total.since + each.since }), { now: 0, since: 0 });
  const { quota } = all.find((each) => each.quota) || {};
  if (figure) {
    add("Rows", count(figure.rows));
    if (speed && speed.since) {
      add("Rate now", rate(speed.now));
      add("Rate since the start", rate(speed.since));
      // A batch begins with all that the quota allows at once.
      const left = toGo(figure) / Math.min(speed.since, quota && !isMapped ? quota.limit / quota.seconds : Infinity);
      if (toGo(figure)) add("Time left", `about ${duration(left)}`), add("Ends at about", clock(now() + left));
    }
    add("Requests", count(figure.requests));
    add("Answered with 429", count(figure.rate_limited));
    add("Waited", figure.waited_seconds ? duration(figure.waited_seconds) : "not at all");
    add(running ? "So far" : "Took", duration(figure.elapsed_seconds));
    if (quota) add("Quota", `${counted(quota.limit, "request")} per ${quota.seconds} s, ${quota.isKnown ? "as HubSpot says" : "assumed until HubSpot tells"}`);
  }
  show($("facts").parentElement, facts.length);
  fill($("facts"), facts, () => facts.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value))));
}

function showPlot(figure) {
  const samples = figure ? figure.samples : [], steps = [];
  for (let index = 1; index < samples.length; index++) {
    const [from, to] = [samples[index - 1], samples[index]];
    if (to[0] > from[0]) steps.push([from[0], to[0], Math.max(0, to[1] - from[1]) / (to[0] - from[0])]);
  }
  show($("plot"), steps.length > 1);
  if (steps.length < 2) return;
  const most = Math.max(...steps.map((step) => step[2]), 0.1), end = steps[steps.length - 1][1];
  const x = (at) => ((1000 * at) / end).toFixed(1), y = (perSecond) => (118 - (112 * perSecond) / most).toFixed(1);
  const path = steps.map(([from, to, perSecond]) => `L${x(from)} ${y(perSecond)}L${x(to)} ${y(perSecond)}`).join("");
  const caption = `Rows per second since ${clock(figure.started)}: ${rate(most)} at most`;
  const svg = $("plot").querySelector("svg");
  svg.setAttribute("aria-label", caption);
  svg.firstChild.setAttribute("d", `M${x(steps[0][0])} 120${path}L1000 120`);
  say($("plot").querySelector("figcaption"), caption);
}

function showParts(details) {
  show($("parts"), isMapped && instances.length);
  if (!isMapped) return;
  const lines = $("parts").querySelector("ol");
  fill(lines, instances.map((ti, index) => [keyOf(ti), ti.state, details[index]]), () => instances.map((ti, index) => {
    const { figures: figure, words: said } = details[index], bar = make("div", { class: "bar thin" });
    if (figure) drawBar(bar, figure);
    const link = make("a", { href: batchLink(ti) }, `Part ${ti.rendered_map_index || ti.map_index}`);
    return make("li", {}, make("p", { class: "row" }, link, tag(ti.state)), figure ? bar : "", figure ? make("ul", { class: "legend faint" }, ...legend(figure)) : make("p", { class: "faint" }, said || ""));
  }));
}

function showReasons(figure) {
  const reasons = figure ? [...figure.reasons] : [];
  for (const outcome of figure ? OUTCOMES.slice(1) : []) {
    const rest = figure[outcome] - figure.reasons.filter((each) => each.outcome === outcome).reduce((total, each) => total + each.count, 0);
    if (rest > 0) reasons.push({ outcome, reason: "other reasons", count: rest });
  }
  show($("reasons"), reasons.length);
  fill($("reasons").querySelector("ol"), reasons, () => reasons.map((each) =>
    make("li", {}, make("b", {}, count(each.count)), make("span", {}, make("span", { class: `tag t-${each.outcome}` }, each.outcome), " ", each.reason))));
}

function showRows(figure) {
  const problems = figure ? figure.problems.slice(0, 100) : [];
  show($("rows"), problems.length);
  const all = figure ? figure.rejected + figure.unresolved : 0;
  say($("rows").querySelector("p"), `${count(problems.length)} of ${count(all)} that were rejected or have no final answer.${figure && figure.file ? " The report file has all of them." : ""}`);
  fill($("rows").querySelector("ol"), problems, () => problems.map((each) => make("li", {},
    make("p", {}, `Row ${count(each.row)} `, make("code", {}, each.id), " ", make("span", { class: `tag t-${each.outcome}` }, each.outcome)),
    make("p", {}, each.reason),
    each.correlation ? make("p", { class: "faint" }, "correlation id ", make("code", {}, each.correlation), " ", copyButton(each.correlation, `Copy the correlation id of row ${each.row}`)) : "")));
}

function showFile(file) {
  show($("file"), file);
  if (!file) return;
  const quoted = JSON.stringify(file);
  const code = `UpdateMessageStatusOperator(\n    task_id="send_again",\n    messages_file=${quoted},\n    report_file=${quoted},\n)`;
  fill($("file").querySelector("div"), file, () => [
    make("p", {}, "Every row that was not updated, as it came, with the reason: ", make("code", {}, file), " ", copyButton(file, "Copy the place of the report file")),
    make("p", {}, "Once the cause is fixed, this sends what is left of it, and skips what was skipped:"),
    make("pre", {}, code), copyButton(code, "Copy these lines"),
  ]);
}

// --- all batches

let offset = 0, open = [], ended = [], total = 0, openAt = 0, endedAt = 0;
const inSight = new Set();
const observer = isBatch ? null : new IntersectionObserver((changes) => {
  for (const { target, isIntersecting } of changes) inSight[isIntersecting ? "add" : "delete"](target.dataset.group);
  if (changes.some((change) => change.isIntersecting)) look();
});

async function readList(states, more) {
  const dag = $("f-dag").value.trim();
  return ask("dags/~/dagRuns/~/taskInstances", { operator: OPERATORS, state: states, order_by: "-start_date", limit: PAGE, ...(dag ? { dag_id_pattern: dag } : {}), ...more });
}

async function lookAtAll() {
  const state = $("f-state").value, days = Number($("f-days").value);
  const pauseAfter = (answer) => {
    if (answer.status === 200 || answer.status === -1) return undefined;
    complain(answer, "the task instances of your DAGs");
    if (isFinal(answer)) show($("all"), false);
    return isFinal(answer) ? 0 : LATER;
  };
  if (Date.now() - openAt >= 2.5 * SOON) {
    const answer = !state || state === "open" ? await readList(OPEN) : { status: 200, body: {} };
    if (pauseAfter(answer) !== undefined) return pauseAfter(answer);
    if (answer.status === 200) {
      const running = list(answer.body.task_instances);
      if (running.length !== open.length) endedAt = 0; // one has ended or begun: it stands in the other list now
      [open, openAt] = [running, Date.now()];
    }
  }
  if (Date.now() - endedAt >= 3 * LATER) {
    const since = new Date(Date.now() - days * 86400000).toISOString().slice(0, 13) + ":00:00Z";
    const answer = state === "open" ? { status: 200, body: {} } : await readList(state ? [state] : ["success", "failed"], { offset, start_date_gte: since });
    if (pauseAfter(answer) !== undefined) return pauseAfter(answer);
    if (answer.status === 200) [ended, total, endedAt] = [list(answer.body.task_instances), number(answer.body.total_entries), Date.now()];
  }
  notice("");
  const groups = grouped([...open, ...ended]);
  showAll(groups);
  const looked = groups.filter((group) => inSight.has(group.key) && group.instances.length <= FEW_PARTS).flatMap((group) => group.instances);
  const isMore = await readDetails(looked);
  showAll(groups);
  return open.some((ti) => ti.state === "running") || isMore ? SOON : LATER;
}

/** The task instances of one task in one run together, those that are not finished first. */
function grouped(all) {
  const groups = new Map();
  for (const ti of all) {
    const key = [ti.dag_id, ti.dag_run_id, ti.task_id].join("\n");
    if (!groups.has(key)) groups.set(key, { key, instances: [] });
    const same = groups.get(key).instances;
    if (!same.some((other) => other.map_index === ti.map_index)) same.push(ti);
  }
  return [...groups.values()].sort((one, other) => other.instances.some(isOpen) - one.instances.some(isOpen) || stamp(other.instances[0]) - stamp(one.instances[0]));
}

function showAll(groups) {
  show($("all"), true);
  say($("title"), "HubSpot statuses");
  show($("none"), !groups.length);
  say($("none"), "No task that marks messages fits. Tasks of classes that are derived from the operator are not found here; their button Report leads to their page.");
  const lines = new Map([...$("list").children].map((line) => [line.dataset.group, line]));
  groups.forEach((group, index) => {
    let line = lines.get(group.key);
    if (!line) observer.observe((line = make("li", { "data-group": group.key })));
    lines.delete(group.key);
    if ($("list").children[index] !== line) $("list").insertBefore(line, $("list").children[index] || null);
    showGroup(line, group);
  });
  for (const line of lines.values()) observer.unobserve(line), inSight.delete(line.dataset.group), line.remove();
  show($("newest"), offset);
  show($("older"), offset + ended.length < total);
}

function showGroup(line, group) {
  const [first] = group.instances, parts = first.map_index >= 0 ? group.instances.length : 0, state = worstOf(group.instances);
  const details = group.instances.map(detailsOf), figure = sum(details.map((each) => each.figures));
  const wait = details.map((each) => each.wait).find(Boolean), { words: said } = details.find((each) => each.words) || {};
  fill(line, [group.instances.map((ti) => [keyOf(ti), ti.state]), figure, wait, said], () => {
    const bar = make("div", { class: "bar thin" });
    if (figure) drawBar(bar, figure);
    const top = state === "failed" && figure && figure.reasons.find((each) => each.outcome !== "skipped");
    const states = [...new Set(group.instances.map((ti) => ti.state))];
    const tally = states.map((each) => `${count(group.instances.filter((ti) => ti.state === each).length)} ${stateWord(each)}`).join(", ");
    const many = parts > 1 ? `${counted(parts, "part")}: ${tally}${parts > FEW_PARTS ? "; open it for the sum" : ""}` : "";
    return [
      make("p", { class: "row" }, make("a", { href: batchLink(parts > 1 ? { ...first, map_index: undefined } : first) }, `${first.dag_id} / ${first.task_id}`), tag(state)),
      make("p", { class: "faint" }, [clock(stamp(first)), first.dag_run_id, many].filter(Boolean).join(" · ")),
      figure ? bar : "",
      figure ? make("ul", { class: "legend faint" }, ...legend(figure)) : said ? make("p", { class: "faint" }, said) : "",
      top ? make("p", { class: "t-failed" }, `${count(top.count)} ${top.outcome}: ${top.reason}`) : "",
      wait && state === "deferred" ? make("p", {}, `Waiting until ${clock(wait.until)}. ${wait.reason}`) : "",
    ];
  });
}

// --- looking again and again, as long as somebody looks

let timer = 0, isLooking = false, isWanted = false;

async function look() {
  clearTimeout(timer);
  if (document.hidden) return;
  if (isLooking) return void (isWanted = true);
  isLooking = true;
  isWanted = false;
  let pause = LATER;
  try {
    pause = await (isBatch ? lookAtBatch() : lookAtAll());
  } finally {
    isLooking = false;
  }
  const isLost = !$("notice").hidden;
  say($("live"), isLost ? "" : pause === SOON ? "Live" : pause ? "Looked at just now" : "Ended");
  if (!document.hidden && (pause || isWanted)) timer = setTimeout(look, isWanted ? 50 : pause);
}

function again() {
  lookedAt = openAt = endedAt = 0;
  look();
}

function theme() {
  let chosen = "";
  try { // what is chosen in Airflow's own UI
    chosen = localStorage.getItem("theme") || "";
  } catch { /* a browser that keeps nothing */ }
  const dark = chosen === "dark" || (chosen !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.dataset.theme = dark ? "dark" : "light";
}

function begin() {
  theme();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", theme);
  addEventListener("storage", theme);
  document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : again()));
  $("refresh").addEventListener("click", again);
  if (isBatch) $("trail").append(make("a", { href: "./" }, "All batches"));
  for (const name of ["dag", "state", "days"]) {
    const field = $(`f-${name}`);
    if (query.has(name)) field.value = query.get(name);
    field.addEventListener("change", () => {
      offset = 0;
      query.set(name, field.value);
      history.replaceState(history.state, "", `?${query}`);
      again();
    });
  }
  $("filter").addEventListener("submit", (event) => event.preventDefault());
  $("newest").addEventListener("click", () => { offset = 0; again(); });
  $("older").addEventListener("click", () => { offset += ended.length; again(); });
  look();
}

begin();
