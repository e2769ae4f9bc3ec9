"use strict";
(() => {
  const find = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const make = (tag, kind, text) => {
    const element = document.createElement(tag);
    if (kind) element.className = kind;
    if (text !== undefined) element.textContent = text;  // never innerHTML: the texts come from nodes
    return element;
  };

  document.documentElement.classList.add("js");

  // Theme: system, light, dark. A file opened from disk may have no storage.
  const themes = ["system", "light", "dark"];
  const button = find("#theme");
  const stored = () => { try { return localStorage.getItem("stockade-theme"); } catch { return null; } };
  const setTheme = (name) => {
    if (name === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = name;
    button.textContent = `Theme: ${name}`;
    try { localStorage.setItem("stockade-theme", name); } catch { /* stays for this page only */ }
  };
  button.hidden = false;
  setTheme(themes.includes(stored()) ? stored() : "system");
  button.addEventListener("click", () => {
    const now = document.documentElement.dataset.theme ?? "system";
    setTheme(themes[(themes.indexOf(now) + 1) % themes.length]);
  });

  // Large reports: results of a control are unpacked when it is opened.
  const packed = find("#packed");
  let unpacked = null;
  const unpack = () => {
    unpacked ??= (async () => {
      const bytes = Uint8Array.from(atob(packed.textContent), (c) => c.charCodeAt(0));
      const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
      return JSON.parse(await new Response(stream).text());
    })();
    return unpacked;
  };
  const PAGE = 100;
  const resultItem = (data, row) => {
    const [subject, status, message, evidence, test, waiver] = row;
    const [name, symbol, word] = data.statuses[status];
    const item = make("li", `is-${name}`);
    item.dataset.status = name;
    const line = make("div", "line");
    const chip = make("span", `chip is-${name}`);
    const mark = make("span", "mark", symbol);
    mark.setAttribute("aria-hidden", "true");
    chip.append(mark, word);
    line.append(chip, make("strong", "subject", data.texts[subject]), make("span", "message", data.texts[message]));
    item.append(line);
    if (data.texts[waiver]) item.append(make("p", "waiver", data.texts[waiver]));
    const more = make("details", "evidence");
    more.append(make("summary", "", "Evidence"));
    more.append(data.texts[evidence] ? make("pre", "", data.texts[evidence]) : make("p", "", "No evidence was recorded."));
    more.append(make("p", "test", `Judged by ${data.texts[test]}`));
    item.append(more);
    return item;
  };
  const fill = async (control) => {
    delete control.dataset.folded;
    const list = find(".results", control), note = find(".folded", control);
    try {
      const data = await unpack();
      const rows = data.controls[Number(control.dataset.index)];
      const kept = new Map(all("li", list).map((item) => [find(".subject", item).textContent, item.id]));
      list.replaceChildren();
      const button = make("button", "");
      button.type = "button";
      let next = 0;
      const more = () => {
        const wanted = byStatus.value;
        const shown = rows.slice(next, next + PAGE).map((row) => resultItem(data, row));
        shown.forEach((item) => {
          const id = kept.get(find(".subject", item).textContent);
          if (id) item.id = id;
          item.hidden = !rowMatches(item, wanted);
        });
        list.append(...shown);
        next += shown.length;
        note.textContent = `${next.toLocaleString("en")} of ${rows.length.toLocaleString("en")} results shown. `;
        if (next < rows.length) { button.textContent = `Show ${Math.min(PAGE, rows.length - next)} more`; note.append(button); }
      };
      button.addEventListener("click", more);
      more();
    } catch (error) {
      note.textContent = `The results could not be unpacked here (${error}); results.json holds them.`;
    }
  };

  // Filters. What a control's text is, is read once.
  const matrixRows = Map.groupBy
    ? Map.groupBy(all("tr[data-control]"), (row) => row.dataset.control)
    : all("tr[data-control]").reduce((map, row) => map.set(row.dataset.control, [...(map.get(row.dataset.control) ?? []), row]), new Map());
  const controls = all("details.control").map((element) => ({
    element,
    statuses: element.dataset.statuses.split(" "),
    severity: element.dataset.severity,
    rows: matrixRows.get(element.dataset.index) ?? [],
    text: null,
  }));
  const form = find("#filters"), search = find("#search"), byStatus = find("#by-status"), bySeverity = find("#by-severity");
  const open = ["fail", "error", "manual"];
  const rowMatches = (row, wanted) =>
    !wanted || row.dataset.status === wanted || (wanted === "open" && open.includes(row.dataset.status));
  const matches = (control, words, wanted) => {
    if (bySeverity.value && control.severity !== bySeverity.value) return false;
    if (wanted && !control.statuses.some((s) => s === wanted || (wanted === "open" && open.includes(s)))) return false;
    if (!words.length) return true;
    control.text ??= control.element.textContent.toLowerCase();
    return words.every((word) => control.text.includes(word));
  };
  let filtered = "";  // the status that the rows inside the controls were last filtered by
  const apply = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean), wanted = byStatus.value;
    let shown = 0;
    for (const control of controls) {
      const keep = matches(control, words, wanted);
      shown += keep;
      control.element.hidden = !keep;
      control.rows.forEach((row) => { row.hidden = !keep; });
      if (wanted !== filtered) all(".results > li", control.element).forEach((row) => { row.hidden = !rowMatches(row, wanted); });
    }
    filtered = wanted;
    all(".matrix tbody").forEach((body) => { body.hidden = !find("tr[data-control]:not([hidden])", body); });
    all(".matrix-box").forEach((box) => { box.hidden = !find("tbody:not([hidden])", box); });
    find("#nothing").hidden = shown > 0;
    find("#shown").value = `${shown} of ${controls.length} controls`;
  };
  form.hidden = false;
  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(apply));
  all("[data-show]").forEach((tile) => tile.addEventListener("click", () => { byStatus.value = tile.dataset.show; apply(); }));
  apply();

  // A link into a detail opens it, also when the filter hides it.
  const reveal = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const control = target?.closest("details.control");
    if (!control) return;
    if (control.hidden || target.hidden) { form.reset(); search.value = ""; byStatus.value = ""; bySeverity.value = ""; apply(); }
    control.open = true;
    control.scrollIntoView({ block: "start" });
    if (target.getBoundingClientRect().bottom > innerHeight) target.scrollIntoView({ block: "center" });
    find("summary", control).focus({ preventScroll: true });
  };
  addEventListener("hashchange", reveal);
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href^='#']");
    if (link && link.getAttribute("href") === location.hash) reveal();
  });
  document.addEventListener("toggle", (event) => {
    if (event.target.matches("details.control[open]") && "folded" in event.target.dataset && packed) fill(event.target);
  }, true);
  reveal();

  // Paper shows every control of ordinary reports.
  addEventListener("beforeprint", () => { if (!packed) controls.forEach((control) => { control.element.open = true; }); });
})();
