// Where answers come from: a server, or, in a saved page, the engine beside this file. Both answer `ask(question, told)`.

class Server {
  constructor() {
    this.tab = Math.random().toString(36).slice(2);
  }

  async ask(question, told = {}) {
    let response;
    try {
      response = await fetch(question, {method: "POST", body: JSON.stringify({...told, tab: this.tab})});
    } catch {
      throw new Error("The server does not answer: it was ended, or its terminal was closed. Start tinycnn explore again, " +
                      "and open the address that it prints.");
    }
    if (!response.ok) throw new Error(await response.text());
    return unpacked(await response.arrayBuffer());
  }
}

class Saved {
  constructor(saved) {
    this.saved = saved;
    this.label = 0;
    this.mutant = "";
    this.before = [];
    this.next = 0;
    this.w = {};
    for (const name of Object.keys(saved.parameters)) this.w[name] = saved.arrays[`w.${name}`];
  }

  async ask(question, told = {}) {
    if (question === "open") return this.saved;
    if (!this.saved.runs) {
      if (question === "look") return this.recorded(told);
      throw new Error("This page was saved without a server, and shows what was recorded: of this network's operations, " +
                      `${this.saved.unknown.join(", ")} need it. Open the network with tinycnn explore to do more.`);
    }
    return this[question](told);
  }

  // ---- looking ----
  recorded({recorded, label}) {
    const found = this.saved.records[recorded];
    if (!found || (label !== undefined && label !== found.label))
      throw new Error("This page was saved without a server, and shows the pictures and labels that were recorded: " +
                      "open the network with tinycnn explore to draw and to choose.");
    const arrays = {}, start = `r${recorded}/`;
    for (const [name, array] of Object.entries(this.saved.arrays))
      if (name.startsWith(start)) arrays[name.slice(start.length)] = array;
      else if (name.startsWith("w.")) arrays[name] = array;
    return {...found, words: this.saved.words, mutants: [], undo: 0, arrays};
  }

  look({pixels, label}) {
    this.x = this.normalised(pixels);
    const scores = this.forward(this.x, 0).scores.data;
    this.label = label ?? scores.indexOf(Math.max(...scores));
    return this.record();
  }

  normalised(pixels) {
    const {channels, size, scale, mean, std} = this.saved, plane = size[0] * size[1];
    const data = Float64Array.from(pixels, (v, i) => {
      const c = Math.floor(i / plane);
      return (Math.min(Math.max(v, 0), scale) / scale - mean[c]) / std[c];
    });
    return {data, shape: [1, channels, ...size]};
  }

  // Everything that the server's Record has, by the same names.
  record(losses = [], facts = {}) {
    const {operations, parameters, words, mutants} = this.saved, pass = this.forward(this.x, this.label);
    const {gradients, dw, dx} = this.backward(pass, 1), arrays = {x: squeezed(this.x), dx: squeezed(dx)};
    operations.forEach((operation, i) => {
      arrays[`${i}.y.0`] = pass.outputs[i];
      if (gradients[i]) arrays[`${i}.dy.0`] = gradients[i];
      for (const [name, array] of Object.entries(pass.kept[i])) arrays[`${i}.${name}`] = array;
    });
    for (const name of Object.keys(parameters)) {
      arrays[`w.${name}`] = {data: this.w[name].data.slice(), shape: this.w[name].shape};
      if (dw[name]) arrays[`dw.${name}`] = dw[name];
    }
    arrays.scores = {data: pass.scores.data, shape: [pass.scores.data.length]};
    arrays.probabilities = {data: softmax(pass.scores.data), shape: arrays.scores.shape};
    arrays.loss = {data: [pass.loss], shape: []};
    arrays.losses = {data: losses, shape: [losses.length]};
    return {operations, parameters, label: this.label, left_out: {}, words, mutants, undo: this.before.length, arrays,
      ...facts};
  }

  difference({name, index}) {
    const data = name == null ? this.x.data : this.w[name].data, h = 1e-5, value = data[index], losses = [];
    for (const v of [value + h, value - h]) {
      data[index] = v;
      losses.push(this.forward(this.x, this.label).loss);
    }
    data[index] = value;
    return {arrays: {difference: {data: [(losses[0] - losses[1]) / (2 * h)], shape: []}}};
  }

  // ---- learning ----
  step({lr, batch}) {
    const pictures = batch ? this.batch() : [[this.x, this.label]];
    this.keep();
    const before = this.descend(pictures, lr);
    return this.record([before, this.lossOf(pictures)]);
  }

  async train({lr, batches}) {
    this.keep();
    return this.record(await this.learn(lr, batches));
  }

  // The losses of some batches, or of what is done of them in ten seconds, after each of which the browser may draw.
  async learn(lr, batches) {
    const losses = [];
    for (const end = Date.now() + 10000; losses.length < batches && (!losses.length || Date.now() < end);) {
      losses.push(this.descend(this.batch(), lr));
      await new Promise((done) => setTimeout(done));
    }
    return losses;
  }

  undo() {
    this.restore(this.before.pop());
    return this.record();
  }

  async race({lr, batches}) {
    const mutant = this.mutant, start = this.state(), arrays = {};
    for (const [name, way] of [["right", ""], ["broken", mutant]]) {
      this.mutant = way;
      arrays[name] = {data: await this.learn(lr, batches)};
      this.restore(start);
    }
    this.mutant = mutant;
    const both = Math.min(arrays.right.data.length, arrays.broken.data.length);
    for (const array of Object.values(arrays)) array.data = array.data.slice(0, both);
    return {arrays};
  }

  switch({function: operation, name}) {
    this.mutant = name == null ? "" : `${operation}: ${name}`;
    return this.record([], {verdict: this.saved.verdicts[this.mutant] || ""});
  }

  batch(size = 32) {
    const {learnt, "learnt labels": labels} = this.saved.arrays;
    if (!learnt) throw new Error("There are no pictures to learn from in this page.");
    const [number, ...shape] = learnt.shape, each = count(shape);
    return Array.from({length: size}, () => {
      const n = this.next++ % number;
      return [this.normalised(learnt.data.subarray(n * each, (n + 1) * each)), labels.data[n]];
    });
  }

  lossOf(pictures) {
    return pictures.reduce((sum, [x, label]) => sum + this.forward(x, label).loss, 0) / pictures.length;
  }

  // One step w - lr dw on the mean loss of the pictures; that loss before it.
  descend(pictures, lr) {
    const total = {};
    let loss = 0;
    for (const [x, label] of pictures) {
      const pass = this.forward(x, label), {dw} = this.backward(pass, pictures.length);
      loss += pass.loss / pictures.length;
      for (const [name, {data}] of Object.entries(dw)) {
        total[name] = total[name] || new Float64Array(data.length);
        data.forEach((v, i) => { total[name][i] += v; });
      }
    }
    for (const [name, sum] of Object.entries(total)) sum.forEach((v, i) => { this.w[name].data[i] -= lr * v; });
    return loss;
  }

  state() {
    return {next: this.next, w: Object.fromEntries(Object.entries(this.w).map(([name, {data}]) => [name, data.slice()]))};
  }

  keep() {
    this.before.push(this.state());
    this.before = this.before.slice(-10);
  }

  restore(state) {
    if (!state) return;
    this.next = state.next;
    for (const [name, data] of Object.entries(state.w)) this.w[name].data.set(data);
  }

  // ---- the tape ----
  inputs(outputs, kept, x, sources) {
    return sources.map((s) => s && (s.picture ? x : s.parameter ? this.w[s.parameter]
                                    : s.array ? kept[s.array] : outputs[s.operation]));
  }

  forward(x, label) {
    const outputs = [], kept = [], {operations, arrays} = this.saved;
    operations.forEach(({name, options, shapes, inputs}, i) => {
      const own = {};
      for (const key of this.saved.kept[i]) own[key] = arrays[`${i}.${key}`];
      if (name === "CrossEntropy") {
        const target = zeros(outputs[inputs[0].operation].shape);
        target.data[label] = 1;
        own[inputs[1].array] = target;
      }
      const made = ENGINE[name].forward(this.inputs(outputs, own, x, inputs), options, shapes[0], own);
      outputs.push(made.y);
      kept.push({...own, ...made.kept});
    });
    const scores = operations.find(({name}) => name === "CrossEntropy").inputs[0].operation;
    return {x, outputs, kept, scores: outputs[scores], loss: outputs.at(-1).data[0]};
  }

  // The gradients of all outputs, parameters and the picture: the newest operation first, each when all its gradient is
  // there.
  backward({x, outputs, kept}, pictures) {
    const {operations} = this.saved, gradients = [], dw = {};
    let dx = zeros(x.shape);
    gradients[operations.length - 1] = {data: Float64Array.of(1 / pictures), shape: []};
    for (let i = operations.length - 1; i >= 0; i--) {
      if (!gradients[i]) continue;
      const {name, options, inputs} = operations[i], values = this.inputs(outputs, kept[i], x, inputs);
      let found = ENGINE[name].backward(gradients[i], values, options, outputs[i], kept[i]);
      if (this.mutant.startsWith(`${name}: `))
        found = MUTANTS[this.mutant](found, gradients[i], values, outputs[i], options, pictures);
      inputs.forEach((source, k) => {
        if (!source || !found[k]) return;
        if (source.picture) dx = sum(dx, found[k]);
        else if (source.parameter && !this.saved.frozen.includes(source.parameter))
          dw[source.parameter] = sum(dw[source.parameter], found[k]);
        else if (source.operation !== undefined) gradients[source.operation] = sum(gradients[source.operation], found[k]);
      });
    }
    return {gradients, dw, dx};
  }
}

function sum(a, b) {
  return a ? like(a, (v, i) => v + b.data[i]) : b;
}

// Without the dimension of the batch, as the server sends pictures.
function squeezed({data, shape}) {
  return {data, shape: shape.slice(1)};
}
