// Shows what /ledger and /control tell. Text that came from outside only ever becomes text, never HTML.
const SECOND = 1000, SHOWN = 200; // milliseconds; messages that are shown at most
const STATES = {
  works: { broken: false, failing: false },
  failing: { broken: false, failing: true },
  broken: { broken: true, failing: false },
};
const MEANINGS = {
  works: "What it takes it delivers, unless a word in the text says otherwise.",
  failing: "It takes every message and delivers none: each ends as undelivered, 30003.",
  broken: "It answers 503 to everybody who hands over a message. The messages wait in the outbox.",
};
const $ = (id) => document.getElementById(id);
const number = new Intl.NumberFormat("en");
const clockTime = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const shown = new Map(); // sid -> { node, text }
let changes = 0, changing = 0; // of the state: how many there were, and how many of them are not answered yet

// ---- what is shown

async function look() {
  const before = changes;
  try {
    const [messages, state] = await Promise.all([ask("/ledger"), ask("/control")]);
    renderMessages(messages);
    if (before === changes && !changing) showState(state); // or it may be the state of before
    live(true);
  } catch {
    live(false);
  }
  setTimeout(look, SECOND);
}

function live(is) {
  document.body.dataset.live = is ? "yes" : "no";
  setText("live", is ? `Live, ${clockTime.format(Date.now())}` : "The gateway does not answer. Trying again …");
  $("live").parentElement.ariaLive = is ? "off" : "polite"; // the ticking clock is for the eyes
}

function renderMessages(messages) {
  const count = messages.length === 1 ? "1 message" : `${number.format(messages.length)} messages`;
  setText("about", `It stands for an SMS gateway · ${location.host} · ${count}`);
  $("empty").hidden = messages.length > 0;
  $("rest").hidden = messages.length <= SHOWN;
  setText("rest", `The newest ${number.format(SHOWN)} of ${count}.`);
  const newest = messages.slice(-SHOWN).reverse(), current = new Set(newest.map(({ sid }) => sid));
  for (const [sid, { node }] of shown) if (!current.has(sid)) (node.remove(), shown.delete(sid));
  let place = $("messages").firstChild;
  for (const message of newest) {
    const text = JSON.stringify(message), old = shown.get(message.sid);
    const node = old?.text === text ? old.node : messageNode(message, old);
    if (old && old.node !== node) {
      if (place === old.node) place = node;
      old.node.replaceWith(node);
    }
    shown.set(message.sid, { node, text });
    if (node === place) place = place.nextSibling;
    else $("messages").insertBefore(node, place);
  }
  setText("summary", newest.length ? `${count}, the newest to ${newest[0].to} is ${newest[0].status}` : "");
}

function showState({ broken, failing }) {
  const now = broken ? "broken" : failing ? "failing" : "works";
  $("state").querySelector(`[value="${now}"]`).checked = true;
  setText("meaning", MEANINGS[now]);
}

function messageNode(message, old) {
  const reason = [message.error_code, message.error_message].filter(Boolean).join(": ");
  const node = element("li", { className: `sms${old ? " changed" : ""}` },
    element("p", { className: "text" }, message.body),
    element("span", { className: "status" }, message.status),
    element("div", { className: "way" },
      element("span", {}, message.to),
      wordList(message.words),
      ...(message.posts > 1 ? [element("span", {}, `handed over ${number.format(message.posts)} times, the same each time`)] : [])),
    ...(reason ? [element("p", { className: "reason" }, reason)] : []));
  node.dataset.status = message.status;
  return node;
}

function wordList(words) {
  const list = element("ol", { className: "words" }, ...words.map((word) => element("li", {}, word)));
  list.ariaLabel = "Its words so far";
  return list;
}

function element(name, properties, ...children) {
  const node = Object.assign(document.createElement(name), properties);
  node.append(...children);
  return node;
}

function setText(id, text) { // not if it is so already: a screen reader would say it again
  if ($(id).textContent !== text) $(id).textContent = text;
}

// ---- what can be done

async function ask(path, body) {
  const options = body && { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" } };
  const reply = await fetch(path, options);
  if (!reply.ok) throw new Error(`${reply.status} ${await reply.text()}`);
  return reply.json();
}

function notice(text) {
  $("notice").textContent = text;
  clearTimeout(notice.timer);
  notice.timer = setTimeout(() => ($("notice").textContent = ""), 6 * SECOND);
}

$("state").onchange = async (event) => {
  const wanted = event.target.value;
  setText("meaning", MEANINGS[wanted]);
  changes += 1;
  changing += 1;
  try {
    await ask("/control", STATES[wanted]);
  } catch (fault) {
    notice(`That did not work: ${fault.message}`);
  } finally {
    changing -= 1;
  }
};

async function link() {
  const links = await ask("/links");
  for (const anchor of document.querySelectorAll("[data-link]")) {
    const url = links[anchor.dataset.link];
    if (url) Object.assign(anchor, { href: url.replace(/\/$/, "") + anchor.dataset.path, target: "_blank", rel: "noopener", hidden: false });
  }
  $("schedule").hidden = !links.airflow;
}

function count() {
  setText("next", `${60 - new Date().getSeconds()} s`);
  setTimeout(count, SECOND - (Date.now() % SECOND));
}

link().catch((fault) => notice(fault.message));
count();
look();
