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
    this.place.replaceChildren(...content.flat(Infinity).filter((node) => node));
  }

  heading(...content) {
    return el("h2", {id: "unit-title"}, ...content);
  }

  invitation() {
    return [this.heading("One number"),
            text("Press a number in a map: here stands how it was computed, from which numbers, and, backward, where its ",
                 "gradient came from. With the keyboard: go to a map with Tab, and move with the arrows.")];
  }

  // ---- what the views share ----
  get operation() {
    return this.record.operations[this.chosen.operation];
  }

  // The arrays that went into the operation; null where one of them is not on the page.
  inputs() {
    const {inputs} = this.operation, found = inputs.map((_, k) => inputOf(this.record, this.chosen.operation, k));
    return inputs.every((source, k) => !source || found[k]) ? found : null;
  }

  named() {
    const {name, module, shapes} = this.operation, p = name === "Attention" && this.kind === "y";
    const shape = p ? this.record.arrays[`${this.chosen.operation}.p`].shape : shapes[0];
    return `${name}${module ? ` of ${module}` : ""}: ${placeInWords(this.chosen.index, shape)}`;
  }

  // The operation's own words: its file, its docstring, a lesson, an exercise.
  words() {
    const {name} = this.operation, {file, doc, lesson, exercise} = this.record.words[name];
    return [el("p", {class: "faint"}, "The formula stands in ", el("code", {}, file), ", class ", el("code", {}, name), ".",
               lesson ? [" Lesson: ", el("code", {}, `notebooks/${lesson}.ipynb`), "."] : null,
               exercise ? [" Exercise: ", el("code", {}, `tinycnn exercises start ${exercise}`), "."] : null),
            el("details", {}, el("summary", {}, `What ${name} says about itself`), el("pre", {}, doc))];
  }

  // An operation without a view of its own: the element of the same place, where shapes agree.
  unexplained([x], y, index) {
    return x && count(x.shape) === count(y.shape) ? text("From x = ", number("x", x.data[index]), " by the formula below.")
      : text("Computed by the formula below.");
  }

  // "The sum s and the bias b make y."
  withBias(what, sum, b, index) {
    const bias = b && [" and the bias ", number("bias", b.data[index]), this.gradientOf(2, index)];
    return text(what, number("total", sum), bias, " make ", number("made", sum + (b ? b.data[index] : 0)));
  }

  more(left, what) {
    const all = () => { this.all = true; this.draw(this.record, this.kind, this.chosen); };
    return left > 0 ? button(`Show ${left} more ${what}`, all) : null;
  }

  // A function that goes to a weight of input k of this operation; null where it is no parameter.
  chooseParameter(k) {
    const {parameter} = this.operation.inputs[k] || {}, {operation} = this.chosen;
    return parameter ? (index) => this.choose({parameter, index, operation}) : null;
  }

  gradientOf(k, index) {
    const choose = this.chooseParameter(k);
    return choose && button("its gradient", () => choose(index));
  }

  // A function that goes to element `index` of input k, or to `indices[index]`, of which -1 is nowhere; null where k is
  // none.
  chooseInput(k, indices) {
    const source = this.operation.inputs[k], operation = source.picture ? -1 : source.operation;
    if (operation === undefined) return null;
    return (n) => {
      const index = indices ? indices[n] : n;
      if (index >= 0) this.choose({operation, index});
    };
  }

  // ---- forward ----
  forward() {
    const {operation: i, index} = this.chosen, {name} = this.operation, inputs = this.inputs(),
      y = arrayOf(this.record, i, "y.0");
    const value = (name === "Attention" ? arrayOf(this.record, i, "p") : y)?.data[index], known = inputs && y;
    const view = known && SHOWS[name] ? SHOWS[name].call(this, inputs, y, index) : known ? this.unexplained(inputs, y, index)
      : text("What it was computed from was too much to show.");
    return [this.heading(this.named()), value === undefined ? text("The numbers of this operation were too many to show.")
              : text(name === "Attention" ? "The share is " : "y = ", number("y", value)), view, this.words()];
  }

  // ---- backward ----
  backward() {
    const {operation: i, index} = this.chosen, dy = arrayOf(this.record, i, "dy.0"), inputs = this.inputs();
    if (!dy || index >= dy.data.length) return [this.heading(this.named()), text("No gradient arrives here."), this.words()];
    const hands = inputs && HANDS[this.operation.name];
    const down = dy.data[index] === 0 ? text("Nothing: dy is 0, and all that it hands down is a multiple of dy.")
      : hands ? hands.call(this, inputs, dy, index) : text("By the formula below, to all of its inputs.");
    return [this.heading(this.named()), text("The gradient that arrives: dy = ", number("dy", dy.data[index])),
            el("div", {class: "halves"},
               el("div", {}, el("h3", {}, "What comes from where"), this.arrivals({operation: i}, index, dy.data[index])),
               el("div", {}, el("h3", {}, "What it hands down"), down)),
            this.words()];
  }

  // The terms of a sum over all uses of an array, and the names of the operations that are not taken apart.
  termsOf(source, index) {
    const lists = usersOf(this.record, source).map(([i, k]) => [i, handedDown(this.record, i, k, index)]);
    return {terms: lists.flatMap(([i, found]) => (found || []).map((term) => ({...term, i}))),
            unknown: lists.filter(([, found]) => !found).map(([i]) => this.record.operations[i].name)};
  }

  // The sum of what the users of a number hand down to it.
  arrivals(source, index, dy) {
    if (!usersOf(this.record, source).length) return text("It is the loss itself: dL/dL = 1.");
    const {terms, unknown} = this.termsOf(source, index), sum = total(terms.map((term) => term.share));
    return [terms.length || !unknown.length ? this.terms(terms) : null,
            unknown.length ? text(`From ${unknown.join(", ")} as a whole: `, number("rest", dy - sum),
                                  ". This page does not take that operation apart: its formula does.")
              : text(`Sum of ${terms.length}: `, number("arrived", sum))];
  }

  // A table of terms, the largest first.
  terms(terms) {
    if (!terms.length) return text("From nowhere: nothing that the loss depends on has used this number.");
    const sorted = [...terms].sort((a, b) => Math.abs(b.share) - Math.abs(a.share));
    const few = this.all ? sorted : sorted.slice(0, TERMS), rest = sorted.slice(few.length);
    const rows = few.map(({i, at, factor, by, dy, share}) => {
      const {name, module, shapes} = this.record.operations[i];
      const go = () => this.choose({operation: i, index: at});
      return [button(`${module || name}: ${placeInWords(at, shapes[0])}`, go), by, factor, dy, share];
    });
    if (rest.length) rows.push([`${rest.length} more`, "", "", "", total(rest.map((term) => term.share))]);
    return [list(["from", "factor", "", "dy there", "share"], rows, "terms"), this.more(rest.length, "terms")];
  }

  // ---- the picture, and a weight ----
  pixel() {
    const {x, dx} = this.record.arrays, {index} = this.chosen, value = dx.data[index];
    return [this.heading(`The picture: ${placeInWords(index, [1, ...x.shape])}`),
            text("x = ", number("y", x.data[index]), ", as the network sees it (normalised)"),
            this.kind === "y" ? null : [text("dx = ", number("dy", value)), el("h3", {}, "What comes from where"),
              this.arrivals({picture: true}, index, value), this.check(null, index, value)]];
  }

  weight() {
    const {parameter, index} = this.chosen, w = this.record.arrays[`w.${parameter}`],
      dw = this.record.arrays[`dw.${parameter}`];
    const title = this.heading(`The weight ${parameter}[${placeOf(index, w.shape).join(", ")}]`), rate = this.rate();
    if (!dw) return [title, text("w = ", number("w", w.data[index])),
      text("It is frozen, or nothing used it: it has no gradient."),
                     this.words()];
    const value = dw.data[index], {terms, unknown} = this.termsOf({parameter}, index);
    return [title, text("w = ", number("w", w.data[index]), ", dw = ", number("dw", value),
      `; a step of ${rate} would make it `,
                        number("next", w.data[index] - rate * value)),
            el("h3", {}, "Where dw comes from"),
            unknown.length ? text("By the formula below.")
              : [text("The weight was used at each of these places. At each, a change of w changes y by the factor, and y ",
                      "changes the loss by dy: factor times dy is the place's share of dw. The sum of all shares is dw."),
                 this.shares(terms), this.terms(terms),
                 text(`Sum of ${terms.length} places: `, number("sum", total(terms.map((term) => term.share))))],
            this.check(parameter, index, value), this.words()];
  }

  // The places of a weight as a map: x there, dy there, and their product.
  shares(terms) {
    const {shapes: [shape]} = this.operation;
    if (shape.length !== 4 || terms.length !== shape[2] * shape[3] || terms.length < 4) return null;
    const map = (title, name) => mapFigure(title, Float64Array.from(terms, (term) => term[name]), shape[2], shape[3], 150);
    return el("div", {class: "figures"}, map("the factor: x under the weight", "factor"), sign("×"), map("dy", "dy"),
      sign("="),
              map("the share of dw", "share"));
  }

  // A button that measures a derivative.
  check(name, index, derivative) {
    const result = el("p", {"aria-live": "polite"});
    const measure = async () => {
      const found = await guarded(() => this.ask("difference", {name, index}));
      if (!found) return;
      const measured = found.arrays.difference.data[0], off = Math.abs(measured - derivative);
      const agree = off <= 1e-5 * Math.max(Math.abs(measured), Math.abs(derivative)) + 1e-9;
      result.replaceChildren("(L(v + h) − L(v − h)) / 2h = ", number("measured", measured), ", backward says ",
        number("derived", derivative), el("b", {}, agree ? ": they agree." : ": they do not agree."),
        agree ? "" : " (At a kink of ReLU or max-pooling they may not.)");
    };
    return [el("h3", {}, "Check it"),
            el("p", {class: "row"}, el("button", {type: "button", id: "check", onclick: measure}, "Measure the derivative"),
               el("span", {class: "faint"}, "changes this one number by h = 0.00001, and looks at the loss")), result];
  }
}
