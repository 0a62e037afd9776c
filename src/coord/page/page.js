// The coordinator's page, live: follows /v1/events, draws what can be seen. Whatever a worker says gets
// into the page as text (textContent), never as markup.
"use strict";

const ORDER = ["failed", "lost", "downloading", "publishing", "checking", "waiting", "gating", "starting",
               "launching", "running", "draining", "stopped"];
const OVER = ["failed", "lost", "stopped"];
const ROW = 34, CHANGES = 200, NAMES = 500, NAMES_AGAIN_MS = 5000, PLAN_AGAIN_MS = 2000, HOSTS = 200;
const workers = new Map();
// A worker's spelling of a model -> the one that the coordinator has for all spellings of it.
const names = new Map();
let changes = [], query = "", chosen = null, lastId = "", pending = false, learning = false, turn = 0;
// Of the host in the picture: what its workers held when it was drawn.
let planned = "", planning = false;

const at = (id) => document.getElementById(id);

function make(tag, text, name) {
    const made = document.createElement(tag);
    if (text !== undefined) made.textContent = text;
    if (name) made.className = name;
    return made;
}

function size(bytes) {
    const units = ["B", "kB", "MB", "GB", "TB", "PB"];
    let n = bytes, i = 0;
    while (n >= 1000 && i < units.length - 1) { n /= 1000; i++; }
    return (i && n < 100 ? n.toFixed(1) : Math.round(n)) + " " + units[i];
}

function span(seconds) {
    if (seconds < 60) return Math.ceil(seconds) + "s";
    if (seconds < 3600) return Math.floor(seconds / 60) + "m" + String(Math.floor(seconds % 60)).padStart(2, "0") + "s";
    return Math.floor(seconds / 3600) + "h" + String(Math.floor(seconds % 3600 / 60)).padStart(2, "0") + "m";
}

// A list of which only the rows in sight are in the document.
class List {
    constructor(element, draw) {
        this.element = element;
        this.draw = draw;
        this.items = [];
        this.sizer = make("div", undefined, "sizer");
        element.replaceChildren(this.sizer);
        element.addEventListener("scroll", () => this.show());
        new ResizeObserver(() => this.show()).observe(element);
    }

    set(items) {
        this.items = items;
        this.sizer.style.height = items.length * ROW + "px";
        this.element.parentElement.querySelector(".none").hidden = items.length > 0;
        this.show();
    }

    show() {
        const first = Math.max(0, Math.floor(this.element.scrollTop / ROW) - 4);
        const last = Math.min(this.items.length, first + Math.ceil(this.element.clientHeight / ROW) + 8);
        const rows = [];
        for (let i = first; i < last; i++) {
            const row = this.draw(this.items[i]);
            row.classList.add("row");
            row.style.top = i * ROW + "px";
            row.style.height = ROW + "px";
            rows.push(row);
        }
        this.sizer.replaceChildren(...rows);
    }
}

function bar(tag, value, most, title) {
    const made = make(tag);
    made.max = most || 1;
    made.value = Math.min(value, most || 1);
    made.title = title;
    made.setAttribute("aria-label", title);
    return made;
}

function drawWorker(item) {
    if (item.group) return make("div", `${item.group} (${item.count})`, "group");
    const w = item.worker, p = w.progress, row = make("div", undefined, "worker");
    row.dataset.state = w.state;
    row.dataset.id = w.id;
    row.append(make("span", w.id), make("span", w.state, "state"),
               make("span", [w.type, w.host].filter(Boolean).join(" on "), "dim wide"));
    const more = make("span", undefined, "wide");
    if (w.state === "downloading" && p.total > 0) {
        const eta = p.bps > 0 ? " eta " + span((p.total - p.bytes) / p.bps) : "";
        const words = `${Math.floor(100 * p.bytes / p.total)}% of ${size(p.total)} ${size(p.bps)}/s${eta}`;
        more.append(bar("progress", p.bytes, p.total, words), make("span", " " + words, "dim"));
        more.classList.remove("wide");
    } else {
        more.textContent = w.reason || w.models.map((m) => m.name).join(", ");
        more.classList.add("dim");
    }
    row.append(more);
    row.addEventListener("click", () => choose(w.id));
    return row;
}

const holders = (g) => (g.processes || []).map((p) => `${p.name || "pid " + p.pid} ${p.mib === null ? "" : p.mib + " MiB"}`.trim());

// Whoever reports a GPU has it; of several the one who is alive and spoke last says how full it is.
function addGpu(gpus, worker, gpu) {
    const key = gpu.uuid ? JSON.stringify([worker.host, gpu.uuid]) : Symbol();
    const known = gpus.get(key), rank = [!OVER.includes(worker.state), worker.turn];
    const holder = worker.id + (rank[0] ? "" : ` (${worker.state})`);
    if (!known) {
        gpus.set(key, {host: worker.host, gpu, rank, ids: [holder]});
        return;
    }
    known.ids.push(holder);
    if (rank[0] > known.rank[0] || (rank[0] === known.rank[0] && rank[1] > known.rank[1])) Object.assign(known, {gpu, rank});
}

function drawGpu({host, gpu, ids}) {
    const row = make("div", undefined, "gpu");
    const total = gpu.cuda_total_mib || gpu.total_mib || 0;
    const words = `${gpu.used_mib ?? "?"} of ${total} MiB used`;
    row.append(make("span", host), make("span", gpu.name || gpu.uuid, "wide"), bar("meter", gpu.used_mib || 0, total, words),
               make("span", [...ids, ...holders(gpu)].join(", "), "dim wide"));
    return row;
}

function drawModel({name, hosts}) {
    const row = make("div", undefined, "model");
    row.append(make("span", name), make("span", hosts.join(", "), "dim"));
    return row;
}

function drawChange(c) {
    const row = make("div", undefined, "change");
    row.dataset.state = c.state;
    row.append(make("span", c.time, "dim"), make("span", c.id), make("span", c.words, "state"));
    return row;
}

const lists = {
    workers: new List(at("workers"), drawWorker), gpus: new List(at("gpus"), drawGpu),
    models: new List(at("models"), drawModel), changes: new List(at("changes"), drawChange),
};

const nameOf = (said) => names.get(said) ?? said;

function asReader() {
    const token = sessionStorage.getItem("token");
    return token ? {Authorization: "Bearer " + token} : {};
}

// Asks for the spellings that are not known yet, one after the other, each once, at most NAMES: only the coordinator has
// the catalog. Until it has answered a model goes by the name that its worker gave.
async function learn(spellings) {
    if (learning || names.size >= NAMES || !spellings.size) return;
    learning = true;
    let wait = 0;
    for (const said of spellings) {
        if (names.size >= NAMES) break;
        try {
            const answer = await fetch(`v1/models/${encodeURIComponent(said)}/endpoints`, {headers: asReader(), cache: "no-store"});
            if (!answer.ok && ![400, 404].includes(answer.status)) throw new Error("status " + answer.status);
            names.set(said, answer.ok ? (await answer.json()).model : said);
        } catch {
            wait = NAMES_AGAIN_MS;
            break;
        }
    }
    setTimeout(() => {
        learning = false;
        drawSoon();
    }, wait);
}

// What of a host's workers a plan goes by.
const basis = (host) => JSON.stringify([host, [...workers.values()].filter((w) => w.host === host)
    .map((w) => [w.id, w.type, OVER.includes(w.state), w.gpus, w.holds]).sort()]);

// The picture is ours, but its texts are the workers': it is taken apart as XML, and comes without its style, which is the page's.
async function picture(host) {
    const answer = await fetch(`v1/hosts/${encodeURIComponent(host)}/plan`, {headers: asReader(), cache: "no-store"});
    if (!answer.ok) return make("p", (await answer.json()).error.message, "dim");
    const text = (await answer.text()).replace(/<style>.*?<\/style>/, "");
    const svg = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
    return document.importNode(svg, true);
}

async function drawPlan(hosts) {
    const select = at("plan-host");
    at("plan").hidden = hosts.length === 0;
    if (hosts.join("\n") !== [...select.options].map((o) => o.value).join("\n")) {
        const before = select.value;
        select.replaceChildren(...hosts.map((host) => make("option", host)));
        if (hosts.includes(before)) select.value = before;
    }
    const now = hosts.length ? basis(select.value) : "";
    if (planning || now === planned) return;
    planning = true;
    planned = now;
    try {
        at("picture").replaceChildren(...(now ? [await picture(select.value)] : []));
    } catch {
        planned = "";           // asked again with the next change, or when that has come
    }
    setTimeout(() => {
        planning = false;
        drawSoon();
    }, PLAN_AGAIN_MS);
}

function matches(w) {
    if (!query) return true;
    const text = [w.id, w.type, w.host, w.state, ...w.models.flatMap((m) => [m.name, nameOf(m.name)]),
                  ...Object.entries(w.labels).map(([k, v]) => `${k}=${v}`)].join("\n").toLowerCase();
    return query.split(/\s+/).every((word) => text.includes(word));
}

function showDetails() {
    const w = chosen === null ? undefined : workers.get(chosen);
    at("details").hidden = !w;
    if (!w) return;
    const rows = [["worker", w.id], ["state", w.state], ["since", w.since], ["reason", w.reason], ["type", w.type], ["host", w.host],
                  ["address", w.url], ["version", w.version], ["instance", w.instance],
                  ["models", w.models.map((m) => m.name + (m.revision ? " @ " + m.revision.slice(0, 12) : "")).join(", ")],
                  ["labels", Object.entries(w.labels).map(([k, v]) => `${k}=${v}`).join(", ")],
                  ...w.holds.map((h) => ["holds", `${h.uuid}: ${h.mib} MiB` + (h.planned_mib ? `, planned ${h.planned_mib} MiB` : "")]),
                  ...w.gpus.map((g) => [g.name || "GPU", `${g.uuid}: ${g.state || "ok"}, ${g.used_mib ?? "?"} of ${g.cuda_total_mib || g.total_mib} MiB` +
                                        (holders(g).length ? "; " + holders(g).join(", ") : "")])];
    at("detail-list").replaceChildren(...rows.filter(([, v]) => v).flatMap(([k, v]) => [make("dt", k), make("dd", v)]));
}

function choose(id) {
    chosen = chosen === id ? null : id;
    showDetails();
}

function draw() {
    pending = false;
    const shown = [...workers.values()].filter(matches);
    const groups = new Map(ORDER.map((state) => [state, []]));
    for (const w of shown) (groups.get(w.state) || groups.set(w.state, []).get(w.state)).push(w);
    const items = [], gpus = new Map(), models = new Map(), unknown = new Set();
    at("counts").replaceChildren();
    for (const [state, all] of groups) {
        if (!all.length) continue;
        all.sort((a, b) => a.id < b.id ? -1 : 1);
        items.push({group: state, count: all.length}, ...all.map((worker) => ({worker})));
        const count = make("li", state + " ");
        count.append(make("b", all.length));
        at("counts").append(count);
        for (const worker of all) {
            for (const gpu of worker.gpus) addGpu(gpus, worker, gpu);
            for (const m of worker.models) {
                const name = nameOf(m.name);
                if (!names.has(m.name)) unknown.add(m.name);
                if (!models.has(name)) models.set(name, new Set());
                models.get(name).add(worker.host);
            }
        }
    }
    lists.workers.set(items);
    lists.gpus.set([...gpus.values()]);
    lists.models.set([...models].sort().map(([name, hosts]) => ({name, hosts: [...hosts].sort()})));
    lists.changes.set(changes.filter((c) => !query || (c.id + " " + c.words).toLowerCase().includes(query)));
    showDetails();
    learn(unknown);
    drawPlan([...new Set(shown.filter((w) => w.gpus.length && !OVER.includes(w.state)).map((w) => w.host))].sort().slice(0, HOSTS));
}

function drawSoon() {
    if (pending) return;
    pending = true;
    requestAnimationFrame(draw);
}

function note(w, before) {
    if (before && before.state === w.state) return;
    const words = (before ? before.state + " \u2192 " : "") + w.state + (w.reason ? ": " + w.reason : "");
    changes.unshift({time: new Date().toLocaleTimeString(), id: w.id, state: w.state, words});
    changes = changes.slice(0, CHANGES);
}

function take(event, data) {
    const said = JSON.parse(data);
    if (event === "reset") {
        workers.clear();
        names.clear();
    }
    for (const id of said.gone || []) workers.delete(id);
    for (const w of said.workers) {
        if (event !== "reset") note(w, workers.get(w.id));
        workers.set(w.id, Object.assign(w, {turn: ++turn}));
    }
    drawSoon();
}

function line(text, bad) {
    at("line").textContent = text;
    at("line").className = bad ? "bad" : "";
}

async function follow() {
    const headers = {Accept: "text/event-stream", ...asReader()};
    if (lastId) headers["Last-Event-ID"] = lastId;
    const answer = await fetch("v1/events", {headers, cache: "no-store"});
    if (answer.status === 401 || answer.status === 403) {
        sessionStorage.removeItem("token");
        at("ask").hidden = false;
        line("a token is needed to read here", true);
        at("token").focus();
        return false;
    }
    if (!answer.ok) throw new Error("status " + answer.status);
    line("live");
    at("ask").hidden = true;
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (;;) {
        const {value, done} = await reader.read();
        if (done) throw new Error("the stream ended");
        text += value;
        for (let end; (end = text.indexOf("\n\n")) >= 0; text = text.slice(end + 2)) {
            const fields = {data: ""};
            for (const part of text.slice(0, end).split("\n")) {
                const colon = part.indexOf(":");
                if (colon > 0) fields[part.slice(0, colon)] = part.slice(colon + 1).replace(/^ /, "");
            }
            if (fields.data) take(fields.event, fields.data);
            if (fields.id) lastId = fields.id;
        }
    }
}

async function live() {
    for (let wait = 500; ; wait = Math.min(2 * wait, 15000)) {
        const began = Date.now();
        try {
            if (!await follow()) return;
        } catch (error) {
            line(`no connection to the coordinator (${error.message}): trying again`, true);
        }
        if (Date.now() - began > 20000) wait = 500;
        await new Promise((done) => setTimeout(done, wait));
    }
}

at("filter").addEventListener("input", (event) => {
    query = event.target.value.trim().toLowerCase();
    drawSoon();
});
at("plan-host").addEventListener("change", drawSoon);
at("ask").addEventListener("submit", (event) => {
    event.preventDefault();
    sessionStorage.setItem("token", at("token").value.trim());
    live();
});
document.addEventListener("keydown", (event) => {
    if (event.key === "/" && document.activeElement.tagName !== "INPUT") {
        event.preventDefault();
        at("filter").focus();
    } else if (event.key === "Escape" && document.activeElement === at("filter")) {
        at("filter").value = query = "";
        drawSoon();
    } else if (event.key === "Escape") {
        choose(chosen);
    }
});
at("plain").remove();
at("live").hidden = false;
live();
