// Asks Python for a file and saves it.
function render({ model, el }) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "judul-tombol";
  button.textContent = model.get("label");
  button.addEventListener("click", () => model.send({ kind: "request" }));
  model.on("msg:custom", (content, buffers) => {
    if (content.kind !== "file") return;
    const bytes = buffers[0];
    const url = URL.createObjectURL(new Blob([bytes], { type: content.type }));
    const link = document.createElement("a");
    link.href = url;
    link.download = content.name;
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(url), 10000);
  });
  el.append(button);
}
export default { render };
