// A native slider with a label and a formatted value.
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
  const output = document.createElement("output");
  output.htmlFor = id;

  function show() {
    const text = Number(input.value).toLocaleString("id", {
      minimumFractionDigits: model.get("decimals"),
      maximumFractionDigits: model.get("decimals"),
    });
    output.textContent = text;
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
  box.append(label, input, output);
  el.append(box);
}
export default { render };
