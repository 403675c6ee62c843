// Write the reader's local time behind each time: "2 Nov 2026, 14:05 UTC (15:05 your time)". Without this script
// the pages are complete and say UTC. Days without a time are days of UTC, so they stay.

const HAS_TIME = /T\d\d:\d\d/;
const clock = format({ timeStyle: "short" });
const calendar = format({ dateStyle: "medium", timeStyle: "short" });

function format(options) {
  try {
    return new Intl.DateTimeFormat(navigator.languages, options);
  } catch {
    return new Intl.DateTimeFormat(undefined, options); // a browser's language that is no language tag
  }
}

function addLocal(time) {
  const at = new Date(time.dateTime);
  // Where the local time is UTC at that moment, there is nothing to add.
  if (!HAS_TIME.test(time.dateTime) || !at.getTimezoneOffset() || time.querySelector(".local")) return;
  const inUse = at.getDate() === at.getUTCDate() ? clock : calendar;
  const [local, said] = ["span", "bdi"].map((tag) => document.createElement(tag));
  local.className = "local";
  said.lang = inUse.resolvedOptions().locale; // the page is English, so screen readers are told
  said.textContent = inUse.format(at);
  local.append(" (", said, " your time)");
  time.append(local);
}

function addAll() {
  document.querySelectorAll("time").forEach(addLocal);
  const { timeZone } = clock.resolvedOptions();
  const note = document.querySelector(".local") ? ` Your time is that of ${timeZone.replaceAll("_", " ")}.` : "";
  const zone = document.getElementById("zone");
  if (zone.textContent !== note) zone.textContent = note;
}

addAll();
// Parts of an open page are replaced when they change (`live.js`).
new MutationObserver(addAll).observe(document.querySelector("main"), { childList: true, subtree: true });
