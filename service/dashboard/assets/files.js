// Files can be dropped anywhere on the field. Without this script the field works by its button.

for (const field of document.querySelectorAll("[data-drop]")) {
  const input = field.querySelector("input[type=file]");
  const mark = (over) => field.classList.toggle("over", over);
  field.addEventListener("dragover", (event) => {
    event.preventDefault();
    mark(true);
  });
  field.addEventListener("dragleave", () => mark(false));
  field.addEventListener("drop", (event) => {
    event.preventDefault();
    mark(false);
    if (event.dataTransfer.files.length) {
      input.files = event.dataTransfer.files;
    }
  });
}
