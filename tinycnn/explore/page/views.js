// The views of single operations: SHOWS[name] is how a number was computed, HANDS[name] what its gradient becomes below.
// Both are called with the unit as `this`: SHOWS with (inputs, y, index), HANDS with (inputs, dy, index).

const text = (...content) => el("p", {}, ...content);
const sign = (s) => el("span", {class: "sign"}, s);
const button = (label, press) => el("button", {type: "button", onclick: press}, label);
const total = (numbers) => numbers.reduce((sum, v) => sum + v, 0);

// A table with a heading for each column; what is a number is written with six digits.
function list(headings, rows, name) {
  const cell = (content) => el("td", {}, typeof content === "number" ? shown(content) : content);
  return el("div", {class: "scroll"}, el("table", {class: "list", "data-name": name},
    el("tr", {}, headings.map((heading) => el("th", {scope: "col"}, heading))),
    rows.map((row) => el("tr", {}, row.map(cell)))));
}

// The window of a channel that output place (oh, ow) sees: its numbers, which of them are padding, their indices in x.
function windowOf(x, channel, [oh, ow], [KH, KW], {stride, padding, dilation}) {
  const [, , H, W] = x.shape, values = [], outside = [], indices = [], d = [dilation].flat();
  for (let kh = 0; kh < KH; kh++) for (let kw = 0; kw < KW; kw++) {
    const h = seen(oh, kh, H, stride[0], padding[0][0] ?? padding[0], d[0]);
    const v = seen(ow, kw, W, stride[1], padding[1][0] ?? padding[1], d[1] ?? d[0]);
    const out = h < 0 || v < 0, at = (channel * H + h) * W + v;
    values.push(out ? 0 : x.data[at]);
    outside.push(out);
    indices.push(out ? -1 : at);
  }
  return {values, outside, indices};
}

// Where a unit of a convolution stands: its filter and place, the first channel that the filter sees, and the filter's size.
function placeOfConvolution(index, shape, w, {groups}) {
  const [, f, oh, ow] = placeOf(index, shape), [F, inside, KH, KW] = w.shape;
  return {f, oh, ow, inside, KH, KW, size: KH * KW, first: Math.floor(f / (F / groups)) * inside};
}

const SHOWS = {
  Conv([x, w, b], y, index) {
    if (w.shape.length !== 4) return this.unexplained([x], y, index);
    const {f, oh, ow, inside, KH, KW, size, first} = placeOfConvolution(index, y.shape, w, this.operation.options);
    const most = mostOf(x.data), mostW = mostOf(w.data), chooseW = this.chooseParameter(1), rows = [], blocks = [],
      sums = [];
    for (let c = 0; c < inside; c++) {
      const {values, outside, indices} = windowOf(x, first + c, [oh, ow], [KH, KW], this.operation.options);
      const start = (f * inside + c) * size, kernel = Array.from(w.data.subarray(start, start + size));
      const products = values.map((v, k) => v * kernel[k]);
      sums.push(total(products));
      products.forEach((p, k) => rows.push([`${c}, ${Math.floor(k / KW)}, ${k % KW}`, values[k], kernel[k], p]));
      if (c < CHANNELS || this.all) blocks.push(el("div", {class: "products"},
        grid(`x, map ${first + c}`, values, KH, KW, {most, outside, name: `window${c}`,
          choose: this.chooseInput(0, indices)}),
        sign("×"),
        grid(`w[${f}, ${c}]`, kernel, KH, KW, {most: mostW, choose: chooseW && ((k) => chooseW(start + k)),
          name: `kernel${c}`}),
        sign("="), grid("products", products, KH, KW, {name: `products${c}`}),
        el("span", {}, "sum ", number(`sum${c}`, sums[c]))));
    }
    return [text("A window of x, times the kernel, number by number. Press a weight of the kernel to see where its ",
                 "gradient comes from."),
            el("div", {class: "blocks"}, blocks), this.more(inside - blocks.length, "channels"),
            this.withBias(inside === 1 ? "The sum " : `The sums of ${inside} channels `, total(sums), b, f),
            el("details", {}, el("summary", {}, `As im2col has it: row ${f} of w times a column of ${rows.length} numbers`),
               list(["channel, row, column", "x in cols", "w", "product"], rows, "column"))];
  },

  Linear([x, w, b], y, index) {
    const [O, I] = w.shape, n = Math.floor(index / O), o = index % O, chooseW = this.chooseParameter(1);
    const chooseX = this.chooseInput(0), products = Array.from({length: I}, (_, i) => x.data[n * I + i] * w.data[o * I + i]);
    const order = [...products.keys()].sort((i, j) => Math.abs(products[j]) - Math.abs(products[i]));
    const few = this.all ? [...products.keys()] : order.slice(0, TERMS), sum = total(products);
    const rows = few.map((i) => [chooseX ? button(`x[${i}]`, () => chooseX(n * I + i)) : String(i), x.data[n * I + i],
      chooseW ? button(shown(w.data[o * I + i]), () => chooseW(o * I + i)) : w.data[o * I + i], products[i]]);
    if (few.length < I) rows.push([`${I - few.length} more`, "", "", sum - total(few.map((i) => products[i]))]);
    return [text(`Row ${o} of w times x: a sum of ${whole(I)} products${this.all ? "" : ", the largest first"}. `,
                 "Press a weight to see where its gradient comes from."),
            list(["i", "x", "w", "product"], rows, "products"), this.more(I - few.length, "products"),
            this.withBias("The sum ", sum, b, o)];
  },

  ReLU([x], y, index) {
    return text("max(x, 0) with x = ", number("x", x.data[index]),
                x.data[index] > 0 ? ": it passes." : ": it is stopped, and so will its gradient be.");
  },

  MaxPool([x], y, index) {
    if (x.shape.length !== 4) return this.unexplained([x], y, index);
    const {options} = this.operation, [, c, oh, ow] = placeOf(index, y.shape), [KH, KW] = options.kernel,
      [, , H, W] = x.shape;
    const at = arrayOf(this.record, this.chosen.operation, "indices").data[index];
    const {values, outside, indices} = windowOf(x, c, [oh, ow], [KH, KW], options), mark = indices.indexOf(c * H * W + at);
    return [text("The largest number of a window wins, and takes the whole gradient."),
            grid(`x, map ${c}`, values, KH, KW, {mark, outside, name: "window", choose: this.chooseInput(0, indices)}),
            text("The winner: ", number("made", x.data[c * H * W + at]),
              `, at row ${Math.floor(at / W)}, column ${at % W}`)];
  },

  AdaptiveMaxPool([x], y, index) {
    const [, , H, W] = x.shape, at = arrayOf(this.record, this.chosen.operation, "indices").data[index];
    const c = Math.floor(index / (y.shape[2] * y.shape[3]));
    return text("The largest of its window, ", number("made", x.data[c * H * W + at]),
      `, at row ${Math.floor(at / W)}, column `,
                `${at % W} of map ${c}, wins, and takes the whole gradient.`);
  },

  AvgPool([x], y, index) {
    if (x.shape.length !== 4) return this.unexplained([x], y, index);
    const found = [], m = arrayOf(this.record, this.chosen.operation, "m").data, place = index % (y.shape[2] * y.shape[3]);
    eachWindow(x.shape, this.operation.options, y, (o, i) => { if (o === index) found.push(x.data[i]); });
    const size = m[place % m.length];
    return text(`The mean of a window: the sum of its ${found.length} numbers, `, number("total", total(found)),
      `, divided by ${size}: `,
                number("made", total(found) / size));
  },

  AdaptiveAvgPool([x], y, index) {
    const found = [];
    eachAdaptive(x.shape, y, (o, i) => { if (o === index) found.push(x.data[i]); });
    return text(`The mean of ${found.length} numbers, whose sum is `, number("total", total(found)), ": ",
                number("made", total(found) / found.length));
  },

  Normalize([x, w, b], y, index) {
    const i = this.chosen.operation, {axes, along} = this.operation.options, place = placeOf(index, x.shape);
    // the element of an array that is broadcast against x
    const facing = (a) => a.data[a.shape.reduce((at, n, d) => at * n + (n === 1 ? 0
      : place[d + place.length - a.shape.length]), 0)];
    const mean = facing(arrayOf(this.record, i, "mean")), r = facing(arrayOf(this.record, i, "r"));
    const own = along.reduce((at, d) => at * x.shape[d] + place[d], 0), xhat = (x.data[index] - mean) * r;
    const scale = w ? w.data[own] : 1, shift = b ? b.data[own] : 0;
    return [text(axes.length ? "The mean and the deviation are those of the numbers around it."
              : "The mean and the deviation are the running ones that training left: the page computes in evaluation mode."),
            text("(x − mean) r = (", number("x", x.data[index]), " − ", number("mean", mean), ") · ", number("r", r), " = ",
                 number("xhat", xhat)),
            text("times w = ", number("scale", scale), this.gradientOf(1, own), " plus b = ", number("bias", shift),
                 this.gradientOf(2, own), " makes ", number("made", xhat * scale + shift))];
  },

  Add([a, b], y, index) {
    if (!b || a.data.length !== b.data.length) return this.unexplained([a], y, index);
    const branch = (k) => {
      const {operation} = this.operation.inputs[k], choose = this.chooseInput(k);
      const {module, name} = this.record.operations[operation] || {};
      return choose && button(module || name, () => choose(index));
    };
    return text("The sum of two branches: ", branch(0), number("a", a.data[index]), " + ", branch(1),
      number("b", b.data[index]),
                " = ", number("made", a.data[index] + b.data[index]), ". Each of them gets the whole gradient.");
  },

  CrossEntropy([z, t]) {
    const p = softmax(z.data), label = t.data.indexOf(Math.max(...t.data));
    const rows = Array.from(z.data, (v, k) => [String(names[k] ?? k), v, p[k], t.data[k]]);
    return [text("Softmax turns the scores into shares that add up to 1, and the loss is −log of the label's share."),
            list(["class", "score", "p = e^score / sum", "label"], rows, "row"),
            text("−log ", number("p", p[label]), " = ", number("made", -Math.log(p[label])))];
  },

  Attention([q, k], y, index) {
    const p = arrayOf(this.record, this.chosen.operation, "p"), [L, S] = p.shape.slice(-2), E = q.shape.at(-1);
    const s = index % S, row = Math.floor(index / S), head = Math.floor(row / L), l = row % L,
      {scale} = this.operation.options;
    const product = total(Array.from({length: E}, (_,
      e) => q.data[(head * L + l) * E + e] * k.data[(head * S + s) * E + e]));
    const shares = Array.from(p.data.subarray(row * S, (row + 1) * S));
    return [text(`In head ${head}, token ${l} looks at token ${s}. q[${l}] times k[${s}], a sum of ${E} products, is `,
                 number("product", product), ", times the scale ", number("scale", scale), " it is ",
                   number("score", product * scale),
                 ". Softmax over the row of scores gives the share:"),
            el("div", {class: "scroll"}, grid(`row ${l}: at whom token ${l} looks`, shares, 1, S, {mark: s, name: "row"})),
            text("The row adds up to ", number("sum", total(shares)), ".")];
  },
};

const HANDS = {
  Conv([x, w], dy, index) {
    if (w.shape.length !== 4) return text("By the formula below.");
    const {f, oh, ow, inside, KH, KW, size, first} = placeOfConvolution(index, dy.shape, w, this.operation.options);
    const v = dy.data[index], chooseW = this.chooseParameter(1), blocks = [];
    for (let c = 0; c < inside && (c < CHANNELS || this.all); c++) {
      const start = (f * inside + c) * size, {values, outside} = windowOf(x, first + c, [oh, ow], [KH, KW],
        this.operation.options);
      const down = Array.from(w.data.subarray(start, start + size), (n) => n * v), choose = chooseW
        && ((k) => chooseW(start + k));
      blocks.push(el("div", {class: "products"},
        grid(`to x, map ${first + c}: dy w`, down, KH, KW, {outside, name: `down${c}`}),
        grid(`to dw[${f}, ${c}]: dy x`, values.map((n) => n * v), KH, KW, {choose, name: `share${c}`})));
    }
    return [text("To every pixel of its window, dy times the weight that stood on it: im2col had copied the pixel into ",
                 "this column, and col2im brings the copy home, where the copies of all windows are added up. To every ",
                 "weight, dy times the pixel below it."),
            el("div", {class: "blocks"}, blocks), this.more(inside - blocks.length, "channels")];
  },

  Linear([x, w], dy, index) {
    const [O, I] = w.shape, v = dy.data[index], o = index % O, n = Math.floor(index / O), chooseW = this.chooseParameter(1);
    const order = Array.from({length: I}, (_, i) => i);
    if (!this.all) order.sort((i, j) => Math.abs(w.data[o * I + j]) - Math.abs(w.data[o * I + i])).splice(TERMS);
    const rows = order.map((i) => {
      const share = v * x.data[n * I + i];
      return [String(i), v * w.data[o * I + i], chooseW ? button(shown(share), () => chooseW(o * I + i)) : share];
    });
    return [text("To every x, dy times its weight; to every weight, dy times its x."),
            list(["i", "to x[i]: dy w", "to w[i]: dy x"], rows), this.more(I - rows.length, "inputs")];
  },

  ReLU([x], dy, index) {
    return x.data[index] > 0 ? text("x was above 0, so all of it: ", number("down", dy.data[index]))
      : text("x was not above 0, so nothing: ", number("down", 0));
  },

  MaxPool([x], dy, index) {
    const at = arrayOf(this.record, this.chosen.operation, "indices").data[index], W = x.shape[3];
    return text(`To the winner, row ${Math.floor(at / W)}, column ${at % W}, all of it: `, number("down", dy.data[index]),
                "; to the others of the window, nothing.");
  },

  Normalize([x, w], dy, index) {
    if (this.operation.options.axes.length)
      return text("To all the numbers around it, because each is in the mean and in the deviation.");
    const c = channelOf(x)(index), r = arrayOf(this.record, this.chosen.operation, "r").data[c];
    return text("dy times w r: ", number("down", dy.data[index] * r * (w ? w.data[c] : 1)));
  },

  Add: (inputs, dy, index) => text("To both branches, all of it: ", number("down", dy.data[index])),

  CrossEntropy([z, t], dy) {
    const rows = softmax(z.data).map((p, k) => [String(names[k] ?? k), (p - t.data[k]) * dy.data[0]]);
    return [text("To every score, its share minus the label: p − 1 for the label, p for all others."),
            list(["class", "p − label"], rows)];
  },
};
HANDS.AdaptiveMaxPool = HANDS.MaxPool;
