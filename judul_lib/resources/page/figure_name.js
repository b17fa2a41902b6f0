// Makes the box around it one picture with a name, once it stands in one and shows something.
function render({ model, el }) {
  el.style.display = "none";
  function show() {
    const box = el.closest(".widget-vbox");
    if (!box) return requestAnimationFrame(show);
    const text = model.get("text");
    if (!text) return;
    box.setAttribute("role", "img");
    box.setAttribute("aria-label", text);
  }
  model.on("change:text", show);
  show();
}
export default { render };
