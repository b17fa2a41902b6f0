// Makes the box around it one picture with a name, once it stands in one.
function render({ model, el }) {
  el.style.display = "none";
  function show() {
    const box = el.closest(".widget-vbox");
    if (!box) return requestAnimationFrame(show);
    box.setAttribute("role", "img");
    box.setAttribute("aria-label", model.get("text"));
  }
  model.on("change:text", show);
  show();
}
export default { render };
