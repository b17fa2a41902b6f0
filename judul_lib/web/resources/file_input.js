// Sends a file to Python in pieces, so that no message exceeds the server's limit.
const PIECE = 1 << 20;

function render({ model, el }) {
  const text = model.get("texts");
  const id = `judul-${crypto.getRandomValues(new Uint32Array(1))[0]}`;
  const label = document.createElement("label");
  label.htmlFor = id;
  label.textContent = text.label;
  const input = document.createElement("input");
  input.type = "file";
  input.id = id;
  input.accept = ".csv,.xlsx,.txt,.tsv";
  // The native button is in the browser's language; this one is in Indonesian.
  const button = document.createElement("label");
  button.htmlFor = id;
  button.className = "judul-tombol";
  button.textContent = text.choose;
  input.setAttribute("aria-describedby", `${id}-state`);
  const state = document.createElement("p");
  state.id = `${id}-state`;
  state.className = "judul-petunjuk";
  state.setAttribute("role", "status");
  state.textContent = text.hint;
  let file = null;

  async function sendPiece(start) {
    if (!file) return;
    const piece = await file.slice(start, start + PIECE).arrayBuffer();
    model.send({ kind: "piece", start }, undefined, [piece]);
  }
  input.addEventListener("change", () => {
    file = input.files[0];
    input.value = ""; // Allows choosing the same file again.
    if (!file) return;
    model.send({ kind: "start", name: file.name, size: file.size });
  });
  model.on("msg:custom", (content) => {
    if (content.kind === "next") {
      const share = Math.round((100 * content.start) / Math.max(1, file.size));
      state.textContent = `${text.sending} ${file.name} (${share} %)`;
      sendPiece(content.start);
    } else if (content.kind === "message") {
      state.textContent = content.text;
      state.classList.toggle("judul-galat", content.is_error);
    }
  });
  const box = document.createElement("div");
  box.className = "judul-berkas";
  box.append(label, input, button, state);
  el.append(box);
}
export default { render };
