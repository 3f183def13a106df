// VMs: the record of one, with all its images, and the forms that back it up, restore it and boot it from its image.
"use strict";

const screenOf = (name) => `screens/${encodeURIComponent(page().dataset.vault)}/${encodeURIComponent(name)}`;
const seconds = (count) => `${count.toFixed(1)} s`;
const isUnreadable = (image) => image.method === "unknown";
// An image's folder in the vault is named by its instant, to the second.
const generationName = (image) => `${new Date(image.instant).toISOString().slice(0, 19).replaceAll(":", "-")}Z`;

function downtime(image) {
  if (isUnreadable(image)) return "unknown";
  return image.downtime_s === null ? "not stopped" : seconds(image.downtime_s);
}

const isOf = (image, test) => Date.parse(test.image) === Date.parse(image?.instant);

function bootTest(image, last) {
  const tested = last && isOf(image, last) ? last.result : null;
  if (tested && tested !== "passed") return tested;
  return image.booted ? "passed" : "never";
}

function row(vm, image) {
  const name = generationName(image), verified = image.damage ? make("b", { class: "bad", title: image.damage }, "damaged") : ago(image.verified);
  return make("tr", {},
    make("th", { scope: "row", title: name }, time(image.instant), make("s", {}, ago(image.instant))),
    make("td", { class: "n" }, isUnreadable(image) ? "unknown" : size(image.bytes)),
    make("td", {}, verified),
    make("td", {}, bootTest(image, vm.boot_test)),
    make("td", {}, downtime(image)),
    make("td", {}, protection(vm, image)),
    make("td", {}, make("button", { type: "button", "aria-label": `Restore ${name}`, onclick: () => openRestoreVm(vm.name, name) }, "Restore …")));
}

function protection(vm, image) {
  const is = image.protection, name = generationName(image);
  const text = is ? make("span", { class: "who", title: `${is.why}${is.when ? `, since ${timestamp(is.when)}` : ""}` }, `by ${is.who}`) : "";
  const attributes = { type: "button", "aria-label": `${is ? "Lift the protection of" : "Protect"} ${name}`, onclick: () => openProtect(vm.name, name, is) };
  return make("span", {}, text, make("button", attributes, is ? "Lift …" : "Protect …"));
}

function images(vm) {
  if (!vm.generations.length) return null;
  const heads = ["Image", "Size", "Verified", "Boot test", "Downtime", "Protected", ""];
  return make("div", { class: "scroll images", tabindex: "0", role: "region", "aria-label": `Images of ${vm.name}` },
    make("table", {},
      make("thead", {}, make("tr", {}, ...heads.map((head) => (head ? make("th", { scope: "col" }, head) : make("td"))))),
      make("tbody", {}, ...vm.generations.toReversed().map((image) => row(vm, image)))));
}

function protectedImages(vm) {
  const found = vm.generations.filter((image) => image.protection).map((image) => make("span", { class: "line" }, time(image.instant), `, by ${image.protection.who}: ${image.protection.why}`));
  return found.length ? make("span", {}, ...found) : "";
}

const oneVm = (name) => get(api(`vms/${encodeURIComponent(name)}`));

async function showVm(name) {
  show(name, make("p", {}, "…"));
  let vm;
  try { vm = await oneVm(name); } catch (error) { show(name, make("p", {}, error.message)); return; }
  const last = vm.generations.at(-1);
  const removal = vm.next_removal, test = vm.boot_test;
  show(`${name} · ${vm.state}`,
    make("p", {}, vm.sentence, last && isUnreadable(last) ? " The record of its newest image is unreadable." : ""),
    definitions([
      ["Host", vm.host],
      ["Images", `${vm.generations.length}`],
      ["Newest image", vm.how_imaged],
      ["Downtime", last && `${downtime(last)}; budget ${seconds(vm.budget_s)}`],
      ["Boot test", test ? `${test.result}, ${ago(test.when)}${isOf(last, test) ? "" : ", of an older image"}: ${test.how}` : "never"],
      ["Protected", protectedImages(vm)],
      ["Removed next", removal ? make("span", {}, time(removal.instant), `: ${removal.reason}`) : "nothing"],
    ]),
    make("div", { class: "actions" },
      make("button", { type: "button", onclick: () => openBackUpVms(name) }, "Back it up now …"),
      last ? make("button", { type: "button", onclick: () => openRestoreVm(name) }, "Restore it …") : null,
      last ? make("button", { type: "button", onclick: () => openBootTest(name) }, "Boot test …") : null,
      make("a", { class: "button", href: "../dags/vm_weekly", "data-out": "" }, "Open vm_weekly")),
    images(vm),
    vm.screen ? make("img", { src: screenOf(name), alt: `The screen of ${name} in its last boot test` }) : null);
}

// ---- forms

const option = (value, text = value) => make("option", { value }, text);

function chooseVm(form, name) {
  form.vm.replaceChildren(...queryAll(".vms th button").map((button) => option(button.textContent)));
  form.vm.value = name;
}

async function fillImages(form, chosen = "") {
  const name = form.vm.value, field = form.generation;
  field.replaceChildren(option("", "The newest that isn't damaged"));
  const vm = await oneVm(name);
  if (form.vm.value !== name) return; // another one was chosen meanwhile
  const about = (image) => [timestamp(image.instant), isUnreadable(image) ? "unreadable" : size(image.bytes), image.damage ? "DAMAGED" : `verified ${ago(image.verified)}`, `boot test ${bootTest(image, vm.boot_test)}`].join(" · ");
  field.append(...vm.generations.toReversed().map((image) => option(generationName(image), about(image))));
  field.value = chosen;
}

function openBackUpVms(name = "") {
  const box = query("#back-up-vms"), form = query(".request", box);
  form.reset();
  form.vms.value = name;
  openBox(box, name ? query(".main", box) : form.vms);
}

function openRestoreVm(name, generation = "") {
  const box = query("#restore-vm"), form = query(".request", box);
  form.reset();
  chooseVm(form, name);
  fillImages(form, generation).then(() => preview(box), (error) => query(".result", box).replaceChildren(error.message));
  openBox(box, query(".main", box));
}

function openBootTest(name) {
  const box = query("#boot-test"), form = query(".request", box);
  form.reset();
  chooseVm(form, name);
  openBox(box, query(".main", box));
}

function openProtect(name, generation, is) {
  const box = query("#protect"), form = query(".request", box);
  form.reset();
  form.vm.value = name;
  form.generation.value = generation;
  form.lift.value = is ? "1" : "";
  form.why.parentNode.hidden = Boolean(is);
  form.why.required = !is;
  query("h2", box).textContent = is ? "Lift the protection of an image" : "Protect an image";
  query(".main", box).textContent = is ? "Lift it" : "Protect";
  query(".about", box).textContent = is ? `${name} ${generation} is protected by ${is.who}: ${is.why}` : `${name} ${generation} is kept, whatever the retention rules, until somebody lifts the protection.`;
  openBox(box, is ? query(".main", box) : form.why);
}

function protect(form) {
  const conf = { vm: form.vm.value, generation: form.generation.value, lift: Boolean(form.lift.value) };
  if (!conf.lift) conf.why = form.why.value.trim();
  return startRun("vm_protect", conf);
}

const patterns = (form) => form.vms.value.split("\n").map((line) => line.trim()).filter(Boolean);

function previewBackUpVms(form, text) {
  const names = patterns(form);
  form.vms.setCustomValidity(form.vms.value && !names.length ? "Write a VM's name, or a pattern such as web*." : "");
  if (!names.length) { text.replaceChildren(); return; }
  const sentence = `vm_weekly backs up ${names.join(", ")} now: each VM that runs is stopped for some seconds, one after the other, and imaged while it runs again.`;
  text.replaceChildren(form.dry_run.checked ? `Dry run. ${sentence} No VM is touched.` : sentence, make("b", { class: "warn" }, pausedText("vm_weekly")));
}

function previewRestoreVm(form, text) {
  const inPlace = form.how.value === "in place", name = form.vm.value;
  for (const label of queryAll("[data-how]", form)) label.hidden = label.dataset.how !== form.how.value;
  form.new_name.placeholder = `empty: ${name}-restored`;
  form.new_name.setCustomValidity(!inPlace && form.new_name.value.trim() === name ? `${name} stays as it is: the VM beside it needs another name.` : "");
  form.confirm.required = inPlace;
  form.confirm.setCustomValidity(inPlace && form.confirm.value !== name ? `Type ${name}.` : "");
  const image = form.generation.value || "its newest image that isn't damaged";
  const sentence = inPlace
    ? `vm_restore replaces the disks and the definition of ${name} by ${image}. Its current disks are kept beside them.`
    : `vm_restore makes a new VM, ${form.new_name.value.trim() || `${name}-restored`}, of ${image}, with its network links down. ${name} isn't touched.`;
  text.replaceChildren(form.dry_run.checked ? `Dry run. ${sentence} Nothing is changed.` : sentence, make("b", { class: "warn" }, pausedText("vm_restore")));
}

function previewBootTest(form, text) {
  const sentence = `vm_boot_test boots the newest image of ${form.vm.value} in a temporary VM without network.`;
  text.replaceChildren(form.dry_run.checked ? `Dry run. ${sentence} Nothing is booted.` : sentence, make("b", { class: "warn" }, pausedText("vm_boot_test")));
}

async function startRun(dag, conf) {
  const run = await post(`dags/${dag}/dagRuns`, { logical_date: null, conf });
  return [started(dag, "The run"), runLink(dag, run.dag_run_id)];
}

function restoreVm(form) {
  const conf = { vm: form.vm.value, how: form.how.value, start: form.start.checked, dry_run: form.dry_run.checked };
  if (form.generation.value) conf.generation = form.generation.value;
  if (form.host.value.trim()) conf.host = form.host.value.trim();
  if (conf.how === "in place") conf.confirm = form.confirm.value;
  else if (form.new_name.value.trim()) conf.new_name = form.new_name.value.trim();
  return startRun("vm_restore", conf);
}

forms["back-up-vms"] = { dag: "vm_weekly", start: (form) => startRun("vm_weekly", { vms: patterns(form), dry_run: form.dry_run.checked }), preview: previewBackUpVms };
forms["restore-vm"] = { dag: "vm_restore", start: restoreVm, preview: previewRestoreVm };
forms.protect = { dag: "vm_protect", start: protect, preview: (_, text) => text.replaceChildren(make("b", { class: "warn" }, pausedText("vm_protect"))) };
forms["boot-test"] = { dag: "vm_boot_test", start: (form) => startRun("vm_boot_test", { vm: form.vm.value, dry_run: form.dry_run.checked }), preview: previewBootTest };

document.addEventListener("change", (event) => {
  const form = event.target.closest("#restore-vm .request");
  if (form && event.target === form.vm) fillImages(form).then(() => preview(form.closest("dialog")), () => {});
});
