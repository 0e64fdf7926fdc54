// Down to one number: how it was computed, where its gradient came from, and what it hands down.

const CHANNELS = 6, TERMS = 10;

class Unit {
  // `choose` is called with what was pressed, `ask` is the source's, `rate()` the learning rate.
  constructor(place, choose, ask, rate) {
    Object.assign(this, {place, choose, ask, rate, all: false});
  }

  draw(record, kind, chosen) {
    if (JSON.stringify(chosen) !== JSON.stringify(this.chosen)) this.all = false;
    Object.assign(this, {record, kind, chosen});
    const content = !chosen ? this.invitation() : chosen.parameter ? this.weight() : chosen.operation < 0 ? this.pixel()
      : kind === "y" ? this.forward() : this.backward();
    this.place.replaceChildren(...[content].flat(Infinity).filter((node) => node != null));
  }

  heading(...text) {
    return el("h2", {id: "unit-title"}, ...text);
  }

  invitation() {
    return [this.heading("One number"), el("p", {}, "Press a number in a map: here stands how it was computed, from which numbers, and, " +
            "backward, where its gradient came from. With the keyboard: go to a map with Tab, and move with the arrows.")];
  }

  get operation() {
    return this.record.operations[this.chosen.operation];
  }

  inputs() {
    return this.operation.inputs.map((_, k) => inputOf(this.record, this.chosen.operation, k));
  }

  named() {
    const {name, module, shapes} = this.operation, i = this.chosen.operation, attention = name === "Attention" && this.kind === "y";
    const shape = attention ? this.record.arrays[`${i}.p`].shape : shapes[0];
    return `${name}${module ? ` of ${module}` : ""}: ${placeInWords(this.chosen.index, shape)}`;
  }

  // The operation's own words: its file, its docstring, a lesson, an exercise.
  words() {
    const found = this.record.words[this.operation.name];
    return [el("p", {class: "faint"}, "The formula stands in ", el("code", {"data-name": "file"}, found.file), ", class ",
               el("code", {}, this.operation.name), ".",
               found.lesson ? [" Lesson: ", el("code", {}, `notebooks/${found.lesson}.ipynb`), "."] : null,
               found.exercise ? [" Exercise: ", el("code", {}, `tinycnn exercises start ${found.exercise}`), "."] : null),
            el("details", {}, el("summary", {}, `What ${this.operation.name} says about itself`), el("pre", {"data-name": "doc"}, found.doc))];
  }

  // ---- forward ----
  forward() {
    const i = this.chosen.operation, {index} = this.chosen, y = arrayOf(this.record, i, "y.0"), inputs = this.inputs();
    const known = y && this.operation.inputs.every((source, k) => !source || inputs[k]);
    const rule = known && SHOWS[this.operation.name];
    const attention = this.operation.name === "Attention";
    const value = attention ? this.record.arrays[`${i}.p`].data[index] : y?.data[index];
    return [this.heading(this.named()),
            value === undefined ? el("p", {}, "The numbers of this operation were too many to show.")
              : el("p", {}, attention ? "The share is " : "y = ", number("y", value)),
            rule ? rule.call(this, inputs, y, index) : known ? this.unexplained(inputs, y, index)
              : el("p", {}, "What it was computed from was too much to show."), this.words()];
  }

  // An operation without a view of its own: the element of the same place, where shapes agree.
  unexplained(inputs, y, index) {
    const x = inputs[0];
    return el("p", {}, x && count(x.shape) === count(y.shape) ? ["From x = ", number("x", x.data[index]), " by the formula below."]
      : "Computed by the formula below.");
  }

  more(left, what) {
    return left > 0 ? el("button", {type: "button", onclick: () => { this.all = true; this.draw(this.record, this.kind, this.chosen); }},
                         `Show ${left} more ${what}`) : null;
  }

  chooseParameter(k) {
    const source = this.operation.inputs[k];
    return source?.parameter ? (index) => this.choose({parameter: source.parameter, index, operation: this.chosen.operation}) : null;
  }

  // ---- backward ----
  backward() {
    const i = this.chosen.operation, {index} = this.chosen, dy = arrayOf(this.record, i, "dy.0");
    const attention = this.operation.name === "Attention";
    if (!dy || attention && index >= dy.data.length) return [this.heading(this.named()), el("p", {}, "No gradient arrives here."), this.words()];
    const hands = HANDS[this.operation.name], inputs = this.inputs();
    const known = this.operation.inputs.every((source, k) => !source || inputs[k]);
    const nothing = dy.data[index] === 0 && el("p", {}, "Nothing: dy is 0, and all that it hands down is a multiple of dy.");
    return [this.heading(this.named()), el("p", {}, "The gradient that arrives: dy = ", number("dy", dy.data[index])),
            el("div", {class: "halves"},
               el("div", {}, el("h3", {}, "What comes from where"), this.arrivals({operation: i}, index, dy.data[index])),
               el("div", {}, el("h3", {}, "What it hands down"),
                  nothing || (hands && known) ? nothing || hands.call(this, inputs, dy, index) : el("p", {}, "By the formula below, to all of its inputs."))),
            this.words()];
  }

  // The sum of what the users of a number hand down to it.
  arrivals(source, index, total) {
    const users = usersOf(this.record, source);
    if (!users.length) return el("p", {}, "It is the loss itself: dL/dL = 1.");
    const lists = users.map(([i, k]) => [i, handedDown(this.record, i, k, index)]);
    const unknown = lists.filter(([, terms]) => !terms).map(([i]) => this.record.operations[i].name);
    const terms = lists.flatMap(([i, found]) => (found || []).map((term) => ({...term, i})));
    return [this.terms(terms), unknown.length ? el("p", {}, `From ${unknown.join(", ")} as a whole: `,
      number("rest", total - terms.reduce((s, t) => s + t.share, 0)), ". This page does not take that operation apart: its formula does.") : null,
      unknown.length ? null : el("p", {}, `Sum of ${terms.length}: `, number("arrived", terms.reduce((s, t) => s + t.share, 0)))];
  }

  // A table of terms, the largest first.
  terms(terms) {
    if (!terms.length) return el("p", {}, "From nowhere: nothing that the loss depends on has used this number.");
    const sorted = [...terms].sort((a, b) => Math.abs(b.share) - Math.abs(a.share)), few = this.all ? sorted : sorted.slice(0, TERMS);
    const rest = sorted.slice(few.length);
    return el("div", {class: "scroll"}, el("table", {class: "list", "data-name": "terms"},
      el("tr", {}, ["from", "factor", "", "dy there", "share"].map((text) => el("th", {scope: "col"}, text))),
      few.map(({i, at, factor, by, dy, share}) => {
        const {name, module, shapes} = this.record.operations[i];
        return el("tr", {}, el("td", {}, el("button", {type: "button", onclick: () => this.choose({operation: i, index: at})},
                                            `${module || name}: ${placeInWords(at, shapes[0])}`)),
                  el("td", {}, by), el("td", {}, shown(factor)), el("td", {}, shown(dy)), el("td", {}, shown(share)));
      }), rest.length ? el("tr", {}, el("td", {colspan: 4}, `${rest.length} more`),
                           el("td", {}, shown(rest.reduce((s, t) => s + t.share, 0)))) : null), this.more(rest.length, "terms"));
  }

  // ---- the picture, and a weight ----
  pixel() {
    const {x, dx} = this.record.arrays, {index} = this.chosen;
    return [this.heading(`The picture: ${placeInWords(index, [1, ...x.shape])}`),
            el("p", {}, "x = ", number("y", x.data[index]), ", as the network sees it (normalised)"),
            this.kind === "y" ? null : [el("p", {}, "dx = ", number("dy", dx.data[index])),
              el("h3", {}, "What comes from where"), this.arrivals({picture: true}, index, dx.data[index]), this.check(null, index, dx.data[index])]];
  }

  weight() {
    const {parameter, index} = this.chosen, w = this.record.arrays[`w.${parameter}`];
    const dw = this.record.arrays[`dw.${parameter}`], value = dw?.data[index];
    const rate = this.rate(), uses = usersOf(this.record, {parameter});
    const found = uses.map(([i, k]) => handedDown(this.record, i, k, index)?.map((term) => ({...term, i})));
    const terms = found.every((list) => list) && found.flat();
    const title = this.heading(`The weight ${parameter}[${placeOf(index, w.shape).join(", ")}]`);
    const numbers = el("p", {}, "w = ", number("w", w.data[index]));
    if (!dw) return [title, numbers, el("p", {}, "It is frozen, or nothing used it: it has no gradient."), this.words()];
    numbers.append(", dw = ", number("dw", value), `; a step of ${rate} would make it `, number("next", w.data[index] - rate * value));
    return [title, numbers, el("h3", {}, "Where dw comes from"),
            terms ? [el("p", {}, "The weight was used at each of these places. At each, a change of w changes y by the factor, and y " +
                        "changes the loss by dy: factor times dy is the place's share of dw. The sum of all shares is dw."),
                     uses.length === 1 ? this.shares(terms, uses[0][0]) : null, this.terms(terms),
                     el("p", {}, `Sum of ${terms.length} places: `, number("sum", terms.reduce((s, t) => s + t.share, 0)))]
              : el("p", {}, "By the formula below."), this.check(parameter, index, value), this.words()];
  }

  // The places of a weight as a map: x there, dy there, and their product.
  shares(terms, i) {
    const shape = this.record.operations[i].shapes[0];
    if (shape.length !== 4 || terms.length !== shape[2] * shape[3] || terms.length < 4) return null;
    const part = (name) => Float64Array.from(terms, (term) => term[name]);
    return el("div", {class: "figures"}, mapFigure("the factor: x under the weight", part("factor"), shape[2], shape[3], 150),
              el("span", {class: "sign"}, "×"), mapFigure("dy", part("dy"), shape[2], shape[3], 150), el("span", {class: "sign"}, "="),
              mapFigure("the share of dw", part("share"), shape[2], shape[3], 150));
  }

  // A button that measures a derivative.
  check(name, index, derivative) {
    const result = el("p", {"aria-live": "polite"});
    const measure = async () => {
      const found = await guarded(() => this.ask("difference", {name, index}));
      if (!found) return;
      const measured = found.arrays.difference.data[0], off = Math.abs(measured - derivative);
      const agree = off <= 1e-5 * Math.max(Math.abs(measured), Math.abs(derivative)) + 1e-9;
      result.replaceChildren("(L(v + h) − L(v − h)) / 2h = ", number("measured", measured), ", backward says ", number("derived", derivative),
        el("b", {}, agree ? ": they agree." : ": they do not agree."), agree ? "" : " (At a kink of ReLU or max-pooling they may not.)");
    };
    return [el("h3", {}, "Check it"), el("p", {class: "row"}, el("button", {type: "button", id: "check", onclick: measure}, "Measure the derivative"),
            el("span", {class: "faint"}, "changes this one number by h = 0.00001, and looks at the loss")), result];
  }
}

// ---- forward, operation by operation: SHOWS[name].call(unit, inputs, y, index) ----------------------------------------

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

const SHOWS = {
  Conv([x, w, b], y, index) {
    if (w.shape.length !== 4) return this.unexplained([x], y, index);
    const {options} = this.operation, [, f, oh, ow] = placeOf(index, y.shape), [F, inside, KH, KW] = w.shape, size = KH * KW;
    const first = Math.floor(f / (F / options.groups)) * inside, rows = [], blocks = [];
    const most = mostOf(x.data), mostW = mostOf(w.data), chooseW = this.chooseParameter(1);
    const source = this.operation.inputs[0];
    let total = 0;
    for (let c = 0; c < inside; c++) {
      const {values, outside, indices} = windowOf(x, first + c, [oh, ow], [KH, KW], options), start = (f * inside + c) * size;
      const kernel = Array.from(w.data.subarray(start, start + size)), products = values.map((v, k) => v * kernel[k]);
      const sum = products.reduce((s, v) => s + v, 0);
      total += sum;
      products.forEach((p, k) => rows.push([c, Math.floor(k / KW), k % KW, values[k], kernel[k], p]));
      if (c < CHANNELS || this.all) blocks.push(el("div", {class: "products"},
        grid(`x, map ${first + c}`, values, KH, KW, {most, outside, name: `window${c}`,
             choose: (k) => indices[k] >= 0 && this.choose(source.picture ? {operation: -1, index: indices[k]} : {operation: source.operation, index: indices[k]})}),
        el("span", {class: "sign"}, "×"), grid(`w[${f}, ${c}]`, kernel, KH, KW, {most: mostW, choose: chooseW && ((k) => chooseW(start + k)), name: `kernel${c}`}),
        el("span", {class: "sign"}, "="), grid("products", products, KH, KW, {name: `products${c}`}),
        el("span", {}, "sum ", number(`sum${c}`, sum))));
    }
    const bias = b ? b.data[f] : 0, chooseB = this.chooseParameter(2);
    return [el("p", {}, "A window of x, times the kernel, number by number. Press a weight of the kernel to see where its gradient comes from."),
            el("div", {class: "blocks"}, blocks), this.more(inside - blocks.length, "channels"),
            el("p", {}, `The ${inside === 1 ? "sum" : `sums of ${inside} channels`} `, number("total", total),
               b ? [" and the bias ", number("bias", bias), chooseB ? el("button", {type: "button", onclick: () => chooseB(f)}, "its gradient") : null] : null,
               " make ", number("made", total + bias)),
            el("details", {}, el("summary", {}, `The same as im2col has it: row ${f} of w times a column of ${rows.length} numbers`),
               el("div", {class: "scroll"}, el("table", {class: "list", "data-name": "column"},
                 el("tr", {}, ["channel, row, column", "x in cols", "w", "product"].map((text) => el("th", {scope: "col"}, text))),
                 rows.map(([c, r, k, v, wv, p]) => el("tr", {}, el("td", {}, `${c}, ${r}, ${k}`), [v, wv, p].map((n) => el("td", {}, shown(n))))))))];
  },

  Linear([x, w, b], y, index) {
    const [O, I] = w.shape, n = Math.floor(index / O), o = index % O, source = this.operation.inputs[0];
    const terms = Array.from({length: I}, (_, i) => ({i, v: x.data[n * I + i], w: w.data[o * I + i]}));
    const total = terms.reduce((s, t) => s + t.v * t.w, 0), sorted = [...terms].sort((p, q) => Math.abs(q.v * q.w) - Math.abs(p.v * p.w));
    const few = this.all ? terms : sorted.slice(0, TERMS), chooseW = this.chooseParameter(1), chooseB = this.chooseParameter(2);
    return [el("p", {}, `Row ${o} of w times x: a sum of ${whole(I)} products${this.all ? "" : ", the largest first"}. Press a weight to see where its gradient comes from.`),
            el("div", {class: "scroll"}, el("table", {class: "list", "data-name": "products"},
              el("tr", {}, ["i", "x", "w", "product"].map((text) => el("th", {scope: "col"}, text))),
              few.map((t) => el("tr", {}, el("td", {}, source.operation === undefined ? String(t.i)
                  : el("button", {type: "button", onclick: () => this.choose({operation: source.operation, index: n * I + t.i})}, `x[${t.i}]`)),
                el("td", {}, shown(t.v)), el("td", {}, chooseW ? el("button", {type: "button", onclick: () => chooseW(o * I + t.i)}, shown(t.w)) : shown(t.w)),
                el("td", {}, shown(t.v * t.w)))), few.length < I ? el("tr", {}, el("td", {colspan: 3}, `${I - few.length} more`),
                  el("td", {}, shown(total - few.reduce((s, t) => s + t.v * t.w, 0)))) : null), this.more(I - few.length, "products")),
            el("p", {}, "The sum ", number("total", total), b ? [" and the bias ", number("bias", b.data[o]),
               chooseB ? el("button", {type: "button", onclick: () => chooseB(o)}, "its gradient") : null] : null,
               " make ", number("made", total + (b ? b.data[o] : 0)))];
  },

  ReLU([x], y, index) {
    return el("p", {}, "max(x, 0) with x = ", number("x", x.data[index]), x.data[index] > 0 ? ": it passes." : ": it is stopped, and so will its gradient be.");
  },

  MaxPool([x], y, index) {
    const {options} = this.operation, [, c, oh, ow] = placeOf(index, y.shape), indices = arrayOf(this.record, this.chosen.operation, "indices");
    if (x.shape.length !== 4) return this.unexplained([x], y, index);
    const [KH, KW] = options.kernel, plane = x.shape[2] * x.shape[3], found = windowOf(x, c, [oh, ow], [KH, KW], options);
    const winner = found.indices.indexOf(c * plane + indices.data[index]), source = this.operation.inputs[0];
    return [el("p", {}, "The largest number of a window wins, and takes the whole gradient."),
            grid(`x, map ${c}`, found.values, KH, KW, {mark: winner, outside: found.outside, name: "window",
                 choose: (k) => found.indices[k] >= 0 && this.choose({operation: source.operation, index: found.indices[k]})}),
            el("p", {}, "The winner: ", number("made", x.data[c * plane + indices.data[index]]),
               `, at row ${Math.floor(indices.data[index] / x.shape[3])}, column ${indices.data[index] % x.shape[3]}`)];
  },

  AdaptiveMaxPool([x], y, index) {
    const indices = arrayOf(this.record, this.chosen.operation, "indices"), plane = x.shape[2] * x.shape[3];
    const c = Math.floor(index / (y.shape[2] * y.shape[3])), at = indices.data[index];
    return el("p", {}, "The largest of its window, ", number("made", x.data[c * plane + at]),
              `, at row ${Math.floor(at / x.shape[3])}, column ${at % x.shape[3]} of map ${c}, wins, and takes the whole gradient.`);
  },

  AvgPool([x], y, index) {
    let total = 0, size = 0;
    if (x.shape.length !== 4) return this.unexplained([x], y, index);
    eachWindow(x.shape, this.operation.options, y, (o, i) => { if (o === index) { total += x.data[i]; size++; } });
    return el("p", {}, `The mean of a window: the sum of ${size} numbers is `, number("total", total));
  },

  AdaptiveAvgPool([x], y, index) {
    let total = 0, size = 0;
    eachAdaptive(x.shape, y, (o, i) => { if (o === index) { total += x.data[i]; size++; } });
    return el("p", {}, `The mean of ${size} numbers, whose sum is `, number("total", total), `: `, number("made", total / size));
  },

  Normalize([x, w, b], y, index) {
    const i = this.chosen.operation, {axes, along} = this.operation.options, mean = arrayOf(this.record, i, "mean"), r = arrayOf(this.record, i, "r");
    if (mean === undefined || r === undefined) return this.unexplained([x], y, index);
    const place = placeOf(index, x.shape), part = (a) => a.data[a.shape.reduce((at, n, d) => at * n + (n === 1 ? 0 : place[d + x.shape.length - a.shape.length]), 0)];
    const own = along.reduce((at, d) => at * x.shape[d] + place[d], 0), chooseW = this.chooseParameter(1), chooseB = this.chooseParameter(2);
    const xhat = (x.data[index] - part(mean)) * part(r), scale = w ? w.data[own] : 1, shift = b ? b.data[own] : 0;
    return [el("p", {}, axes.length ? "The mean and the deviation are those of the numbers around it." :
              "The mean and the deviation are the running ones that training left, because the page computes in evaluation mode."),
            el("p", {}, "(x − mean) r = (", number("x", x.data[index]), " − ", number("mean", part(mean)), ") · ", number("r", part(r)), " = ", number("xhat", xhat)),
            el("p", {}, "times w = ", number("scale", scale), chooseW ? el("button", {type: "button", onclick: () => chooseW(own)}, "its gradient") : null,
               " plus b = ", number("bias", shift), chooseB ? el("button", {type: "button", onclick: () => chooseB(own)}, "its gradient") : null,
               " makes ", number("made", xhat * scale + shift))];
  },

  Add([a, b], y, index) {
    if (!b || a.data.length !== b.data.length) return this.unexplained([a], y, index);
    const two = this.operation.inputs.map((s, k) => [s, [a, b][k]]);
    return el("p", {}, "The sum of two branches: ", two.map(([source, {data}], k) => [k ? " + " : "",
      source.operation === undefined ? null : el("button", {type: "button", onclick: () => this.choose({operation: source.operation, index})},
        this.record.operations[source.operation].module || this.record.operations[source.operation].name), number(k ? "b" : "a", data[index])]),
      ". Each of them gets the whole gradient.");
  },

  CrossEntropy([z, t], y) {
    const p = softmax(z.data), label = t.data.indexOf(Math.max(...t.data));
    return [el("p", {}, "Softmax turns the scores into shares that add up to 1, and the loss is −log of the label's share."),
            el("div", {class: "scroll"}, el("table", {class: "list", "data-name": "row"},
              el("tr", {}, ["class", "score", "p = e^score / sum", "label"].map((text) => el("th", {scope: "col"}, text))),
              Array.from(z.data, (v, k) => el("tr", {}, el("td", {}, String(names[k] ?? k)), [v, p[k], t.data[k]].map((n) => el("td", {}, shown(n))))))),
            el("p", {}, "−log ", number("p", p[label]), " = ", number("made", -Math.log(p[label])))];
  },

  Attention([q, k], y, index) {
    const p = arrayOf(this.record, this.chosen.operation, "p"), [L, S] = p.shape.slice(-2), E = q.shape.at(-1);
    const s = index % S, row = Math.floor(index / S), head = Math.floor(row / L), l = row % L;
    let score = 0;
    for (let e = 0; e < E; e++) score += q.data[(head * L + l) * E + e] * k.data[(head * S + s) * E + e];
    const shares = Array.from(p.data.subarray(row * S, (row + 1) * S));
    return [el("p", {}, `In head ${head}, token ${l} looks at token ${s}. The product of q[${l}] and k[${s}], ${E} numbers each, is `, number("product", score),
              `, times the scale `, number("scale", this.operation.options.scale), " ", number("score", score * this.operation.options.scale),
              ". Softmax over the row gives the share:"),
            el("div", {class: "scroll"}, grid(`row ${l}: at whom token ${l} looks`, shares, 1, S, {mark: s, name: "row"})),
            el("p", {}, "The row adds up to ", number("sum", shares.reduce((a, v) => a + v, 0)), ".")];
  },
};

// ---- backward: what a number hands down to the inputs of its operation -------------------------------------------------

const HANDS = {
  Conv([x, w], dy, index) {
    if (w.shape.length !== 4) return el("p", {}, "By the formula below.");
    const {options} = this.operation, [, f, oh, ow] = placeOf(index, dy.shape), [F, inside, KH, KW] = w.shape, size = KH * KW, v = dy.data[index];
    const first = Math.floor(f / (F / options.groups)) * inside, blocks = [], chooseW = this.chooseParameter(1);
    for (let c = 0; c < inside && (c < CHANNELS || this.all); c++) {
      const start = (f * inside + c) * size, {values, outside} = windowOf(x, first + c, [oh, ow], [KH, KW], options);
      blocks.push(el("div", {class: "products"},
        grid(`to x, map ${first + c}: dy w`, Array.from(w.data.subarray(start, start + size), (n) => n * v), KH, KW, {outside, name: `down${c}`}),
        grid(`to dw[${f}, ${c}]: dy x`, values.map((n) => n * v), KH, KW, {choose: chooseW && ((k) => chooseW(start + k)), name: `share${c}`})));
    }
    return [el("p", {}, "To every pixel of its window, dy times the weight that stood on it: im2col had copied the pixel into this column, and col2im brings the " +
              "copy home, where the copies of all windows are added up. To every weight, dy times the pixel below it."),
            el("div", {class: "blocks"}, blocks), this.more(inside - blocks.length, "channels")];
  },
  Linear([x, w, b], dy, index) {
    const [O, I] = w.shape, v = dy.data[index], o = index % O, n = Math.floor(index / O), chooseW = this.chooseParameter(1);
    const terms = Array.from({length: I}, (_, i) => ({i, dx: v * w.data[o * I + i], dw: v * x.data[n * I + i]}));
    const few = this.all ? terms : [...terms].sort((p, q) => Math.abs(q.dx) - Math.abs(p.dx)).slice(0, TERMS);
    return [el("p", {}, "To every x, dy times its weight; to every weight, dy times its x."), el("div", {class: "scroll"}, el("table", {class: "list"},
      el("tr", {}, ["i", "to x[i]: dy w", "to w[i]: dy x"].map((text) => el("th", {scope: "col"}, text))),
      few.map((t) => el("tr", {}, el("td", {}, String(t.i)), el("td", {}, shown(t.dx)),
        el("td", {}, chooseW ? el("button", {type: "button", onclick: () => chooseW(o * I + t.i)}, shown(t.dw)) : shown(t.dw))))), this.more(I - few.length, "inputs"))];
  },
  ReLU([x], dy, index) {
    return x.data[index] > 0 ? el("p", {}, "x was above 0, so all of it: ", number("down", dy.data[index]))
      : el("p", {}, "x was not above 0, so nothing: ", number("down", 0));
  },
  MaxPool([x], dy, index) {
    const at = arrayOf(this.record, this.chosen.operation, "indices").data[index];
    return el("p", {}, `To the winner, row ${Math.floor(at / x.shape[3])}, column ${at % x.shape[3]}, all of it: `, number("down", dy.data[index]), "; to the others of the window, nothing.");
  },
  Normalize([x, w], dy, index) {
    if (this.operation.options.axes.length) return el("p", {}, "To all the numbers around it, because each is in the mean and in the deviation.");
    const c = channelOf(x)(index);
    return el("p", {}, "dy times w r: ", number("down", dy.data[index] * arrayOf(this.record, this.chosen.operation, "r").data[c] * (w ? w.data[c] : 1)));
  },
  Add([a, b], dy, index) {
    return el("p", {}, "To both branches, all of it: ", number("down", dy.data[index]));
  },
  CrossEntropy([z, t], dy) {
    const p = softmax(z.data);
    return [el("p", {}, "To every score, its share minus the label: p − 1 for the label, p for all others."), el("table", {class: "list"},
      el("tr", {}, ["class", "p − label"].map((text) => el("th", {scope: "col"}, text))),
      Array.from(p, (v, k) => el("tr", {}, el("td", {}, String(names[k] ?? k)), el("td", {}, shown((v - t.data[k]) * dy.data[0])))))];
  },
};
HANDS.AdaptiveMaxPool = HANDS.MaxPool;
