// Buttons that answer a question; their keys work while the focus is in the group.
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
    // Keep the focus, and with it the keys, when the focused button is disabled.
    const hadFocus = group.contains(document.activeElement);
    buttons.forEach((button, name) => { button.disabled = !enabled.includes(name); });
    if (hadFocus && document.activeElement.disabled !== false) group.focus();
  }
  group.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const choice = model.get("choices").find(({ keys }) => keys.includes(event.key.toLowerCase()));
    // Keep the keys from JupyterLab's shortcuts; Tab and Enter still work.
    event.stopPropagation();
    if (!choice || event.repeat) return;
    event.preventDefault();
    press(choice.name);
  });
  model.on("change:enabled", show);
  model.on("msg:custom", (content) => {
    // The group may still be hidden.
    if (content.kind === "focus") setTimeout(() => group.focus(), 100);
  });
  show();
  el.append(group, hint);
}
export default { render };
