// A table from Python, which escapes its texts: sortable columns, a selectable row.
function render({ model, el }) {
  const box = document.createElement("div");
  box.className = "judul-gulir";
  box.tabIndex = 0;
  box.setAttribute("role", "region");
  el.append(box);
  let order = null;

  function cellValue(row, column) {
    const cell = row.cells[column];
    const value = cell.dataset.value ?? cell.textContent;
    return cell.dataset.value === undefined || value === "" ? value : Number(value);
  }
  function sort() {
    const table = box.querySelector("table");
    if (!table || !order) return;
    const rows = [...table.tBodies[0].rows];
    rows.sort((a, b) => {
      const [x, y] = [cellValue(a, order.column), cellValue(b, order.column)];
      const less = typeof x === "number" && typeof y === "number"
        ? x - y : String(x).localeCompare(String(y), "id");
      return (order.descending ? -less : less) || Number(a.dataset.row) - Number(b.dataset.row);
    });
    table.tBodies[0].append(...rows);
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      if (!head.querySelector("button")) return;
      const state = order.descending ? "descending" : "ascending";
      head.setAttribute("aria-sort", column === order.column ? state : "none");
    });
  }
  function mark() {
    box.querySelectorAll("button.judul-pilih").forEach((button) => {
      const chosen = Number(button.closest("tr").dataset.row) === model.get("selected");
      button.setAttribute("aria-pressed", chosen);
      button.closest("tr").classList.toggle("judul-terpilih", chosen);
    });
  }
  function show() {
    box.setAttribute("aria-label", model.get("label"));
    box.innerHTML = model.get("html");
    sort();
    mark();
  }
  box.addEventListener("click", (event) => {
    const header = event.target.closest("thead button");
    if (header) {
      const column = header.closest("th").cellIndex;
      const again = order && order.column === column;
      const number = header.closest("th").classList.contains("angka");
      order = { column, descending: again ? !order.descending : number };
      sort();
      return;
    }
    const row = event.target.closest("tbody tr");
    if (row && row.querySelector("button.judul-pilih")) {
      model.set("selected", Number(row.dataset.row));
      model.save_changes();
    }
  });
  model.on("change:html", show);
  model.on("change:selected", mark);
  show();
}
export default { render };
