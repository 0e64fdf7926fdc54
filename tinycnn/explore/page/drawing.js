// Colours and maps. Positive numbers are orange and negative ones blue, which the colour-blind tell apart;
// zero is the ground.

const COLOURS = {
  light: {zero: [255, 255, 255], plus: [196, 84, 0], minus: [0, 84, 166]},
  dark: {zero: [27, 31, 38], plus: [255, 170, 80], minus: [92, 180, 255]},
};

function theme() {
  return document.documentElement.dataset.theme;
}

// The colour of v where `most` is the full one: the square root of the share, so that small numbers show, too.
function colourOf(v, most) {
  const {zero, plus, minus} = COLOURS[theme()], full = v > 0 ? plus : minus;
  const t = most > 0 ? Math.sqrt(Math.min(Math.abs(v) / most, 1)) : 0;
  return zero.map((z, i) => Math.round(z + (full[i] - z) * t));
}

function css([r, g, b]) {
  return `rgb(${r}, ${g}, ${b})`;
}

// Black or white, whichever can be read on a colour.
function inkOn([r, g, b]) {
  return 0.299 * r + 0.587 * g + 0.114 * b > 140 ? "#111" : "#fff";
}

function mostOf(data) {
  let most = 0;
  for (const v of data) if (Number.isFinite(v) && Math.abs(v) > most) most = Math.abs(v);
  return most;
}

// How many numbers are not finite.
function strange(data) {
  let n = 0;
  for (const v of data) if (!Number.isFinite(v)) n++;
  return n;
}

// h x w numbers from `start` of data, as a picture of one pixel each; what is not finite is a checkerboard.
function pictureOf(data, start, h, w, most) {
  const canvas = document.createElement("canvas");
  canvas.width = w;
  canvas.height = h;
  const context = canvas.getContext("2d"), image = context.createImageData(w, h);
  for (let i = 0; i < h * w; i++) {
    const v = data[start + i], odd = (i % w + Math.floor(i / w)) % 2;
    image.data.set(Number.isFinite(v) ? colourOf(v, most) : odd ? [0, 0, 0] : [255, 255, 255], 4 * i);
    image.data[4 * i + 3] = 255;
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

function drawMap(context, data, start, h, w, most, x, y, width, height) {
  context.imageSmoothingEnabled = width < w;
  context.drawImage(pictureOf(data, start, h, w, most), x, y, width, height);
}

// A canvas that is sharp on every screen, with its context in CSS pixels.
function sharp(canvas, width, height) {
  const scale = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const context = canvas.getContext("2d");
  context.scale(scale, scale);
  return context;
}

// ---- elements of the page ----

// el("p", {class: "x", onclick: f}, "text", child): an element. Text is never read as HTML.
function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child != null));
  return element;
}

// A number with six digits, which a test or a screen reader finds by its name.
function number(name, v) {
  return el("output", {class: "number", "data-name": name}, shown(v));
}

// A table of h x w numbers in their colours. `choose(index)` makes its cells buttons; `mark` is the index of one that
// stands out.
function grid(title, values, h, w, {most = mostOf(values), choose, mark, outside, name} = {}) {
  const table = el("table", {class: `grid ${w > 7 ? "fine" : ""}`, "data-name": name}, el("caption", {}, title));
  for (let r = 0; r < h; r++) {
    const row = el("tr");
    for (let c = 0; c < w; c++) {
      const i = r * w + c, v = values[i], out = outside?.[i];
      const colour = colourOf(v, most), text = out ? "·" : brief(v);
      const said = `${title}, row ${r}, column ${c}: ${out ? "padding, 0" : shown(v)}`;
      const cell = el("td", {class: i === mark ? "mark" : out ? "outside" : null, title: said, "data-value": shown(v)},
                      choose ? el("button", {"aria-label": said, onclick: () => choose(i)}, text) : text);
      cell.style.background = css(colour);
      cell.style.color = inkOn(colour);
      row.append(cell);
    }
    table.append(row);
  }
  return table;
}

// A canvas with a map of h x w numbers and a legend.
function mapFigure(title, values, h, w, width = 180) {
  const most = mostOf(values), canvas = el("canvas", {role: "img", "aria-label": `${title}, ${h} by ${w} numbers`});
  const height = Math.max(12, Math.round(width * h / w)), context = sharp(canvas, width, Math.min(height, 260));
  drawMap(context, values, 0, h, w, most, 0, 0, width, Math.min(height, 260));
  return el("figure", {}, canvas, el("figcaption", {}, title, el("br"), legend(most)));
}

function legend(most) {
  const bar = el("canvas", {"aria-hidden": "true"}), context = sharp(bar, 40, 8);
  for (let i = 0; i < 40; i++) {
    context.fillStyle = css(colourOf((i / 39 * 2 - 1) * most, most));
    context.fillRect(i, 0, 1, 8);
  }
  return el("span", {class: "legend", title: `blue is negative, orange positive, the full colour ${shown(most)}`}, bar,
    `±${brief(most)}`);
}

// A curve for each of `lines`, {name, values, dashed}, the first steps to the left.
function curves(canvas, lines, width, height) {
  canvas.hidden = false;
  const context = sharp(canvas, width, height), style = getComputedStyle(document.documentElement);
  const all = lines.flatMap(({values}) => values.filter(Number.isFinite));
  const top = Math.max(...all, 1e-9), length = Math.max(...lines.map(({values}) => values.length), 2);
  const at = (i, v) => [34 + i / (length - 1) * (width - 40), 8 + (1 - Math.min(v, top) / top) * (height - 26)];
  context.font = "11px sans-serif";
  context.fillStyle = style.getPropertyValue("--faint");
  context.fillText(brief(top), 2, 14);
  context.fillText("0", 2, height - 16);
  context.fillText(`${length} batches`, 36, height - 3);
  lines.forEach(({values, dashed}, nr) => {
    context.strokeStyle = style.getPropertyValue(nr ? "--plus" : "--minus");
    context.lineWidth = 2;
    context.setLineDash(dashed ? [5, 4] : []);
    context.beginPath();
    values.forEach((v, i) => { if (Number.isFinite(v)) context.lineTo(...at(i, v)); });
    context.stroke();
  });
}
