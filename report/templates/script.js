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
    heat?.repaint();
  });

  // Large reports: the results of a control are unpacked when it is opened.
  const chunks = all("script.chunk");
  const unpackedText = async (text) => {
    const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return JSON.parse(await new Response(stream).text());
  };
  const opened = new Map();
  const unpack = (index) => {
    if (!opened.has(index)) opened.set(index, unpackedText(chunks[index].textContent));
    return opened.get(index);
  };
  const statuses = JSON.parse(document.body.dataset.statuses);
  const PAGE = 100;
  const resultItem = (data, row) => {
    const [subject, status, message, evidence, test, waiver, group] = row;
    const [name, symbol, word] = statuses[status];
    const item = make("li", `is-${name}`);
    item.dataset.status = name;
    item.dataset.group = group;
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
      const data = await unpack(Number(control.dataset.index)), rows = data.rows;
      const kept = new Map(all("li", list).map((item) => [find(".subject", item).textContent, item.id]));
      list.replaceChildren();
      const button = make("button", "");
      button.type = "button";
      let next = 0;
      const more = () => {
        const shown = rows.slice(next, next + PAGE).map((row) => resultItem(data, row));
        shown.forEach((item) => {
          const id = kept.get(find(".subject", item).textContent);
          if (id) item.id = id;
          item.hidden = !rowMatches(item);
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
  const byLayer = find("#by-layer"), byGroup = find("#by-group"), byFramework = find("#by-framework"), byProfile = find("#by-profile");
  const open = ["fail", "error", "manual"];
  const statusMatches = (status, wanted) => !wanted || status === wanted || (wanted === "open" && open.includes(status));
  const rowMatches = (row) => statusMatches(row.dataset.status, byStatus.value) && (!byGroup?.value || row.dataset.group === byGroup.value);
  const listed = (control, name, select) => !select?.value || control.element.dataset[name].split(" ").includes(select.value);
  const matches = (control, words, wanted) => {
    if (bySeverity.value && control.severity !== bySeverity.value) return false;
    if (!listed(control, "layer", byLayer) || !listed(control, "profile", byProfile)) return false;
    if (!listed(control, "groups", byGroup) || !listed(control, "frameworks", byFramework)) return false;
    if (wanted && !control.statuses.some((status) => statusMatches(status, wanted))) return false;
    if (!words.length) return true;
    control.text ??= control.element.textContent.toLowerCase();
    return words.every((word) => control.text.includes(word));
  };
  let filtered = "/";  // status and role that the rows inside the controls were last filtered by
  let heat = null;
  const filterHeat = (names, kept) => {
    const role = byGroup?.value ? byGroup.selectedOptions[0].textContent : "", wanted = byStatus.value;
    const codes = statuses.map(([name], index) => [name, String(index)]).filter(([name]) => statusMatches(name, wanted)).map(([, code]) => code);
    const keepNode = (name, group, cells) => (!role || group.replaceAll("_", " ") === role)
      && names.every((word) => name.toLowerCase().includes(word)) && (!wanted || codes.some((code) => cells.includes(code)));
    heat.filter(keepNode, (index) => kept[index]);
  };
  const apply = () => {
    let words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const names = heat ? words.filter((word) => heat.names.some((name) => name.includes(word))) : [];
    if (heat) words = words.filter((word) => !names.includes(word));
    const wanted = byStatus.value, now = `${wanted}/${byGroup?.value ?? ""}`, kept = [];
    let shown = 0;
    for (const control of controls) {
      const keep = matches(control, words, wanted);
      kept.push(keep);
      shown += keep;
      control.element.hidden = !keep;
      control.rows.forEach((row) => { row.hidden = !keep; });
      if (now !== filtered) all(".results > li", control.element).forEach((row) => { row.hidden = !rowMatches(row); });
    }
    filtered = now;
    all(".matrix tbody").forEach((body) => { body.hidden = !find("tr[data-control]:not([hidden])", body); });
    all(".matrix-box").forEach((box) => { box.hidden = !find("tbody:not([hidden])", box); });
    find("#nothing").hidden = shown > 0;
    find("#shown").value = `${shown} of ${controls.length} controls`;
    if (heat) filterHeat(names, kept);
  };
  form.hidden = false;
  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(apply));
  all("[data-show]").forEach((tile) => tile.addEventListener("click", () => { byStatus.value = tile.dataset.show; apply(); }));
  apply();

  // The fleet as a heat map, and beneath it what was found on the node and about the control that is chosen.
  const choose = async (node, index, words) => {
    const place = find("#heat-pick"), head = make("h3", "", words), control = controls[index].element, link = make("a", "", "All results of this control");
    link.href = `#${control.id}`;
    const list = make("ul", "results");
    place.replaceChildren(head, list, link);
    place.hidden = false;
    try {
      const data = await unpack(index), found = data.rows.filter((row) => data.texts[row[0]] === node);
      list.replaceChildren(...found.map((row) => resultItem(data, row)));
    } catch (error) {
      list.replaceChildren(make("li", "", `The results could not be unpacked here (${error}); results.json holds them.`));
    }
  };
  if (find("#grid")) {
    const about = controls.map(({ element }) => ({ id: find("code", element).textContent, title: find(".title", element).textContent, layer: element.dataset.layerName }));
    unpackedText(find("#grid").textContent).then((data) => { heat = heatMap(find("#heat"), data, statuses, about, choose); apply(); }).catch(() => { /* the table beneath says the same */ });
  }

  // A link into a detail opens it, also when the filter hides it.
  const reveal = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const control = target?.closest("details.control");
    if (!control) return;
    if (control.hidden || target.hidden) { form.reset(); for (const field of form.querySelectorAll("input, select")) field.value = ""; apply(); }
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
    if (event.target.matches("details.control[open]") && "folded" in event.target.dataset && chunks.length) fill(event.target);
  }, true);
  reveal();

  // Paper shows every control of ordinary reports.
  addEventListener("beforeprint", () => { if (!find("[data-folded]")) controls.forEach((control) => { control.element.open = true; }); });
})();
