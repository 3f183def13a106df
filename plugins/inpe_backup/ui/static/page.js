// The page's behaviour: the theme, the time zone, links out of the frame, the calendar by mouse and keyboard, the
// record of a day, and the forms, which call Airflow's API as the logged-in user. vms.js has what VMs need.
"use strict";

const framed = window.parent !== window;

document.documentElement.classList.add("waits"); // nothing is painted before all times are in the right zone

// ---- theme: follows Airflow's UI

function setTheme() {
  const root = framed ? parent.document.documentElement : null;
  const shown = root && ["dark", "light"].find((name) => root.classList.contains(name) || root.dataset.theme === name);
  let stored = null;
  try { stored = localStorage.getItem("theme"); } catch { /* no storage: use the system's theme */ }
  const theme = shown || (stored === "dark" || stored === "light" ? stored : null);
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
}
setTheme();
window.addEventListener("storage", setTheme);
if (framed) {
  new MutationObserver(setTheme).observe(parent.document.documentElement, { attributeFilter: ["class", "data-theme"] });
}

// ---- helpers

const query = (selector, within = document) => within.querySelector(selector);
const queryAll = (selector, within = document) => [...within.querySelectorAll(selector)];

// Children that are strings become text, never HTML.
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "onclick") element.addEventListener("click", value);
    else element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

const page = () => query("#page");
const api = (path) => `api/v1/vaults/${encodeURIComponent(page().dataset.vault)}/${path}`;

async function get(path) {
  const response = await fetch(path, { headers: { Accept: "application/json" } });
  if (!response.ok) throw new Error(response.status === 401 ? "You are no longer logged in. Reload Airflow." : `Airflow answered ${response.status}.`);
  return response.json();
}

const units = ["B", "kB", "MB", "GB", "TB", "PB"];
function size(count) {
  let step = 0;
  while (count >= 999.5 && step < units.length - 1) { count /= 1000; step += 1; }
  return `${count.toFixed(step && count < 9.95 ? 1 : 0)} ${units[step]}`;
}

// ---- times: in the zone that is picked in Airflow's UI, which it stores as JSON; until one is, in the institute's

function zone() {
  try {
    const picked = JSON.parse(localStorage.getItem("timezone"));
    if (picked && new Intl.DateTimeFormat("en", { timeZone: picked })) return picked;
  } catch { /* no storage, or no such zone */ }
  return page().dataset.institute;
}
function timestamp(text) {
  const form = { timeZone: zone(), year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZoneName: "shortOffset" };
  const part = Object.fromEntries(new Intl.DateTimeFormat("en", form).formatToParts(new Date(text)).map(({ type, value }) => [type, value]));
  return `${part.year}-${part.month}-${part.day} ${part.hour}:${part.minute} ${part.timeZoneName.replace(/^GMT(\+0$)?/, "UTC")}`;
}
const time = (text) => make("time", { datetime: text }, timestamp(text));
function setTimes() {
  for (const element of queryAll("time[datetime]")) element.textContent = timestamp(element.dateTime);
  for (const element of queryAll("[data-zone]")) element.textContent = zone();
}
window.addEventListener("storage", setTimes);

function ago(text) {
  const hours = Math.max(0, (Date.now() - Date.parse(text)) / 3600e3);
  if (hours < 1) return `${Math.floor(hours * 60)} min ago`;
  return hours < 48 ? `${Math.round(hours)} h ago` : `${Math.round(hours / 24)} days ago`;
}

// ---- days of the year

const leap = (year) => (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
const dayName = (year, number) => `${year}-${String(number).padStart(3, "0")}`;
function dateOf(day) {
  const [, year, number] = /^(\d{4})-(\d{3})$/.exec(day) || [];
  if (!year || number < 1 || number > (leap(+year) ? 366 : 365)) return null;
  const date = new Date(Date.UTC(2000, 0, +number));
  date.setUTCFullYear(+year, 0, +number);
  return date;
}
// What a person typed, 2026-268 or 2026-09-25, as 2026-268; null if there is no such day.
function typedDay(text) {
  const [, year, month, number] = /^(\d{4})-(\d{2})-(\d{2})$/.exec(text.trim()) || [];
  if (!year) return dateOf(text.trim()) && text.trim();
  const date = dateOf(dayName(year, 1)), first = Number(date);
  date.setUTCMonth(month - 1, +number);
  const real = date.getUTCMonth() === month - 1 && date.getUTCDate() === +number;
  return real ? dayName(year, Math.round((date - first) / 864e5) + 1) : null;
}
// Today's day at the institute, which is where days begin and end.
const today = () => typedDay(new Intl.DateTimeFormat("en-CA", { timeZone: page().dataset.institute, year: "numeric", month: "2-digit", day: "2-digit" }).format(new Date()));
// The newest day that a backfill takes; its run may be due a few hours later.
function newestDue() {
  const date = dateOf(today());
  date.setUTCDate(date.getUTCDate() - page().dataset.lag);
  return typedDay(date.toISOString().slice(0, 10));
}
function dayFault(text) {
  const day = typedDay(text);
  if (!day) return "There is no such day. Write year and day of the year, such as 2026-268, or the date, such as 2026-09-25.";
  return day > today() ? `There is no day ${day} (${dateOf(day).toISOString().slice(0, 10)}) yet.` : "";
}
const longDate = (day) => dateOf(day).toLocaleDateString("en-GB", { weekday: "long", day: "numeric", month: "long", year: "numeric", timeZone: "UTC" });

// ---- calendar

const states = { "": "verified", d: "due for scrub", r: "revised", n: "not yet due", b: "damaged", f: "failed", s: "still at the source", l: "not at the source", u: "never checked" };
const loadedYears = new Map();
const numberOf = (cell) => (cell.cellIndex - 1) * 10 + (cell.parentNode.rowIndex - 1);
const dayOf = (cell) => dayName(cell.closest("table").dataset.year, numberOf(cell));
const isDay = (cell) => cell && cell.tagName === "TD" && !cell.classList.contains("x");

function cellOf(table, number) {
  const row = table.rows[1 + (number % 10)];
  const cell = row && row.cells[1 + Math.floor(number / 10)];
  return isDay(cell) ? cell : null;
}

async function yearOf(year) {
  if (!loadedYears.has(year)) loadedYears.set(year, get(api(`years/${year}`)).then((days) => new Map(days.map((day) => [day.day, day]))));
  return loadedYears.get(year);
}

let tipCell = null;
async function showTip(cell) {
  const day = dayOf(cell), box = query("#tip");
  tipCell = cell;
  const show = (sentence) => {
    if (tipCell !== cell) return;
    box.replaceChildren(make("b", {}, `${day} · ${states[cell.className]}`), `${longDate(day)}. ${sentence}`);
    box.hidden = false;
    const at = cell.getBoundingClientRect();
    box.style.left = `${Math.max(8, Math.min(at.left, innerWidth - box.offsetWidth - 8))}px`;
    const below = at.bottom + 8;
    box.style.top = `${below + box.offsetHeight > innerHeight ? Math.max(8, at.top - box.offsetHeight - 8) : below}px`;
    cell.setAttribute("aria-label", `${day}, ${states[cell.className]}. ${sentence}`);
  };
  show("");
  try {
    const status = (await yearOf(day.slice(0, 4))).get(day);
    if (status) show(status.sentence);
  } catch { /* show the state alone; a click shows the error */ }
}
function hideTip() { tipCell = null; query("#tip").hidden = true; }

const steps = { ArrowDown: 1, ArrowUp: -1, ArrowRight: 10, ArrowLeft: -10 };
function moveByKey(event) {
  const cell = event.target.closest("td");
  if (!isDay(cell)) return;
  const table = cell.closest("table"), now = numberOf(cell);
  if (event.key === "Enter" || event.key === " ") { event.preventDefault(); showDay(dayOf(cell)); return; }
  let next = null;
  if (event.key in steps) next = cellOf(table, now + steps[event.key]);
  else if (event.key === "Home") next = queryAll("td", table).filter(isDay).sort((a, b) => numberOf(a) - numberOf(b))[0];
  else if (event.key === "End") next = queryAll("td", table).filter(isDay).sort((a, b) => numberOf(b) - numberOf(a))[0];
  else return;
  event.preventDefault();
  if (next) focusCell(next);
}
function focusCell(cell) {
  for (const other of queryAll("td[tabindex]", cell.closest("table"))) other.tabIndex = -1;
  cell.tabIndex = 0;
  cell.focus();
}

// ---- the record of a day, or of a VM

function definitions(pairs) {
  return make("dl", {}, ...pairs.filter(([, value]) => value !== null && value !== "" && value !== undefined).flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
}

function show(title, ...body) {
  query("#sheet-title").textContent = title;
  query("#sheet-body").replaceChildren(...body.filter((part) => part !== null));
  if (!query("#sheet").open) query("#sheet").showModal();
}

const runLink = (dag, run) => make("a", { href: `../dags/${encodeURIComponent(dag)}/runs/${encodeURIComponent(run)}`, "data-out": "" }, run);

async function showDay(day) {
  hideTip();
  show(day, make("p", {}, "…"));
  let status;
  try { status = await get(api(`days/${day}`)); } catch (error) { show(day, make("p", {}, error.message)); return; }
  const { record, survey } = status;
  const actions = make("div", { class: "actions" });
  if (record) actions.append(make("button", { type: "button", onclick: () => openForm("restore", day, day) }, "Restore it …"));
  if (status.state !== "not yet due") actions.append(make("button", { type: "button", onclick: () => openForm("back-up", day, day) }, record ? "Back it up again …" : `${status.step} …`));
  show(`${day} · ${status.state}`,
    make("p", { class: "muted" }, longDate(day)),
    make("p", {}, status.sentence),
    record ? definitions([
      ["Files", `${record.files.toLocaleString("en")}, ${size(record.bytes)}`],
      ["Copied", time(record.copied)],
      ["Verified", make("span", {}, time(record.verified), `, ${ago(record.verified)}${record.scrubbed ? ", by a scrub" : ", when it was copied"}`)],
      ["Revision", record.revision > 1 ? `${record.revision}: ${record.cause || "its record is unreadable"}; older ones are kept` : "1"],
      ["Run", runLink("supim_daily", record.run)],
    ]) : definitions([["At the source", survey ? make("span", {}, `${survey.state}, surveyed `, time(survey.when)) : "not surveyed"], ["Deleted there", status.days_left === null ? "unknown" : `in ${status.days_left} days`]]),
    ...(record ? record.warnings.map((warning) => make("p", { class: "warn" }, warning)) : []),
    actions);
}

// ---- forms

function openBox(box, focused) {
  hideTip();
  for (const open of queryAll("dialog[open]")) open.close();
  query(".result", box).replaceChildren();
  query(".main", box).disabled = false;
  preview(box);
  box.showModal();
  focused.focus();
}

function openForm(which, first = "", last = first) {
  const box = query(`#${which}`), form = query(".request", box);
  form.first.value = first;
  form.last.value = last;
  openBox(box, first ? query(".main", box) : form.first);
}

function range(form) {
  const first = typedDay(form.first.value), last = typedDay(form.last.value || form.first.value);
  if (!first || !last) return null;
  return { first, last, days: Math.round((dateOf(last) - dateOf(first)) / 864e5) + 1 };
}

const pausedText = (dag) => (isPaused(dag) ? ` ${waits(dag)}.` : "");

function preview(box) {
  if (box.id in forms) forms[box.id].preview?.(query(".request", box), query(".preview", box));
}

function previewDays(form, text) {
  const box = form.closest("dialog"), chosen = range(form);
  const dag = box.id === "restore" ? "supim_restore" : "supim_daily";
  for (const field of [form.first, form.last]) field.setCustomValidity(field.value && dayFault(field.value));
  if (!chosen) { text.replaceChildren(); return; }
  if (chosen.days < 1) form.last.setCustomValidity("The last day is before the first.");
  if (chosen.days < 1) { text.replaceChildren(); return; }
  const due = newestDue(), isEarly = box.id === "back-up" && chosen.days > 1 && chosen.last > due;
  if (isEarly && chosen.first > due) form.first.setCustomValidity("None of these days is due yet. Back up each by itself.");
  const days = chosen.days === 1 ? chosen.first : `${chosen.days} days, ${chosen.first} to ${chosen.last}`;
  const sentence = box.id === "restore"
    ? `supim_restore verifies ${days} in the vault (the newest revision that isn't known to be damaged), copies what is missing to the folder, and verifies it there.`
    : `${chosen.days === 1 ? "One run" : `${chosen.days} runs`} of supim_daily: ${days}. Missing days are copied from the source and verified; safe days are left alone.${isEarly ? ` Those after ${due} aren't due yet, and are left out.` : ""}`;
  text.replaceChildren(form.dry_run.checked ? `Dry run. ${sentence} Nothing is changed.` : sentence, make("b", { class: "warn" }, pausedText(dag)));
}

const isPaused = (dag) => page().dataset.paused.split(" ").includes(dag);
const waits = (dag) => `${dag} is paused. It waits until you switch it on`;
const started = (dag, what) => (isPaused(dag) ? `${waits(dag)}: ` : `${what} has started: `);

async function post(path, body) {
  const response = await fetch(`../api/v2/${path}`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  const content = await response.json().catch(() => ({}));
  if (response.ok) return content;
  const detail = typeof content.detail === "string" ? content.detail : JSON.stringify(content.detail ?? "");
  const messages = { 401: "You are no longer logged in. Reload Airflow.", 403: "You are not allowed to start runs. Ask your Airflow administrator.", 404: `Airflow doesn't know this DAG. ${detail}`, 409: `Another backfill is running. Try again when it has finished. ${detail}` };
  throw new Error(messages[response.status] || `Airflow refused (${response.status}): ${detail}`);
}

async function backUp(form) {
  const { first, last, days } = range(form), conf = form.dry_run.checked ? { dry_run: true } : {};
  if (days === 1) {
    const run = await post("dags/supim_daily/dagRuns", { logical_date: null, partition_key: first, conf });
    return [started("supim_daily", "The run"), runLink("supim_daily", run.dag_run_id)];
  }
  const midnight = (day) => `${dateOf(day).toISOString().slice(0, 10)}T00:00:00Z`;
  await post("backfills", { dag_id: "supim_daily", from_date: midnight(first), to_date: midnight(last), dag_run_conf: conf, reprocess_behavior: "completed", max_active_runs: 4 });
  return [started("supim_daily", `The backfill of ${days} days`), make("a", { href: "../dags/supim_daily/backfills", "data-out": "" }, "its runs")];
}

async function restore(form) {
  const { first, last } = range(form);
  const conf = { day: first, folder: form.folder.value.trim(), pattern: form.pattern.value, overwrite: form.overwrite.checked, dry_run: form.dry_run.checked };
  if (last !== first) conf.last = last;
  if (form.ssh_conn_id.value.trim()) conf.ssh_conn_id = form.ssh_conn_id.value.trim();
  const run = await post("dags/supim_restore/dagRuns", { logical_date: null, conf });
  return [started("supim_restore", "The run"), runLink("supim_restore", run.dag_run_id)];
}

const forms = {
  "back-up": { dag: "supim_daily", start: backUp, preview: previewDays },
  restore: { dag: "supim_restore", start: restore, preview: previewDays },
  acknowledge: { start: (form) => acknowledge(form.key.value, form.period.value) },
};

async function submit(event) {
  event.preventDefault();
  const form = event.target, box = form.closest("dialog"), button = query(".main", box), result = query(".result", box);
  button.disabled = true;
  result.replaceChildren("Starting …");
  try {
    const sent = await forms[box.id].start(form);
    if (sent) result.replaceChildren(...sent, isPaused(forms[box.id].dag) ? "." : ". This page updates itself."); else box.close();
  } catch (error) {
    result.replaceChildren(error.message);
    button.disabled = false;
  }
}

// ---- acknowledged alerts, which the page keeps itself

async function acknowledge(key, period) {
  const headers = { "Content-Type": "application/json", "X-Backups": "1" };
  const response = await fetch(api("acknowledged"), { method: "POST", headers, body: JSON.stringify({ key, period }) });
  if (!response.ok) {
    const { detail } = await response.json().catch(() => ({}));
    throw new Error(response.status === 403 ? "You are not allowed to acknowledge alerts. Ask your Airflow administrator." : detail || `Airflow answered ${response.status}.`);
  }
  await refresh();
}

function openAcknowledge(button) {
  const box = query("#acknowledge"), form = query(".request", box);
  form.key.value = button.dataset.key;
  query(".about", box).textContent = query("span:nth-child(2)", button.closest("li")).lastChild.textContent;
  openBox(box, form.period);
}

// ---- links out of the frame: its sandbox forbids them, so the page around it, of the same origin, opens them

function openOutside(event) {
  const link = event.target.closest("a[data-out]");
  if (!link || !framed) return;
  event.preventDefault();
  const copy = parent.document.createElement("a");
  copy.href = link.href;
  if (event.ctrlKey || event.metaKey || event.button === 1) { copy.target = "_blank"; copy.rel = "noopener"; }
  parent.document.body.append(copy);
  copy.click();
  copy.remove();
}

// ---- news: the page reloads its content when a DAG has published

async function poll() {
  if (document.hidden) return;
  try {
    const { event } = await get("api/v1/news");
    if (String(event) !== page().dataset.event) await refresh();
  } catch { /* Airflow is unreachable: the page stays as it is, with its age */ }
}

async function refresh() {
  const response = await fetch(location.href);
  if (!response.ok) return;
  const fresh = query("#page", new DOMParser().parseFromString(await response.text(), "text/html"));
  if (!fresh) return;
  const before = { x: scrollX, y: scrollY, filter: query("#filter")?.value ?? "", focus: document.activeElement };
  const day = isDay(before.focus) ? dayOf(before.focus) : null;
  const folded = query(".acknowledged")?.open ?? false;
  const open = new Map(queryAll("details.year").map((year) => [query("table", year).dataset.year, year.open]));
  loadedYears.clear();
  page().replaceWith(document.adoptNode(fresh));
  setTimes();
  if (query(".acknowledged")) query(".acknowledged").open = folded;
  for (const year of queryAll("details.year")) year.open = open.get(query("table", year).dataset.year) ?? year.open;
  if (query("#filter")) { query("#filter").value = before.filter; filter(); }
  scrollToNewest();
  scrollTo(before.x, before.y);
  const table = day && query(`table[data-year="${day.slice(0, 4)}"]`);
  if (table) focusCell(cellOf(table, +day.slice(5)));
}

// ---- the table of VMs, and the start

function filter() {
  const text = query("#filter").value.trim().toLowerCase(), rows = queryAll(".vms tbody tr");
  let shown = 0;
  for (const row of rows) {
    row.hidden = !row.cells[0].textContent.toLowerCase().includes(text);
    shown += !row.hidden;
  }
  query("#matches").textContent = text ? `${shown} of ${rows.length}` : "";
}

// A narrow window first shows the newest days of a year.
function scrollToNewest() {
  for (const stop of queryAll(".cal td[tabindex='0']")) {
    const scroll = stop.closest(".scroll");
    scroll.scrollLeft = Math.max(0, stop.offsetLeft - scroll.clientWidth + 48);
  }
}

document.addEventListener("DOMContentLoaded", () => {
  document.addEventListener("click", openOutside);
  document.addEventListener("auxclick", openOutside);
  if (!page()) { document.documentElement.classList.remove("waits"); return; }
  setTimes();
  scrollToNewest();
  document.documentElement.classList.remove("waits");
  document.addEventListener("mouseover", (event) => {
    const cell = event.target.closest(".cal td");
    if (isDay(cell)) showTip(cell); else if (!isDay(document.activeElement)) hideTip();
  });
  document.addEventListener("focusin", (event) => (isDay(event.target) && event.target.closest(".cal") ? showTip(event.target) : hideTip()));
  document.addEventListener("scroll", hideTip, true);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") hideTip();
    if (event.target.closest(".cal")) moveByKey(event);
  });
  document.addEventListener("click", (event) => {
    const cell = event.target.closest(".cal td"), button = event.target.closest("button");
    if (isDay(cell)) { focusCell(cell); showDay(dayOf(cell)); }
    if (button?.dataset.do === "back-up") openForm("back-up", button.dataset.first, button.dataset.last);
    if (button?.dataset.do === "back-up-vms") openBackUpVms(button.dataset.names);
    if (button?.dataset.do === "vm") showVm(button.dataset.name);
    if (button?.dataset.do === "acknowledge") openAcknowledge(button);
    if (button?.dataset.do === "show-again") acknowledge(button.dataset.key, "withdrawn").catch((error) => { button.textContent = error.message; });
    if (button?.closest(".vms")) showVm(query("th button", button.closest("tr")).textContent);
  });
  document.addEventListener("input", (event) => {
    if (event.target.id === "filter") filter();
    const box = event.target.closest("dialog");
    if (box) preview(box);
  });
  for (const form of queryAll(".request")) form.addEventListener("submit", submit);
  setInterval(poll, 5000);
});
