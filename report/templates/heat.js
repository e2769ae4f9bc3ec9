"use strict";
// The fleet as a heat map: nodes down, controls across, drawn only where it is seen. Keys move a cursor.
const heatMap = (root, data, statuses, controls, choose) => {
  const [nodes, roles, cells] = data;
  const canvas = root.querySelector("canvas"), frame = root.querySelector(".heat-frame"), ground = root.querySelector(".heat-ground");
  const told = root.querySelector("output"), tip = root.querySelector(".heat-tip");
  const pen = canvas.getContext("2d", { alpha: false });
  const HEAD = 22, SIZES = [[3, 3], [5, 6], [9, 10], [16, 16]], NONE = 46;
  let rows = [], columns = [], size = 0, width = 4, height = 4, gutter = 90, at = [0, 0], colours = null, waiting = false;
  const code = (row, column) => cells[row].charCodeAt(column);
  const isOpen = (value) => value >= 48 && value <= 50;
  const openOf = nodes.map((_, row) => [...cells[row]].filter((c) => c >= "0" && c <= "2").length);

  const readColours = () => {
    const style = getComputedStyle(document.documentElement), value = (name) => style.getPropertyValue(`--${name}`).trim();
    colours = {
      card: value("card"), ink: value("ink"), soft: value("soft"), line: value("line"), focus: value("focus"), on: value("on-solid"),
      fill: [value("fail"), value("error"), value("manual"), value("heat-waived"), value("heat-pass"), value("heat-na")],
    };
  };
  const span = () => [frame.clientWidth, frame.clientHeight];
  const measure = () => {
    const wide = frame.clientWidth;
    gutter = SIZES[size][1] >= 9 ? Math.min(170, wide * .35) : Math.min(96, wide * .25);
    width = Math.max(SIZES[size][0], Math.min(26, Math.floor((wide - gutter) / Math.max(1, columns.length))));
    height = SIZES[size][1];
    ground.style.width = `${gutter + columns.length * width + 2}px`;
    ground.style.height = `${HEAD + rows.length * height + 2}px`;
    frame.style.height = `${Math.min(HEAD + rows.length * height + 20, 560)}px`;
  };
  const draw = () => {
    waiting = false;
    const [wide, high] = span(), scale = devicePixelRatio || 1;
    if (canvas.width !== Math.round(wide * scale) || canvas.height !== Math.round(high * scale)) {
      canvas.width = Math.round(wide * scale); canvas.height = Math.round(high * scale);
      canvas.style.width = `${wide}px`; canvas.style.height = `${high}px`;
    }
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.fillStyle = colours.card; pen.fillRect(0, 0, wide, high);
    const left = frame.scrollLeft, top = frame.scrollTop, gap = width > 4 && height > 4 ? 1 : 0;
    const from = Math.floor(top / height), to = Math.min(rows.length, Math.ceil((top + high - HEAD) / height));
    const first = Math.floor(left / width), last = Math.min(columns.length, Math.ceil((left + wide - gutter) / width));
    const paths = colours.fill.map(() => new Path2D());
    for (let r = from; r < to; r += 1) {
      const y = HEAD + r * height - top;
      for (let c = first; c < last; c += 1) {
        const value = code(rows[r], columns[c]);
        if (value !== NONE) paths[value - 48].rect(gutter + c * width - left, y, width - gap, height - gap);
      }
    }
    paths.forEach((path, index) => { pen.fillStyle = colours.fill[index]; pen.fill(path); });
    pen.textBaseline = "middle";
    if (height > 12 && width > 10) marks(from, to, first, last, left, top);
    names(from, to, top, high);
    heads(first, last, left, wide);
    pen.strokeStyle = colours.ink; pen.lineWidth = 2;
    if (rows.length && columns.length) {
      const x = gutter + at[1] * width - left, y = HEAD + at[0] * height - top;
      if (x >= gutter - 1 && y >= HEAD - 1) pen.strokeRect(x - 1, y - 1, width + 1, height + 1);
    }
  };
  const marks = (from, to, first, last, left, top) => {
    pen.font = "700 10px system-ui, sans-serif"; pen.textAlign = "center"; pen.fillStyle = colours.on;
    for (let r = from; r < to; r += 1) for (let c = first; c < last; c += 1) {
      const value = code(rows[r], columns[c]);
      if (isOpen(value)) pen.fillText(statuses[value - 48][1], gutter + (c + .5) * width - left, HEAD + (r + .5) * height - top);
    }
  };
  const names = (from, to, top, high) => {
    pen.fillStyle = colours.card; pen.fillRect(0, HEAD, gutter - 4, high);
    pen.textAlign = "left"; pen.font = `${Math.min(12, height)}px system-ui, sans-serif`;
    let start = from;
    for (let r = from; r < to; r += 1) {
      const y = HEAD + r * height - top;
      if (height >= 9) { pen.fillStyle = openOf[rows[r]] ? colours.ink : colours.soft; pen.fillText(nodes[rows[r]][0], 4, y + height / 2, gutter - 12); }
      const ends = r + 1 === to || nodes[rows[r + 1]][1] !== nodes[rows[r]][1];
      if (ends) { band(nodes[rows[r]][1], HEAD + start * height - top, HEAD + (r + 1) * height - top); start = r + 1; }
    }
  };
  const band = (role, from, to) => {
    pen.fillStyle = colours.line; pen.fillRect(gutter - 6, Math.max(HEAD, from) + 1, 3, to - Math.max(HEAD, from) - 2);
    if (height >= 9) return;
    pen.fillStyle = colours.ink; pen.font = "12px system-ui, sans-serif";
    if (to - from > 12) pen.fillText(roles[role], 4, Math.max(HEAD, from) + 10, gutter - 14);
  };
  const heads = (first, last, left, wide) => {
    pen.fillStyle = colours.card; pen.fillRect(0, 0, wide, HEAD - 2);
    pen.font = "12px system-ui, sans-serif"; pen.textAlign = "left";
    let start = 0;
    for (let c = 0; c < columns.length; c += 1) {
      if (c + 1 < columns.length && controls[columns[c + 1]].layer === controls[columns[c]].layer) continue;
      const from = Math.max(gutter, gutter + start * width - left), to = gutter + (c + 1) * width - left;
      start = c + 1;
      if (to - from < 8) continue;
      pen.fillStyle = colours.line; pen.fillRect(from, HEAD - 5, to - from - 2, 3);
      pen.fillStyle = colours.soft;
      if (pen.measureText(controls[columns[c]].layer).width < to - from - 4) pen.fillText(controls[columns[c]].layer, from, 8);
    }
    pen.fillStyle = colours.card; pen.fillRect(0, 0, gutter - 2, HEAD - 2);
    pen.fillStyle = colours.soft; pen.fillText(`${rows.length.toLocaleString("en")} nodes`, 4, 8, gutter - 8);
  };
  const redraw = () => { if (!waiting) { waiting = true; requestAnimationFrame(draw); } };
  const words = (row, column) => {
    const value = code(rows[row], columns[column]), control = controls[columns[column]];
    return `${nodes[rows[row]][0]} (${roles[nodes[rows[row]][1]]}), ${control.id} ${control.title}: ${value === NONE ? "no result" : statuses[value - 48][2]}`;
  };
  const show = (row, column, scroll) => {
    if (!rows.length || !columns.length) { told.value = "No node or no control matches the filter."; redraw(); return; }
    at = [Math.max(0, Math.min(rows.length - 1, row)), Math.max(0, Math.min(columns.length - 1, column))];
    told.value = words(...at);
    if (scroll) {
      const [wide, high] = span(), x = at[1] * width, y = at[0] * height;
      if (x < frame.scrollLeft) frame.scrollLeft = x; else if (x + width > frame.scrollLeft + wide - gutter) frame.scrollLeft = x + width - wide + gutter;
      if (y < frame.scrollTop) frame.scrollTop = y; else if (y + height > frame.scrollTop + high - HEAD) frame.scrollTop = y + height - high + HEAD;
    }
    redraw();
  };
  const pick = () => { if (rows.length && columns.length && code(rows[at[0]], columns[at[1]]) !== NONE) choose(nodes[rows[at[0]]][0], columns[at[1]], words(...at)); };
  const jump = (step) => {
    const total = rows.length * columns.length, start = at[0] * columns.length + at[1];
    for (let n = 1; n <= total; n += 1) {
      const place = (start + step * n + total * 2) % total, row = Math.floor(place / columns.length), column = place % columns.length;
      if (isOpen(code(rows[row], columns[column]))) { show(row, column, true); return; }
    }
    told.value = "No open finding among what is shown.";
  };
  const page = () => Math.max(1, Math.floor(span()[1] / height) - 2);
  const keys = {
    ArrowUp: () => show(at[0] - 1, at[1], true), ArrowDown: () => show(at[0] + 1, at[1], true),
    ArrowLeft: () => show(at[0], at[1] - 1, true), ArrowRight: () => show(at[0], at[1] + 1, true),
    PageUp: () => show(at[0] - page(), at[1], true), PageDown: () => show(at[0] + page(), at[1], true),
    Home: () => show(at[0], 0, true), End: () => show(at[0], columns.length - 1, true),
    n: () => jump(1), p: () => jump(-1), Enter: pick, " ": pick,
  };
  const under = (event) => {
    const box = canvas.getBoundingClientRect(), x = event.clientX - box.left, y = event.clientY - box.top;
    const row = Math.floor((y - HEAD + frame.scrollTop) / height), column = Math.floor((x - gutter + frame.scrollLeft) / width);
    return x < gutter || y < HEAD || row >= rows.length || column >= columns.length ? null : [row, column, x, y];
  };
  canvas.addEventListener("keydown", (event) => {
    if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault(); keys[event.key]();
  });
  canvas.addEventListener("pointermove", (event) => {
    const place = under(event);
    tip.hidden = !place;
    if (!place) return;
    tip.textContent = words(place[0], place[1]);
    const wide = root.clientWidth;
    tip.style.left = `${Math.min(place[2] + 14, Math.max(0, wide - 330))}px`; tip.style.top = `${place[3] + frame.offsetTop + 16}px`;
  });
  canvas.addEventListener("pointerleave", () => { tip.hidden = true; });
  canvas.addEventListener("click", (event) => { const place = under(event); if (place) { show(place[0], place[1], false); pick(); } });
  frame.addEventListener("scroll", () => { tip.hidden = true; redraw(); }, { passive: true });
  new ResizeObserver(() => { measure(); redraw(); }).observe(root);
  const zoom = (step) => { size = Math.max(0, Math.min(SIZES.length - 1, size + step)); measure(); show(at[0], at[1], true); };
  root.querySelectorAll("[data-zoom]").forEach((button) => button.addEventListener("click", () => zoom(Number(button.dataset.zoom))));
  root.querySelector("[data-next]").addEventListener("click", () => { jump(1); canvas.focus(); });
  const repaint = () => { readColours(); redraw(); };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);

  // Rows: by role, the most open first. Columns: by layer, then by id.
  const natural = new Intl.Collator("en", { numeric: true });
  const byNeed = nodes.map((_, row) => row).sort((a, b) => nodes[a][1] - nodes[b][1] || openOf[b] - openOf[a] || natural.compare(nodes[a][0], nodes[b][0]));
  const byLayer = controls.map((_, column) => column).filter((column) => nodes.some((_, row) => code(row, column) !== NONE))
    .sort((a, b) => natural.compare(controls[a].layer, controls[b].layer) || a - b);
  const filter = (keepNode, keepControl) => {
    rows = byNeed.filter((row) => keepNode(nodes[row][0], roles[nodes[row][1]], cells[row]));
    columns = byLayer.filter(keepControl);
    at = [0, 0];
    measure(); show(0, 0, false);
    return rows.length;
  };
  readColours();
  size = nodes.length * SIZES[3][1] <= 560 ? 3 : nodes.length * SIZES[2][1] <= 1100 ? 2 : nodes.length * SIZES[1][1] <= 2400 ? 1 : 0;
  root.hidden = false;
  return { filter, repaint, names: nodes.map(([name]) => name.toLowerCase()) };
};
