// A native slider with its name and its value in words.
function render({ model, el }) {
  const id = `judul-${crypto.getRandomValues(new Uint32Array(1))[0]}`;
  const label = document.createElement("label");
  label.htmlFor = id;
  label.textContent = model.get("label");
  const input = document.createElement("input");
  input.type = "range";
  input.id = id;
  for (const name of ["min", "max", "step"]) input[name] = model.get(name);
  input.value = model.get("value");
  const shown = document.createElement("output");
  shown.htmlFor = id;

  function show() {
    const text = Number(input.value).toLocaleString("id", {
      minimumFractionDigits: model.get("decimals"),
      maximumFractionDigits: model.get("decimals"),
    });
    shown.textContent = text;
    input.setAttribute("aria-valuetext", text);
  }
  input.addEventListener("input", () => {
    show();
    model.set("value", Number(input.value));
    model.save_changes();
  });
  input.addEventListener("keydown", (event) => event.stopPropagation());
  model.on("change:value", () => { input.value = model.get("value"); show(); });
  show();
  const box = document.createElement("div");
  box.className = "judul-geser";
  box.append(label, input, shown);
  el.append(box);
}
export default { render };
