// Escaped HTML from Python in a live region.
function render({ model, el }) {
  const box = document.createElement("div");
  box.setAttribute("role", "status");
  const show = () => { box.innerHTML = model.get("html"); };
  model.on("change:html", show);
  show();
  el.append(box);
}
export default { render };
