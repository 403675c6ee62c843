// Forms that act are sent once, and forms with files show how far they are. Without this script they are sent
// by the browser: the server does the same, and answers with a page.

const AS_DOCUMENT = "application/vnd.loupe.form+json";
const BROKEN = {
  title: "The connection broke",
  detail:
    "The server may be away, or the file larger than it takes. Send the form again: what arrived has one effect.",
};
const PLAIN_MS = 10000; // after that a form without files can be sent again, should its answer never come

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.method !== "post") return;
  if ("busy" in form.dataset) {
    event.preventDefault();
    return;
  }
  form.dataset.busy = "";
  if (form.dataset.sends && form.querySelector("input[type=file]").files.length) {
    event.preventDefault();
    sendFiles(form).finally(() => delete form.dataset.busy);
  } else {
    setTimeout(() => delete form.dataset.busy, PLAIN_MS);
  }
});

// A page that the browser shows again by its back button can be sent again.
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-busy]")) delete form.dataset.busy;
});

async function sendFiles(form) {
  const input = form.querySelector("input[type=file]");
  const list = document.getElementById("uploads");
  const stay = (event) => event.preventDefault();
  addEventListener("beforeunload", stay);
  list.replaceChildren();
  list.hidden = false;
  let last = BROKEN;
  for (const file of [...input.files]) {
    const line = addLine(list, file);
    list.lastElementChild.scrollIntoView({ block: "nearest" });
    last = await post(form, input.name, file, line);
    line.end(last);
  }
  removeEventListener("beforeunload", stay);
  if (form.dataset.sends === "scene" && last.page) {
    location.assign(last.page);
  } else if (form.dataset.sends === "files") {
    input.value = "";
    document.dispatchEvent(new Event("loupe:acted"));
  }
}

// Send the form with one of its files. The promise always resolves, with the answer or with a refusal.
function post(form, name, file, line) {
  return new Promise((resolve) => {
    const body = new FormData(form);
    body.set(name, file);
    const request = new XMLHttpRequest();
    request.open("POST", form.action);
    request.setRequestHeader("Accept", AS_DOCUMENT);
    request.upload.addEventListener("progress", (event) => line.sent(event.loaded, event.total));
    request.upload.addEventListener("load", () => line.arrived());
    request.addEventListener("load", () => resolve(read(request.responseText)));
    request.addEventListener("error", () => resolve(BROKEN));
    request.send(body);
  });
}

function read(text) {
  try {
    return JSON.parse(text);
  } catch {
    return BROKEN; // a proxy answered
  }
}

function addLine(list, file) {
  const [item, name, bar, says] = ["li", "strong", "progress", "p"].map((tag) => document.createElement(tag));
  item.className = "sheet";
  name.textContent = file.name;
  bar.max = 1;
  bar.value = 0;
  bar.setAttribute("aria-label", `Sent of ${file.name}`);
  says.setAttribute("role", "status");
  says.textContent = "It is being sent.";
  item.append(name, bar, says);
  list.append(item);
  return {
    sent: (bytes, all) => { bar.value = all ? bytes / all : 0; },
    arrived: () => {
      bar.removeAttribute("value"); // how long checking takes is not known
      bar.setAttribute("aria-label", `Checking of ${file.name}`);
      says.textContent = "It arrived and is being checked.";
    },
    end: (answer) => {
      bar.remove();
      item.classList.toggle("refused", !answer.page);
      if (!answer.page) says.setAttribute("role", "alert");
      says.textContent = answer.page ? answer.notice : `${answer.title}. ${answer.detail}`;
      if (answer.page) says.append(" ", linkTo(answer.page));
    },
  };
}

function linkTo(page) {
  const link = document.createElement("a");
  link.href = page;
  link.textContent = "Show the result";
  return link;
}

// Files can be dropped anywhere on the field.
for (const kind of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(kind, (event) => {
    const field = event.target.closest?.("[data-drop]");
    if (!field) return;
    if (kind !== "dragleave") event.preventDefault();
    field.classList.toggle("over", kind === "dragover");
    if (kind === "drop" && event.dataTransfer.files.length) {
      field.querySelector("input[type=file]").files = event.dataTransfer.files;
    }
  });
}
