// Marks the figure beside it as one named image; its buttons stay buttons.
function render({ model, el }) {
  el.style.display = "none";
  const observer = new MutationObserver(show);
  function show() {
    const layers = el.closest(".widget-vbox")?.querySelectorAll("svg.main-svg") ?? [];
    layers.forEach((layer, number) => {
      if (number) return layer.setAttribute("aria-hidden", "true");
      layer.setAttribute("role", "img");
      layer.setAttribute("aria-label", model.get("text"));
    });
  }
  function watch() {
    const box = el.closest(".widget-vbox");
    if (!box) return requestAnimationFrame(watch);
    observer.observe(box, { childList: true, subtree: true });
    show();
  }
  model.on("change:text", show);
  watch();
  return () => observer.disconnect();
}
export default { render };
