// Show the value of a slider while it moves, and send its form when it stands. Without scripts a button does.
for (const form of document.querySelectorAll("form.slider")) {
  const slider = form.querySelector("input[type=range]");
  const output = form.querySelector("output");
  slider.addEventListener("input", () => { output.value = slider.value; });
  slider.addEventListener("change", () => form.requestSubmit());
}
