// Keep an open page true: ask now and then whether what it shows has changed, and then read it again.
// Without this script the page is complete as well, and loading it again shows what changed.

const SECONDS = [3, 3, 3, 5, 8, 15, 30]; // between two questions, the longer the longer nothing changes
const main = document.querySelector("main[data-changes]");
const note = document.getElementById("live-note");
let quiet = 0;
let held = false; // a changed part is being filled in, so it is not replaced yet
let over = false; // the page has reached its end, or nobody is signed in
let timer;

function schedule() {
  clearTimeout(timer);
  if (document.hidden || over) return;
  timer = setTimeout(ask, 1000 * SECONDS[Math.min(quiet, SECONDS.length - 1)]);
}

async function ask() {
  try {
    const known = { "If-None-Match": `"${main.dataset.mark}"`, Accept: "application/json" };
    const answer = await fetch(main.dataset.changes, { headers: known, cache: "no-store" });
    if (answer.status === 401) {
      tell("You are signed out.", "Load the page again to sign in");
      over = true;
      return;
    }
    const changed = answer.status === 200;
    quiet = changed ? 0 : answer.status === 304 ? quiet + 1 : SECONDS.length;
    if (changed || (held && !busyParts().length)) await renew();
  } catch {
    quiet = SECONDS.length; // the server is away: ask seldom
  }
  schedule();
}

async function renew() {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
  if (new URL(answer.url).pathname !== location.pathname) {
    location.assign(answer.url); // the page leads on, as that of a job to its plan
    return;
  }
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.querySelector("main");
  held = [...fresh.querySelectorAll("[data-live]")].filter((part) => !put(part)).length > 0;
  if (fresh.dataset.mark) main.dataset.mark = fresh.dataset.mark;
  if (held) tell("This page changed while you were filling in a form.", "Show the changes");
  else note.replaceChildren("Updated at ", timeNow(), ".");
  over = !fresh.dataset.changes;
}

function timeNow() {
  const time = document.createElement("time");
  time.dateTime = new Date().toISOString();
  time.textContent = `${time.dateTime.slice(11, 19)} UTC`;
  return time;
}

// Put a part of the new page in the place of the old one. Return false if somebody is filling it in.
function put(part) {
  const old = document.getElementById(part.id);
  if (!old) return false;
  if (text(old) === text(part)) return true;
  if (isBusy(old)) return false;
  const place = controls(old).indexOf(document.activeElement);
  old.replaceWith(document.adoptNode(part));
  if (place >= 0) controls(part)[place]?.focus({ preventScroll: true });
  return true;
}

const controls = (part) => [...part.querySelectorAll("a, button, [tabindex]")];

// What a part says, without what differs each time: the keys of forms, and local times (`times.js`).
function text(part) {
  const bare = part.cloneNode(true);
  for (const local of bare.querySelectorAll(".local")) local.remove();
  return bare.outerHTML.replace(/name="form_key" value="[^"]*"/g, "");
}

const busyParts = () => [...document.querySelectorAll("[data-live]")].filter(isBusy);

function isBusy(part) {
  const fields = [...part.querySelectorAll("input:not([type=hidden]), select, textarea")];
  return part.querySelector("[data-busy]") || fields.some((one) => one === document.activeElement || isFilledIn(one));
}

function isFilledIn(field) {
  if (field.type === "file") return field.files.length > 0;
  if (field.type === "checkbox" || field.type === "radio") return field.checked !== field.defaultChecked;
  if (field.tagName !== "SELECT") return field.value !== field.defaultValue;
  const chosen = [...field.options].findIndex((option) => option.defaultSelected);
  return field.selectedIndex !== Math.max(0, chosen);
}

function tell(words, action) {
  const link = document.createElement("a");
  link.href = location.href;
  link.textContent = action;
  note.replaceChildren(words, " ", link, ".");
}

// Nobody sees a hidden page, so it asks nothing until it is shown again.
document.addEventListener("visibilitychange", () => (document.hidden || over ? clearTimeout(timer) : ask()));
document.addEventListener("loupe:acted", ask);
schedule();
