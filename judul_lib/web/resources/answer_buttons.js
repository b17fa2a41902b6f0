// A few buttons that answer a question; each has keys, which count while the focus is in their group.
function render({ model, el }) {
  const group = document.createElement("div");
  group.className = "judul-jawaban";
  group.tabIndex = 0;
  group.setAttribute("role", "group");
  group.setAttribute("aria-label", model.get("label"));
  const hint = document.createElement("p");
  hint.className = "judul-petunjuk";
  hint.textContent = model.get("hint");
  const buttons = new Map();

  function press(name) {
    const button = buttons.get(name);
    if (button && !button.disabled) {
      model.send({ kind: "press", name, question: model.get("question") });
    }
  }
  for (const { name, text, keys } of model.get("choices")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = `judul-tombol judul-jawab-${name}`;
    button.setAttribute("aria-keyshortcuts", keys.join(" "));
    const key = document.createElement("kbd");
    key.textContent = keys[0];
    key.setAttribute("aria-hidden", "true");
    button.append(text, " ", key);
    button.addEventListener("click", () => press(name));
    buttons.set(name, button);
    group.append(button);
  }
  function show() {
    const enabled = model.get("enabled");
    // A button that can no longer be pressed must not take the focus, and the keys, with it.
    const had = group.contains(document.activeElement);
    buttons.forEach((button, name) => { button.disabled = !enabled.includes(name); });
    if (had && document.activeElement.disabled !== false) group.focus();
  }
  group.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const found = model.get("choices").find(({ keys }) => keys.includes(event.key.toLowerCase()));
    // JupyterLab must not take the keys of someone who answers; Tab and Enter stay the browser's.
    event.stopPropagation();
    if (!found || event.repeat) return;
    event.preventDefault();
    press(found.name);
  });
  model.on("change:enabled", show);
  model.on("msg:custom", (content) => {
    // The group may have been hidden until just now.
    if (content.kind === "focus") setTimeout(() => group.focus(), 100);
  });
  show();
  el.append(group, hint);
}
export default { render };
