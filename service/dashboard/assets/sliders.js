// Show the value of a slider while it moves, and send its form when it stands. Without scripts a button does.

const STILL_MS = 700; // every press of a key is a change: the slider stands once no other follows
const MOVED = "loupe:moved-slider";

for (const form of document.querySelectorAll("form.slider")) {
  const slider = form.querySelector("input[type=range]");
  const output = form.querySelector("output");
  let byKey = false;
  let moved = false;
  let timer;
  slider.addEventListener("pointerdown", () => { byKey = false; });
  slider.addEventListener("keydown", () => {
    byKey = true;
    clearTimeout(timer);
  });
  slider.addEventListener("keyup", () => {
    if (moved) timer = setTimeout(() => form.requestSubmit(), STILL_MS);
  });
  slider.addEventListener("blur", () => clearTimeout(timer));
  slider.addEventListener("input", () => {
    moved = true;
    output.value = slider.value;
  });
  slider.addEventListener("change", () => { if (!byKey) form.requestSubmit(); });
  form.addEventListener("submit", () => sessionStorage.setItem(MOVED, slider.id));
}

// The page of the new value goes on where the last one ended, so that keys move the slider on.
const last = sessionStorage.getItem(MOVED);
sessionStorage.removeItem(MOVED);
if (last) document.getElementById(last)?.focus({ preventScroll: true });
