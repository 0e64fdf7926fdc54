// The network from left to right: a column of maps for the picture and for every operation that computes.

const MAPS = 16, SIDE = 64, GAP = 4, TALLEST = 544;

class Overview {
  // `choose({operation, index})` is called with the number that was pressed; operation -1 is the picture.
  constructor(place, choose) {
    this.choose = choose;
    this.first = {};
    this.facts = el("p", {class: "faint", id: "facts"});
    this.strip = el("div", {class: "strip", role: "group", "aria-label": "The layers, from the picture to the loss"});
    this.spoken = el("p", {class: "said", "aria-live": "polite"});
    place.append(this.facts, this.strip, this.spoken);
  }

  draw(record, kind, chosen) {
    this.record = record;
    this.kind = kind;
    this.chosen = chosen;
    const {operations, parameters, arrays} = record, left = this.strip.scrollLeft,
      focused = document.activeElement?.dataset.operation;
    const adds = operations.reduce((n, o) => n + o.multiply_adds, 0);
    const weights = Object.values(parameters).reduce((n, shape) => n + count(shape), 0);
    this.facts.textContent = `${whole(weights)} parameters, ${whole(adds)} multiply-adds for one picture. ` +
      (kind === "y" ? "What each operation made; press a number to see how. " :
        "The gradient of the loss that arrived at each number; press one to see where it came from. ") +
      "Orange is positive, blue negative.";
    const loss = operations.findIndex(({name}) => name === "CrossEntropy");  // behind it: a mean over one picture
    const columns = [this.column(-1, "picture", "", [1, ...arrays.x.shape], [])];
    operations.forEach((o, i) => {
      if (!o.moves && i <= loss) columns.push(this.ofOperation(o, i));
    });
    this.strip.replaceChildren(...columns);
    this.strip.scrollLeft = left;
    if (focused !== undefined) this.strip.querySelector(`[data-operation="${focused}"]`)?.focus({preventScroll: true});
  }

  ofOperation(o, i) {
    const attention = o.name === "Attention" && this.record.arrays[`${i}.p`];
    return this.column(i, o.name, o.module, attention ? attention.shape : o.shapes[0], o.parameters, o.multiply_adds);
  }

  // What is shown of an operation: its attention, its output, the gradient of that.
  arrayOf(i) {
    const {arrays, operations} = this.record;
    if (i < 0) {
      const {data, shape} = this.kind === "y" ? arrays.x : arrays.dx;
      return {data, shape: [1, ...shape]};
    }
    if (operations[i].name === "Attention" && this.kind === "y") return arrays[`${i}.p`];
    return arrays[`${i}.${this.kind}.0`];
  }

  column(i, title, module, shape, parameters, adds = 0) {
    const array = this.arrayOf(i), size = parameters.reduce((n, name) => n + count(this.record.parameters[name]), 0);
    const inner = shape[0] === 1 ? shape.slice(1) : shape;
    const facts = [el("b", {title: module}, module.length > 22 ? `…${module.slice(-21)}` : module || (i < 0 ? "x" : "")),
      el("br"), inner.join(" × ") || "1 number", el("br"),
                   size ? `${whole(size)} parameters` : " ", el("br"), adds ? `${whole(adds)} mult-adds` : " "];
    const column = el("div", {class: "layer"}, el("h3", {}, title), el("div", {class: "facts"}, facts));
    if (!array) {
      const size = `${whole(count(shape))} numbers`;
      column.append(el("p", {class: "none"}, this.kind === "dy" && !(`${i}.dy.0` in this.record.left_out)
        ? "No gradient arrives here." : `Too large to show: ${size}.`));
      return column;
    }
    const bad = strange(array.data);
    if (bad) column.append(el("p", {class: "none"}, `${whole(bad)} of ${whole(array.data.length)} numbers are not finite.`));
    column.append(this.maps(i, array, title));
    return column;
  }

  // How the numbers of an array lie on the canvas: `maps` of h x w, `across` of them beside each other, each `width` x
  // `height`.
  layout(shape) {
    let inner = shape.length > 1 && shape[0] === 1 ? shape.slice(1) : shape;
    if (inner.length === 3 && inner[1] === 1 && inner[2] > 1) inner = [inner[0], inner[2]];  // tokens, and their batch
    if (inner.length >= 3) {
      const [h, w] = inner.slice(-2), maps = count(inner.slice(0, -2)), scale = SIDE / Math.max(h, w);
      const width = Math.max(8, Math.round(w * scale)), height = Math.max(8, Math.round(h * scale));
      return {maps, h, w, width: h * w === 1 ? 14 : width, height: h * w === 1 ? 14 : height};
    }
    if (inner.length === 2) {
      const [h, w] = inner, cell = Math.max(1, Math.min(8, Math.floor(TALLEST / h), Math.floor(160 / w)));
      return {maps: 1, h, w, width: w * cell, height: h * cell};
    }
    const n = inner[0] ?? 1, w = n <= 20 ? 1 : n <= 160 ? 8 : Math.ceil(Math.sqrt(n / 2)), h = Math.ceil(n / w);
    if (n <= 20) return {maps: 1, h, w, width: 46, height: 24 * h, last: n};
    const cell = n <= 160 ? 9 : Math.max(1, Math.min(5, Math.floor(TALLEST / h)));
    return {maps: 1, h, w, width: w * cell, height: h * cell, last: n};
  }

  maps(i, array, title) {
    const layout = this.layout(array.shape), {maps, h, w, width, height, last} = layout;
    const page = h * w === 1 ? 4 * MAPS : MAPS, first = Math.min(this.first[i] || 0, Math.max(0, maps - 1));
    const drawn = Math.min(page, maps - first), down = Math.max(1, Math.min(drawn, Math.floor(TALLEST / (height + GAP)), 8));
    const across = Math.ceil(drawn / down), most = mostOf(array.data);
    const canvas = el("canvas", {tabindex: 0, "data-operation": i, role: "application",
      "aria-label": `${title}: arrows move from number to number, page up and down from map to map`});
    const context = sharp(canvas, across * (width + GAP) - GAP, down * (height + GAP) - GAP);
    const padded = last && last < h * w ? Float64Array.from({length: h * w}, (_, n) => array.data[n] ?? 0) : array.data;
    for (let m = 0; m < drawn; m++) {
      const x = Math.floor(m / down) * (width + GAP), y = (m % down) * (height + GAP);
      drawMap(context, padded, (first + m) * h * w, h, w, most, x, y, width, height);
      context.strokeStyle = getComputedStyle(document.documentElement).getPropertyValue("--line");
      context.strokeRect(x + 0.5, y + 0.5, width - 1, height - 1);
    }
    if (last <= 20) array.data.forEach((v, n) => {
      context.fillStyle = inkOn(colourOf(v, most));
      context.font = "11px sans-serif";
      context.fillText(brief(v), 4, 24 * n + 16);
    });
    const chosen = this.chosen && !this.chosen.parameter && this.chosen.operation === i ? this.chosen.index : null;
    if (chosen !== null) this.mark(context, layout, chosen, first, down, drawn);
    const below = this.chosen && windowBelow(this.record, this.chosen);
    if (below && below.operation === i) this.frame(context, layout, below, first, down, drawn);
    const at = (event) => {
      const column = Math.floor(event.offsetX / (width + GAP)), row = Math.floor(event.offsetY / (height + GAP));
      const m = column * down + row, x = event.offsetX - column * (width + GAP), y = event.offsetY - row * (height + GAP);
      if (m >= drawn || x >= width || y >= height) return null;
      const index = ((first + m) * h + Math.floor(y / height * h)) * w + Math.floor(x / width * w);
      return index < array.data.length ? index : null;
    };
    canvas.addEventListener("click", (event) => {
      const index = at(event);
      if (index !== null) this.choose({operation: i, index});
    });
    canvas.addEventListener("mousemove", (event) => {
      const index = at(event);
      canvas.title = index === null ? "" : `${placeInWords(index, array.shape)}: ${shown(array.data[index])}`;
    });
    canvas.addEventListener("keydown", (event) => this.key(event, i, array, h, w, chosen ?? first * h * w));
    const pager = maps > page ? this.pager(i, first, page, maps) : null;
    return el("div", {}, pager, canvas, legend(most));
  }

  mark(context, {h, w, width, height}, index, first, down, drawn) {
    const m = Math.floor(index / (h * w)) - first, r = Math.floor(index / w) % h, c = index % w;
    if (m < 0 || m >= drawn) return;
    const x = Math.floor(m / down) * (width + GAP) + c * width / w, y = (m % down) * (height + GAP) + r * height / h;
    context.lineWidth = 2;
    context.strokeStyle = getComputedStyle(document.documentElement).getPropertyValue("--ink");
    context.strokeRect(x - 1, y - 1, Math.max(width / w, 4) + 2, Math.max(height / h, 4) + 2);
  }

  // A frame around the window that the chosen number sees, in each of the maps in which it has one.
  frame(context, {h, w, width, height}, {maps, top, left, bottom, right}, first, down, drawn) {
    context.lineWidth = 2;
    context.strokeStyle = getComputedStyle(document.documentElement).getPropertyValue("--ink");
    for (let m = Math.max(maps[0], first); m < Math.min(maps[1], first + drawn); m++) {
      const x = Math.floor((m - first) / down) * (width + GAP), y = ((m - first) % down) * (height + GAP);
      context.strokeRect(x + left * width / w, y + top * height / h, (right - left) * width / w,
        (bottom - top) * height / h);
    }
  }

  key(event, i, array, h, w, index) {
    const moves = {ArrowLeft: -1, ArrowRight: 1, ArrowUp: -w, ArrowDown: w, PageUp: -h * w, PageDown: h * w, Enter: 0,
      " ": 0};
    if (!(event.key in moves)) return;
    event.preventDefault();
    const next = Math.min(Math.max(index + moves[event.key], 0), array.data.length - 1), map = Math.floor(next / (h * w));
    if (map < (this.first[i] || 0) || map >= (this.first[i] || 0) + MAPS) this.first[i] = map - map % MAPS;
    this.spoken.textContent = `${placeInWords(next, array.shape)}: ${shown(array.data[next])}`;
    this.choose({operation: i, index: next});
  }

  pager(i, first, page, maps) {
    const go = (to) => { this.first[i] = to; this.draw(this.record, this.kind, this.chosen); };
    return el("div", {class: "pager"},
      el("button", {type: "button", "aria-label": "earlier maps", disabled: first === 0, onclick: () => go(first - page)},
        "‹"),
      `${first}–${Math.min(first + page, maps) - 1} of ${maps}`,
      el("button", {type: "button", "aria-label": "later maps", disabled: first + page >= maps,
        onclick: () => go(first + page)}, "›"));
  }
}
