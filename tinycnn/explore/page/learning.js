// One step, many steps, and what becomes of them when backward is wrong.

const ROUND = 10;  // batches in an answer, between which maps and curves move

class Learning {
  constructor(step, broken, ask, show) {
    Object.assign(this, {ask, show, losses: [], running: false, before: null});
    this.slider = el("input", {id: "rate", type: "range", min: -4, max: 1, step: 0.1, value: -1,
      "aria-describedby": "rate-value", oninput: () => this.said()});
    this.value = el("output", {id: "rate-value", class: "number"});
    this.result = el("p", {id: "losses", "aria-live": "polite"});
    this.curve = el("canvas", {hidden: true, role: "img", "aria-label": "The loss of each batch"});
    this.which = el("select", {"aria-label": "The weights that are shown", onchange: () => this.weights()});
    this.figures = el("div", {class: "figures"});
    const button = (id, text, act) => el("button", {type: "button", id, onclick: act}, text);
    this.undo = button("undo", "Undo", () => this.act("undo"));
    this.go = button("train", "Train on", () => this.train());
    step.append(el("p", {}, "w − lr dw: every weight goes a little against its gradient."),
      el("div", {class: "row"}, el("label", {for: "rate"}, "Learning rate lr"), this.slider, this.value),
      el("div", {class: "row"}, button("one", "A step on this picture", () => this.act("step", {batch: false})),
         button("batch", "A step on a batch of 32", () => this.act("step", {batch: true})), this.undo, this.go),
      this.result, this.curve, el("h3", {}, "The weights before and after"), el("div", {class: "row"}, this.which),
      this.figures);
    this.mutant = el("select", {id: "mutant", "aria-label": "The mistake", onchange: () => this.switch()});
    this.verdict = el("div", {id: "verdict", "aria-live": "polite"});
    this.raceCurve = el("canvas", {hidden: true, role: "img", "aria-label": "The loss of a right and of a broken training"});
    this.start = button("race", "Train 40 batches both ways", () => this.race());
    broken.append(el("p", {}, "Put a mistake that people really make into one operation's backward. The gradients on this ",
      "page are then wrong, \"Check it\" shows it, and so does a training."),
      el("div", {class: "row"}, this.mutant, this.start), this.verdict, this.raceCurve);
    this.said();
  }

  get rate() {
    return Number((10 ** Number(this.slider.value)).toPrecision(2));
  }

  said() {
    this.value.textContent = String(this.rate);
  }

  // A new record: what may be done, and the weights.
  draw(record, facts) {
    this.record = record;
    this.undo.disabled = !record.undo;
    const names = Object.keys(record.parameters).filter((name) => record.arrays[`w.${name}`]);
    const first = names.find((name) => name.endsWith("weight")) || names[0];
    if (this.which.options.length !== names.length)
      this.which.replaceChildren(...names.map((name) => el("option", {value: name, selected: name === first}, name)));
    if (!this.mutant.options.length) this.mutant.replaceChildren(el("option", {value: ""}, "Nothing is broken"),
      ...record.mutants.map(([operation, name]) => el("option", {value: JSON.stringify([operation, name])},
        `${operation}: ${name}`)));
    this.start.disabled = !this.mutant.value;
    this.weights();
  }

  async act(question, told = {}) {
    const before = this.record, record = await guarded(() => this.ask(question, {lr: this.rate, ...told}));
    if (!record) return false;
    this.before = question === "undo" ? null : before;
    const losses = [...record.arrays.losses.data];
    if (question === "train") this.losses.push(...losses);
    if (question === "step") this.result.replaceChildren("Loss ", number("before", losses[0]), " → ",
      number("after", losses[1]),
      losses[1] < losses[0] ? ": it fell." : ": it did not fall. Is the rate too large, or something broken?");
    if (question === "undo") this.result.textContent = "The last step is taken back.";
    this.show(record);
    return true;
  }

  async train() {
    this.running = !this.running;
    this.go.textContent = this.running ? "Stop" : "Train on";
    if (!this.running || this.working) return;  // the loop below is still at its last answer
    this.working = true;
    while (this.running) {
      if (!await this.act("train", {batches: ROUND})) break;
      this.result.replaceChildren(`${this.losses.length} batches; the loss of the last one: `,
        number("last", this.losses.at(-1)));
      curves(this.curve, [{values: this.losses}], Math.min(520, this.curve.parentElement.clientWidth - 30), 150);
      await new Promise((done) => setTimeout(done, 30));
    }
    this.running = this.working = false;
    this.go.textContent = "Train on";
  }

  // The chosen weights before and after the last step, and the change: one map for each filter, or all as one.
  weights() {
    const name = this.which.value, after = this.record?.arrays[`w.${name}`], dw = this.record?.arrays[`dw.${name}`];
    if (!after) return;
    const before = this.before?.arrays[`w.${name}`], change = before && after.data.map((v, i) => v - before.data[i]);
    const figure = (title, data) => filters(title, data, after.shape);
    this.figures.replaceChildren(...(before ? [figure("before", before.data), figure("the change", change),
      figure("after", after.data)]
      : [figure("w", after.data), dw ? figure("dw", dw.data) : el("p", {class: "faint"}, "no gradient")]));
  }

  async switch() {
    const chosen = this.mutant.value ? JSON.parse(this.mutant.value) : [null, null];
    this.verdict.replaceChildren(el("p", {class: "faint"}, this.mutant.value ? "The checker is at work." : ""));
    const record = await guarded(() => this.ask("switch", {function: chosen[0], name: chosen[1]}));
    if (!record) return;
    this.verdict.replaceChildren(...(record.verdict ? [el("h3", {}, "What the gradient checker says"),
      el("pre", {"data-name": "verdict"}, record.verdict)] : []));
    document.body.classList.toggle("broken", Boolean(this.mutant.value));
    this.show(record);
  }

  async race() {
    this.start.disabled = true;
    this.start.textContent = "Training …";
    const found = await guarded(() => this.ask("race", {lr: this.rate, batches: 40}));
    this.start.disabled = !this.mutant.value;
    this.start.textContent = "Train 40 batches both ways";
    if (!found) return;
    const {right, broken} = found.arrays, last = (a) => mean(a.data.slice(-5));
    this.verdict.querySelector("[data-name=race]")?.remove();
    curves(this.raceCurve, [{values: [...right.data]}, {values: [...broken.data], dashed: true}],
      Math.min(460, this.raceCurve.parentElement.clientWidth - 30), 150);
    this.verdict.append(el("p", {"data-name": "race"},
      `${right.data.length} batches from these weights, with this rate: mean loss of the last five, right (solid) `,
      number("right", last(right)), ", broken (dashed) ", number("broken", last(broken)), ". The weights are as before."));
  }
}

function mean(numbers) {
  return numbers.reduce((s, v) => s + v, 0) / numbers.length;
}

// Weights as maps: the first 16 filters with their first channel, or a matrix.
function filters(title, data, shape) {
  const most = mostOf(data), canvas = el("canvas", {role: "img", "aria-label": title});
  if (shape.length === 4) {
    const [F, C, h, w] = shape, n = Math.min(F, 16), across = Math.min(n, 8),
      context = sharp(canvas, across * 30, Math.ceil(n / across) * 30);
    for (let f = 0; f < n; f++)
      drawMap(context, data, f * C * h * w, h, w, most, f % across * 30, Math.floor(f / across) * 30, 28, 28);
  } else {
    const h = shape.length > 1 ? shape[0] : 1, w = data.length / h, height = Math.max(10, Math.min(120, 240 * h / w));
    drawMap(sharp(canvas, 240, height), data, 0, h, w, most, 0, 0, 240, height);
  }
  const part = shape.length === 4 && (shape[0] > 16 || shape[1] > 1) ? `, ${Math.min(shape[0], 16)} filters, channel 0` : "";
  return el("figure", {}, canvas, el("figcaption", {}, title + part, el("br"), legend(most)));
}
