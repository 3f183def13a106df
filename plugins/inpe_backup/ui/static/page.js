// The page's behaviour: the theme, links out of the frame, the calendar by pointer and keyboard, the record of a
// day or machine, and the forms, which ask Airflow's own API as the user who is logged in.
"use strict";

const framed = window.parent !== window;

// ---- theme: as Airflow's UI has it, now and later

function theme() {
  const above = framed ? parent.document.documentElement : null;
  const shown = above && ["dark", "light"].find((name) => above.classList.contains(name) || above.dataset.theme === name);
  let kept = null;
  try { kept = localStorage.getItem("theme"); } catch { /* storage is off: the system's theme */ }
  const wanted = shown || (kept === "dark" || kept === "light" ? kept : null);
  if (wanted) document.documentElement.dataset.theme = wanted;
  else delete document.documentElement.dataset.theme;
}
theme();
window.addEventListener("storage", theme);
if (framed) {
  new MutationObserver(theme).observe(parent.document.documentElement, { attributeFilter: ["class", "data-theme"] });
}

// ---- small tools

const one = (selector, within = document) => within.querySelector(selector);
const all = (selector, within = document) => [...within.querySelectorAll(selector)];

// Text from outside only ever becomes text.
function make(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "onclick") made.addEventListener("click", value);
    else made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

const page = () => one("#page");
const api = (path) => `api/v1/vaults/${encodeURIComponent(page().dataset.vault)}/${path}`;

async function get(path) {
  const answer = await fetch(path, { headers: { Accept: "application/json" } });
  if (!answer.ok) throw new Error(answer.status === 401 ? "You are no longer logged in. Reload Airflow." : `Airflow answers ${answer.status}.`);
  return answer.json();
}

const units = ["B", "kB", "MB", "GB", "TB", "PB"];
function size(count) {
  let step = 0;
  while (count >= 999.5 && step < units.length - 1) { count /= 1000; step += 1; }
  return `${count.toFixed(step && count < 9.95 ? 1 : 0)} ${units[step]}`;
}
const moment = (text) => text.slice(0, 16).replace("T", " ") + (text.endsWith("Z") ? " UTC" : "");
function ago(text) {
  const hours = Math.max(0, (Date.now() - Date.parse(text)) / 3600e3);
  return hours < 48 ? `${Math.round(hours)} h ago` : `${Math.round(hours / 24)} days ago`;
}

// ---- days of the year

const leap = (year) => (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
const written = (year, number) => `${year}-${String(number).padStart(3, "0")}`;
function dateOf(day) {
  const [, year, number] = /^(\d{4})-(\d{3})$/.exec(day) || [];
  if (!year || number < 1 || number > (leap(+year) ? 366 : 365)) return null;
  const found = new Date(Date.UTC(2000, 0, +number));
  found.setUTCFullYear(+year, 0, +number);
  return found;
}
const long = (day) => dateOf(day).toLocaleDateString("en-GB", { weekday: "long", day: "numeric", month: "long", year: "numeric", timeZone: "UTC" });

// ---- calendar

const states = { "": "proven", d: "due for audit", r: "revised", n: "not yet due", b: "damaged", f: "failed", s: "missing, still at the source", l: "lost, not at the source", u: "not looked for" };
const yearsKnown = new Map();
const numberOf = (cell) => (cell.cellIndex - 1) * 10 + (cell.parentNode.rowIndex - 1);
const dayOf = (cell) => written(cell.closest("table").dataset.year, numberOf(cell));
const isDay = (cell) => cell && cell.tagName === "TD" && !cell.classList.contains("x");

function cellOf(table, number) {
  const row = table.rows[1 + (number % 10)];
  const cell = row && row.cells[1 + Math.floor(number / 10)];
  return isDay(cell) ? cell : null;
}

async function yearOf(year) {
  if (!yearsKnown.has(year)) yearsKnown.set(year, get(api(`years/${year}`)).then((days) => new Map(days.map((day) => [day.day, day]))));
  return yearsKnown.get(year);
}

let tipped = null;
async function tip(cell) {
  const day = dayOf(cell), box = one("#tip");
  tipped = cell;
  const show = (sentence) => {
    if (tipped !== cell) return;
    box.replaceChildren(make("b", {}, `${day} · ${states[cell.className]}`), `${long(day)}. ${sentence}`);
    box.hidden = false;
    const at = cell.getBoundingClientRect();
    box.style.left = `${Math.max(8, Math.min(at.left, innerWidth - box.offsetWidth - 8))}px`;
    const below = at.bottom + 8;
    box.style.top = `${below + box.offsetHeight > innerHeight ? Math.max(8, at.top - box.offsetHeight - 8) : below}px`;
    cell.setAttribute("aria-label", `${day}, ${states[cell.className]}. ${sentence}`);
  };
  show("");
  try {
    const known = (await yearOf(day.slice(0, 4))).get(day);
    if (known) show(known.sentence);
  } catch { /* the state alone, then; a click says what is wrong */ }
}
function untip() { tipped = null; one("#tip").hidden = true; }

const moves = { ArrowDown: 1, ArrowUp: -1, ArrowRight: 10, ArrowLeft: -10 };
function walk(event) {
  const cell = event.target.closest("td");
  if (!isDay(cell)) return;
  const table = cell.closest("table"), now = numberOf(cell);
  if (event.key === "Enter" || event.key === " ") { event.preventDefault(); showDay(dayOf(cell)); return; }
  let next = null;
  if (event.key in moves) next = cellOf(table, now + moves[event.key]);
  else if (event.key === "Home") next = all("td", table).filter(isDay).sort((a, b) => numberOf(a) - numberOf(b))[0];
  else if (event.key === "End") next = all("td", table).filter(isDay).sort((a, b) => numberOf(b) - numberOf(a))[0];
  else return;
  event.preventDefault();
  if (next) enter(next);
}
function enter(cell) {
  for (const other of all("td[tabindex]", cell.closest("table"))) other.tabIndex = -1;
  cell.tabIndex = 0;
  cell.focus();
}

// ---- the record of a day, or of a machine

function facts(pairs) {
  return make("dl", {}, ...pairs.filter(([, value]) => value !== null && value !== "" && value !== undefined).flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
}

function show(title, ...body) {
  one("#sheet-title").textContent = title;
  one("#sheet-body").replaceChildren(...body);
  if (!one("#sheet").open) one("#sheet").showModal();
}

const runLink = (dag, run) => make("a", { href: `../dags/${encodeURIComponent(dag)}/runs/${encodeURIComponent(run)}`, "data-out": "" }, run);

async function showDay(day) {
  untip();
  show(day, make("p", {}, "…"));
  let known;
  try { known = await get(api(`days/${day}`)); } catch (wrong) { show(day, make("p", {}, wrong.message)); return; }
  const record = known.record;
  const actions = make("div", { class: "actions" });
  if (record) actions.append(make("button", { type: "button", onclick: () => ask("restore", day, day) }, "Restore it …"));
  if (known.state !== "not yet due") actions.append(make("button", { type: "button", onclick: () => ask("back-up", day, day) }, record ? "Back it up again …" : `${known.step} …`));
  show(`${day} · ${known.state}`,
    make("p", { class: "quiet" }, long(day)),
    make("p", {}, known.sentence),
    record ? facts([
      ["Files", `${record.files.toLocaleString("en")}, ${size(record.bytes)}`],
      ["Copied", moment(record.copied)],
      ["Proof", `${moment(record.proven)}, ${ago(record.proven)}${record.audited ? ", by an audit" : ", when it was copied"}`],
      ["Revision", record.revision > 1 ? `${record.revision}; the older ones are kept` : "1, the only one"],
      ["Made by", runLink("supim_daily", record.run)],
    ]) : facts([["At the source", known.seen ? `${known.seen.state}, seen ${moment(known.seen.when)}` : "never asked"], ["Dropped there", known.days_left === null ? "not known" : `in ${known.days_left} days`]]),
    ...(record ? record.warnings.map((told) => make("p", { class: "warn" }, told)) : []),
    actions);
}

async function showMachine(name) {
  show(name, make("p", {}, "…"));
  let known;
  try { known = await get(api(`machines/${encodeURIComponent(name)}`)); } catch (wrong) { show(name, make("p", {}, wrong.message)); return; }
  const made = known.generations, last = made[made.length - 1], seconds = (s) => `${s.toFixed(1)} s`;
  const down = (image) => (image.method === "unknown" ? "not known" : image.downtime_s === null ? "not stopped" : seconds(image.downtime_s));
  show(`${name} · ${known.state}`,
    make("p", {}, known.sentence),
    facts([
      ["Host", known.host],
      ["Images", `${made.length}`],
      ["Newest", last && `${moment(last.instant)}, ${last.method === "unknown" ? "its record can't be read" : `${last.method}, ${size(last.bytes)}`}`],
      ["Proven", last && `${moment(last.proven)}, ${ago(last.proven)}`],
      ["Downtimes", make("span", {}, `${made.slice(-12).map(down).join(", ")}; budget ${seconds(known.budget_s)}`)],
      ["Drill", known.drill ? `${known.drill.result}, ${ago(known.drill.when)}: ${known.drill.how}` : "never booted from an image"],
      ["Removed next", known.leaving ? `${moment(known.leaving.instant)}: ${known.leaving.reason}` : "nothing"],
    ]),
    known.screen ? make("img", { src: screenOf(name), alt: `The screen of ${name} in its last drill` }) : null,
    make("div", { class: "actions" },
      make("a", { class: "button", href: "../dags/restore_machine", "data-out": "" }, "Restore: open its DAG"),
      make("a", { class: "button", href: "../dags/vm_weekly", "data-out": "" }, "Open vm_weekly")));
}
const screenOf = (name) => `screens/${encodeURIComponent(page().dataset.vault)}/${encodeURIComponent(name)}`;

// ---- forms

function ask(which, first = "", last = first) {
  untip();
  for (const open of all("dialog[open]")) open.close();
  const box = one(`#${which}`), form = one(".ask", box);
  form.first.value = first;
  form.last.value = last;
  one(".answer", box).replaceChildren();
  one(".main", box).disabled = false;
  foresee(box);
  box.showModal();
  (first ? one(".main", box) : form.first).focus();
}

function range(form) {
  const first = dateOf(form.first.value.trim()), last = dateOf(form.last.value.trim());
  if (!first || !last) return null;
  return { first, last, days: Math.round((last - first) / 864e5) + 1 };
}

function foresee(box) {
  const form = one(".ask", box), chosen = range(form), will = one(".will", box);
  const dag = box.id === "restore" ? "restore_day" : "supim_daily";
  for (const field of [form.first, form.last]) field.setCustomValidity(field.value && !dateOf(field.value.trim()) ? "There is no such day. Write year and day of the year, such as 2026-268." : "");
  if (!chosen) { will.replaceChildren(); return; }
  form.last.setCustomValidity(chosen.days < 1 ? "The last day is before the first." : "");
  if (chosen.days < 1) { will.replaceChildren(); return; }
  const days = chosen.days === 1 ? form.first.value : `${chosen.days} days, ${form.first.value} to ${form.last.value}`;
  const told = box.id === "restore"
    ? `restore_day proves ${days} in the vault, sends, and proves again where it arrives. What is there already is left.`
    : `${chosen.days === 1 ? "One run" : `${chosen.days} runs`} of supim_daily: ${days}. What is missing is copied from the source and proven; what is safe already is left as it is.`;
  const off = page().dataset.paused.split(" ").includes(dag) ? ` ${dag} is switched off: it waits until you switch it on.` : "";
  will.replaceChildren(form.dry_run.checked ? `Dry run. ${told} But nothing is changed.` : told, off ? make("b", { class: "warn" }, off) : "");
}

async function post(path, body) {
  const answer = await fetch(`../api/v2/${path}`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  const told = await answer.json().catch(() => ({}));
  if (answer.ok) return told;
  const detail = typeof told.detail === "string" ? told.detail : JSON.stringify(told.detail ?? "");
  const says = { 401: "You are no longer logged in. Reload Airflow.", 403: "You may look, but not start runs. Ask whoever runs Airflow.", 404: `Airflow doesn't know this DAG. ${detail}`, 409: `Another backfill is under way; try again when it's through. ${detail}` };
  throw new Error(says[answer.status] || `Airflow refuses (${answer.status}): ${detail}`);
}

async function backUp(form) {
  const { days } = range(form), conf = form.dry_run.checked ? { dry_run: true } : {};
  const first = form.first.value.trim(), last = form.last.value.trim();
  if (days === 1) {
    const run = await post("dags/supim_daily/dagRuns", { logical_date: null, partition_key: first, conf });
    return ["The run has started: ", runLink("supim_daily", run.dag_run_id)];
  }
  const midnight = (day) => `${dateOf(day).toISOString().slice(0, 10)}T00:00:00Z`;
  await post("backfills", { dag_id: "supim_daily", from_date: midnight(first), to_date: midnight(last), dag_run_conf: conf, reprocess_behavior: "completed", max_active_runs: 4 });
  return [`The backfill of ${days} days has started: `, make("a", { href: "../dags/supim_daily/backfills", "data-out": "" }, "its runs")];
}

async function restore(form) {
  const first = form.first.value.trim(), last = form.last.value.trim();
  const conf = { day: first, folder: form.folder.value.trim(), pattern: form.pattern.value, overwrite: form.overwrite.checked, dry_run: form.dry_run.checked };
  if (last !== first) conf.last = last;
  if (form.connection.value.trim()) conf.connection = form.connection.value.trim();
  const run = await post("dags/restore_day/dagRuns", { logical_date: null, conf });
  return ["The run has started: ", runLink("restore_day", run.dag_run_id)];
}

async function submit(event) {
  event.preventDefault();
  const form = event.target, box = form.closest("dialog"), button = one(".main", box), answer = one(".answer", box);
  button.disabled = true;
  answer.replaceChildren("Asking Airflow …");
  try {
    answer.replaceChildren(...await (box.id === "restore" ? restore(form) : backUp(form)), ". The page follows by itself.");
  } catch (wrong) {
    answer.replaceChildren(wrong.message);
    button.disabled = false;
  }
}

// ---- links out of the frame: its sandbox forbids them, so the page around it, of the same origin, follows them

function leave(event) {
  const link = event.target.closest("a[data-out]");
  if (!link || !framed) return;
  event.preventDefault();
  const twin = parent.document.createElement("a");
  twin.href = link.href;
  if (event.ctrlKey || event.metaKey || event.button === 1) { twin.target = "_blank"; twin.rel = "noopener"; }
  parent.document.body.append(twin);
  twin.click();
  twin.remove();
}

// ---- news: when something was published, the page shows it without being asked

async function follow() {
  if (document.hidden) return;
  try {
    const { event } = await get("api/v1/news");
    if (String(event) !== page().dataset.event) await renew();
  } catch { /* Airflow is away: the page stays as it is, and says how old it is */ }
}

async function renew() {
  const answer = await fetch(location.href);
  if (!answer.ok) return;
  const fresh = one("#page", new DOMParser().parseFromString(await answer.text(), "text/html"));
  if (!fresh) return;
  const was = { x: scrollX, y: scrollY, filter: one("#filter")?.value ?? "", focus: document.activeElement };
  const day = isDay(was.focus) ? dayOf(was.focus) : null;
  const unfolded = new Map(all("details.year").map((year) => [one("table", year).dataset.year, year.open]));
  yearsKnown.clear();
  page().replaceWith(document.adoptNode(fresh));
  for (const year of all("details.year")) year.open = unfolded.get(one("table", year).dataset.year) ?? year.open;
  if (one("#filter")) { one("#filter").value = was.filter; filter(); }
  turnToNewest();
  scrollTo(was.x, was.y);
  const table = day && one(`table[data-year="${day.slice(0, 4)}"]`);
  if (table) enter(cellOf(table, +day.slice(5)));
}

// ---- the rest

function filter() {
  const wanted = one("#filter").value.trim().toLowerCase(), rows = all(".fleet tbody tr");
  let shown = 0;
  for (const row of rows) {
    row.hidden = !row.cells[0].textContent.toLowerCase().includes(wanted);
    shown += !row.hidden;
  }
  one("#found").textContent = wanted ? `${shown} of ${rows.length}` : "";
}

// In a narrow window the newest days of this year come into sight, not its first.
function turnToNewest() {
  for (const stop of all(".cal td[tabindex='0']")) {
    const scroll = stop.closest(".scroll");
    scroll.scrollLeft = Math.max(0, stop.offsetLeft - scroll.clientWidth + 48);
  }
}

document.addEventListener("DOMContentLoaded", () => {
  document.addEventListener("click", leave);
  document.addEventListener("auxclick", leave);
  if (!page()) return;
  turnToNewest();
  document.addEventListener("mouseover", (event) => {
    const cell = event.target.closest(".cal td");
    if (isDay(cell)) tip(cell); else if (!isDay(document.activeElement)) untip();
  });
  document.addEventListener("focusin", (event) => (isDay(event.target) && event.target.closest(".cal") ? tip(event.target) : untip()));
  document.addEventListener("scroll", untip, true);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") untip();
    if (event.target.closest(".cal")) walk(event);
  });
  document.addEventListener("click", (event) => {
    const cell = event.target.closest(".cal td"), button = event.target.closest("button");
    if (isDay(cell)) { enter(cell); showDay(dayOf(cell)); }
    if (button?.dataset.do === "back-up") ask("back-up", button.dataset.first, button.dataset.last);
    if (button?.dataset.do === "machine") showMachine(button.dataset.name);
    if (button?.closest(".fleet")) showMachine(one("th button", button.closest("tr")).textContent);
  });
  document.addEventListener("input", (event) => {
    if (event.target.id === "filter") filter();
    const box = event.target.closest("dialog");
    if (box) foresee(box);
  });
  for (const form of all(".ask")) form.addEventListener("submit", submit);
  setInterval(follow, 5000);
});
