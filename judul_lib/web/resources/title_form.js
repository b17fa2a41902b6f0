// A title field and its button. Enter checks, Shift+Enter starts a new line.
function render({ model, el }) {
  const text = model.get("texts");
  const id = `judul-${crypto.getRandomValues(new Uint32Array(1))[0]}`;
  const form = document.createElement("form");
  form.className = "judul-form";
  form.noValidate = true;

  const label = document.createElement("label");
  label.htmlFor = id;
  label.textContent = text.label;

  const area = document.createElement("textarea");
  area.id = id;
  area.rows = 3;
  area.spellcheck = false;
  area.setAttribute("dir", "auto");
  area.placeholder = text.placeholder;
  area.setAttribute("aria-describedby", `${id}-hint ${id}-message`);
  area.value = model.get("value");

  const hint = document.createElement("p");
  hint.id = `${id}-hint`;
  hint.className = "judul-petunjuk";

  const message = document.createElement("p");
  message.id = `${id}-message`;
  message.className = "judul-galat";
  message.setAttribute("role", "alert");

  const button = document.createElement("button");
  button.type = "submit";
  button.className = "judul-tombol judul-utama";

  function showLength() {
    const length = [...area.value].length;
    hint.textContent = `${text.hint} ${length}/${model.get("max_length")}`;
    hint.classList.toggle("judul-lebih", length > model.get("max_length"));
  }
  function showBusy(busy) {
    button.disabled = busy;
    form.setAttribute("aria-busy", busy);
    button.textContent = busy ? text.busy : text.button;
    button.classList.toggle("judul-sibuk", busy);
  }
  function showMessage() {
    message.textContent = model.get("message");
    message.hidden = !message.textContent;
    area.setAttribute("aria-invalid", Boolean(message.textContent));
  }
  const words = (value) => value.split(/\s+/).filter(Boolean).join(" ");
  function showAge() {
    const answered = model.get("answered");
    const isOld = Boolean(answered) && words(area.value) !== words(answered);
    form.closest(".judul-satu")?.classList.toggle("judul-lama", isOld);
  }
  function submit() {
    if (button.disabled) return;
    showBusy(true);
    model.send({ kind: "submit", value: area.value });
  }

  form.addEventListener("submit", (event) => { event.preventDefault(); submit(); });
  area.addEventListener("input", () => { showLength(); showAge(); });
  // Keep the keys from JupyterLab's shortcuts.
  area.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      submit();
    }
  });
  model.on("change:busy", () => showBusy(model.get("busy")));
  model.on("change:message", showMessage);
  model.on("change:answered", showAge);
  // Sent after every check, even if no trait changed.
  model.on("msg:custom", (content) => { if (content.kind === "done") showBusy(false); });

  showLength(); showBusy(model.get("busy")); showMessage();
  form.append(label, area, hint, message, button);
  el.append(form);
  requestAnimationFrame(showAge);
}
export default { render };
