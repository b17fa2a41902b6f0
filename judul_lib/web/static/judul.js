"use strict";
// The page works without this script; with it, only the part that changes is fetched.
(() => {
  const HISTORY = "judul-riwayat", MOST = 50;
  const form = document.querySelector("#periksa");
  const find = (selector) => document.querySelector(selector);
  const squeezed = (text) => text.trim().split(/\s+/).join(" ");
  let newest = 0;

  const fragment = (html) => new DOMParser().parseFromString(html, "text/html").body.childNodes;
  const put = (target, html) => {
    target.replaceChildren(...fragment(html));
    ready(target);
  };
  const sentence = (text, className, role) => {
    const line = document.createElement("p");
    Object.assign(line, { textContent: text, className });
    line.setAttribute("role", role);
    return line;
  };
  const request = (address, body) =>
    fetch(address, { method: body ? "POST" : "GET", body, headers: { "X-Bagian": "1" } });

  function fieldsOf(source, button) {
    const data = new URLSearchParams(new FormData(source));
    if (button?.name) data.append(button.name, button.value);
    return data;
  }

  function complain(source, text) {
    const lost = sentence(text, "galat", "alert");
    if (source === form) {
      find("#hasil").replaceChildren(); // Never an old verdict under a new title.
      find("#judul-pesan").replaceChildren(lost);
      return;
    }
    source.querySelector(":scope > .galat")?.remove();
    source.prepend(lost);
  }

  async function send(source, button, again = false) {
    const isCheck = source === form, turn = isCheck ? ++newest : newest;
    const target = find(source.dataset.ganti), main = form?.querySelector("button.utama");
    const body = fieldsOf(source, button), name = main?.dataset.nama ?? main?.textContent;
    if (again) body.append("ulang", "1");
    if (isCheck && !again) {
      main.dataset.nama = name;
      main.textContent = form.dataset.sedang;
      main.setAttribute("aria-disabled", "true");
    }
    try {
      const answer = await request(source.action, body), html = await answer.text();
      if (isCheck && turn !== newest) return; // Another title was sent in the meantime.
      if (!answer.ok && answer.status !== 422) throw new Error(String(answer.status));
      if (isCheck) {
        const failed = answer.status === 422, field = find("#judul");
        put(find("#judul-pesan"), failed ? html : "");
        put(target, failed ? "" : html);
        if (failed) field.setAttribute("aria-invalid", "true"); else field.removeAttribute("aria-invalid");
        if (failed && !again) field.focus();
        find("#keadaan").textContent = failed ? "" : find("#keadaan").dataset.selesai;
        if (!failed && !again) { remember(); showVerdict(); }
        markStale();
      } else put(target, html);
    } catch {
      if (turn === newest) complain(source, source.dataset.putus ?? form?.dataset.putus ?? "");
    } finally {
      if (isCheck && turn === newest) {
        main.textContent = name;
        main.removeAttribute("aria-disabled");
      }
    }
  }

  document.addEventListener("submit", (event) => {
    if (!event.target.dataset.ganti) return;
    event.preventDefault();
    send(event.target, event.submitter);
  });

  // What is folded away is fetched when the fold is opened.
  document.addEventListener("toggle", ({ target }) => {
    if (target.id === "model-lain" && target.open) target.querySelector("form[data-ganti]")?.requestSubmit();
  }, true);

  // On a small screen the result begins below the form.
  function showVerdict() {
    if (find(".vonis").getBoundingClientRect().bottom > innerHeight) find("#hasil").scrollIntoView();
  }

  function markStale() {
    const result = find("#hasil .hasil");
    if (!result) return;
    const isStale = squeezed(find("#judul").value) !== result.dataset.judul || find("#arsip").value !== result.dataset.arsip;
    if (isStale === result.classList.contains("judul-lama")) return;
    result.classList.toggle("judul-lama", isStale);
    find("#hasil .pesan-lama")?.remove();
    if (isStale) result.before(sentence(form.dataset.usang, "pesan-lama", "status"));
  }

  function showLength() {
    const line = find("#judul-panjang");
    line.textContent = line.dataset.panjang.replace("#", find("#judul").value.length);
  }

  // History of this browser only.
  const read = () => {
    try { const list = JSON.parse(localStorage.getItem(HISTORY)); return Array.isArray(list) ? list : []; } catch { return []; }
  };
  const write = (list) => {
    try { localStorage.setItem(HISTORY, JSON.stringify(list)); } catch { /* Storage may be switched off or full. */ }
    showHistory();
  };
  const link = (title, archive) => `#${new URLSearchParams({ judul: title, arsip: archive })}`;

  function remember() {
    const { judul, arsip, simpulan } = find("#hasil .hasil").dataset;
    const others = read().filter((entry) => entry.judul !== judul || entry.arsip !== arsip);
    write([{ judul, arsip, simpulan }, ...others].slice(0, MOST));
  }

  function showHistory() {
    const list = read(), box = find("#riwayat"), items = box.querySelector("ul");
    box.hidden = !list.length;
    items.replaceChildren(...list.map((entry) => {
      const item = document.createElement("li"), again = document.createElement("a"), remove = document.createElement("button");
      again.href = link(entry.judul, entry.arsip);
      again.append(Object.assign(document.createElement("bdi"), { textContent: entry.judul }));
      again.addEventListener("click", (event) => { event.preventDefault(); open(again.hash); scrollTo(0, 0); });
      Object.assign(remove, { type: "button", textContent: items.dataset.hapus });
      remove.setAttribute("aria-label", `${items.dataset.hapus}: ${entry.judul}`);
      remove.addEventListener("click", () => write(read().filter((other) => other.judul !== entry.judul || other.arsip !== entry.arsip)));
      const verdict = Object.assign(document.createElement("span"), { textContent: entry.simpulan, className: "label" });
      item.append(again, verdict, remove);
      return item;
    }));
  }

  // A link to a result: the title stays in the fragment, which no server sees.
  function open(hash) {
    const asked = new URLSearchParams(hash.slice(1)), archive = asked.get("arsip"), choice = find("#arsip");
    if (!asked.get("judul")) return;
    find("#judul").value = asked.get("judul");
    showLength();
    if (archive !== null && ![...choice.options].some((option) => option.value === archive)) {
      complain(form, form.dataset.tanpaArsip);
      return;
    }
    if (archive !== null) choice.value = archive;
    send(form);
  }

  async function copyLink(button) {
    const { judul, arsip } = find("#hasil .hasil").dataset, line = find(".tautan"), field = line.querySelector("input");
    line.hidden = false;
    field.value = `${location.origin}/${link(judul, arsip)}`;
    field.select();
    try {
      await navigator.clipboard.writeText(field.value);
      line.querySelector("[role=status]").textContent = button.dataset.salin;
    } catch { /* The link is selected; it can be copied by hand. */ }
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button?.getAttribute("aria-disabled") === "true") event.preventDefault();
    else if (button?.matches("[data-salin]")) copyLink(button);
    else if (button?.matches("[data-cetak]")) print();
  });
  // Paper has no clicks: the comparisons are opened for it.
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll(".terdekat > li > details:not([open])")];
    for (const details of opened) details.open = true;
  });
  addEventListener("afterprint", () => { for (const details of opened) details.open = false; });

  // An element with data-poll is fetched again each second until the answer has none.
  async function poll(element, failures = 0) {
    await new Promise((resolve) => setTimeout(resolve, 1000 * Math.min(1 + failures, 10)));
    if (!element.isConnected) return;
    try {
      const answer = await request(element.dataset.poll);
      if (!answer.ok) throw new Error(String(answer.status));
      const nodes = [...fragment(await answer.text())];
      element.replaceWith(...nodes);
      for (const node of nodes) if (node instanceof Element) ready(node);
    } catch { poll(element, failures + 1); }
  }

  function ready(part) {
    for (const element of part.querySelectorAll(".perlu-skrip")) element.hidden = false;
    for (const element of part.querySelectorAll("[data-poll]")) poll(element);
    if (part.matches?.("[data-poll]")) poll(part);
  }
  ready(document);

  // A file that is too large is refused before it is sent.
  find("[data-max-mb]")?.addEventListener("change", ({ target }) => {
    const isTooLarge = target.files[0]?.size > target.dataset.maxMb * 1e6;
    target.setCustomValidity(isTooLarge ? target.dataset.terlaluBesar : "");
    target.reportValidity();
  });

  if (!form) return;
  let waiting;
  find("#judul").addEventListener("input", () => { showLength(); markStale(); });
  find("#judul").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); form.requestSubmit(); }
  });
  find("#arsip").addEventListener("change", markStale);
  find("#ambang").addEventListener("input", (event) => {
    find("#ambang-nilai").textContent = Number(event.target.value).toFixed(2).replace(".", ",");
    clearTimeout(waiting);
    if (find("#hasil .hasil:not(.judul-lama)")) waiting = setTimeout(() => send(form, null, true), 120);
  });
  find("#hapus-semua").addEventListener("click", () => write([]));
  addEventListener("hashchange", () => open(location.hash));
  showLength();
  showHistory();
  markStale();
  if (location.hash) open(location.hash);
})();
