// Where a gradient comes from: the terms of its sum, one for each way in which the number was used.

// The array of input k of operation i of a record; undefined where the page does not have it.
function inputOf(record, i, k) {
  const source = record.operations[i].inputs[k];
  if (!source) return undefined;
  const name = source.picture ? "x" : source.parameter ? `w.${source.parameter}` : source.array ? `${i}.${source.array}`
    : `${source.operation}.y.${source.output}`;
  const found = record.arrays[name];
  return source.picture && found ? {data: found.data, shape: [1, ...found.shape]} : found;
}

const arrayOf = (record, i, name) => record.arrays[`${i}.${name}`];

// The operations that use an array: [operation, which of its inputs it is]. `source` is as in `operation.inputs`.
function usersOf(record, source) {
  const uses = [];
  record.operations.forEach(({inputs}, i) => inputs.forEach((s, k) => {
    if (s && Object.keys(source).every((key) => s[key] === source[key])) uses.push([i, k]);
  }));
  return uses;
}

// What `operation i` hands down to element `index` of its input k: [{at, factor, dy, share, by}], `at` an index of its
// output, `by` words for the factor. undefined where this page does not take the operation apart.
function handedDown(record, i, k, index) {
  const {name, options} = record.operations[i], dy = arrayOf(record, i, "dy.0");
  const rule = HANDS_DOWN[name];
  if (!rule || !dy || record.operations[i].shapes.length > 1) return undefined;
  const inputs = record.operations[i].inputs.map((_, n) => inputOf(record, i, n));
  if (record.operations[i].inputs.some((source, n) => source && !inputs[n])) return undefined;
  const kept = {};
  for (const key of ["indices", "mean", "r", "m", "p"]) kept[key] = arrayOf(record, i, key);
  const terms = rule(k, index, inputs, options, dy, kept, arrayOf(record, i, "y.0"));
  return terms && terms.map((term) => ({...term, dy: dy.data[term.at], share: term.factor * dy.data[term.at]}));
}

// The window that a number of a convolution or a pooling sees: where in the output of which operation (-1 is the picture).
function windowBelow(record, {operation: i, index, parameter}) {
  const {name, options, inputs, shapes} = record.operations[i] || {}, x = i >= 0 && !parameter && inputOf(record, i, 0);
  if (!x || !["Conv", "MaxPool", "AvgPool"].includes(name) || shapes[0].length !== 4
    || index >= count(shapes[0])) return null;
  const [, f, oh, ow] = placeOf(index, shapes[0]), source = inputs[0], w = name === "Conv" && inputOf(record, i, 1);
  if (name === "Conv" && !w) return null;
  const kernel = w ? w.shape.slice(2) : options.kernel, padding = (options.room || options.padding).map((p) => p[0] ?? p);
  const dilation = options.dilation || [1, 1], inside = w ? w.shape[1] : 1, [, C, H, W] = x.shape;
  const first = w ? Math.floor(f / (shapes[0][1] / options.groups)) * inside : f;
  const edges = [oh, ow].map((o, d) => {
    const start = o * options.stride[d] - padding[d], size = d ? W : H;
    return [Math.max(start, 0), Math.min(start + (kernel[d] - 1) * dilation[d] + 1, size)];
  });
  return {operation: source.picture ? -1 : source.operation, maps: [first, Math.min(first + inside, C)],
          top: edges[0][0], bottom: edges[0][1], left: edges[1][0], right: edges[1][1]};
}

const one = (at, factor, by) => [{at, factor, by}];

// rule(k, index, inputs, options, dy, kept, y) -> [{at, factor, by}]
const HANDS_DOWN = {
  Conv(k, index, [x, w], options, dy) {
    const terms = [], plane = dy.shape[2] * dy.shape[3];
    if (w.shape.length !== 4) return undefined;
    if (k === 2) {
      for (let o = 0; o < plane; o++) terms.push({at: index * plane + o, factor: 1, by: "1"});
      return terms;
    }
    const [, C, H, W] = x.shape, [F, inside, KH, KW] = w.shape, [, , OH, OW] = dy.shape;
    const {stride: [sh, sw], padding: [[ph], [pw]], dilation: [dh, dw], groups} = options;
    if (k === 1) {
      const [f, c, kh, kw] = placeOf(index, w.shape), channel = Math.floor(f / (F / groups)) * inside + c;
      for (let oh = 0; oh < OH; oh++) for (let ow = 0; ow < OW; ow++) {
        const h = seen(oh, kh, H, sh, ph, dh), v = seen(ow, kw, W, sw, pw, dw);
        const factor = h < 0 || v < 0 ? 0 : x.data[(channel * H + h) * W + v];
        terms.push({at: (f * OH + oh) * OW + ow, factor, by: h < 0 || v < 0 ? "padding" : `x[${channel}, ${h}, ${v}]`});
      }
      return terms;
    }
    const [, c, h, v] = placeOf(index, x.shape), group = Math.floor(c / (C / groups)), filters = F / groups;
    for (let f = group * filters; f < (group + 1) * filters; f++)
      for (let kh = 0; kh < KH; kh++) for (let kw = 0; kw < KW; kw++) {
        const oh = (h + ph - kh * dh) / sh, ow = (v + pw - kw * dw) / sw;
        if (Number.isInteger(oh) && Number.isInteger(ow) && oh >= 0 && ow >= 0 && oh < OH && ow < OW)
          terms.push({at: (f * OH + oh) * OW + ow, factor: w.data[((f * inside + c % inside) * KH + kh) * KW + kw],
                      by: `w[${f}, ${c % inside}, ${kh}, ${kw}]`});
      }
    return terms;
  },
  Linear(k, index, [x, w], options, dy) {
    const [O, I] = w.shape, rows = x.data.length / I, terms = [];
    if (k === 0) {
      const n = Math.floor(index / I), i = index % I;
      for (let o = 0; o < O; o++) terms.push({at: n * O + o, factor: w.data[o * I + i], by: `w[${o}, ${i}]`});
      return terms;
    }
    const o = k === 1 ? Math.floor(index / I) : index, i = index % I;
    for (let n = 0; n < rows; n++)
      terms.push({at: n * O + o, factor: k === 1 ? x.data[n * I + i] : 1, by: k === 1 ? `x[${n}, ${i}]` : "1"});
    return terms;
  },
  ReLU: (k, index, [x]) => one(index, x.data[index] > 0 ? 1 : 0, x.data[index] > 0 ? "1, as x > 0" : "0, as x ≤ 0"),
  MaxPool: (k, index, [x], options, dy, {indices}) => wins(x, index, dy, indices),
  AdaptiveMaxPool: (k, index, [x], options, dy, {indices}) => wins(x, index, dy, indices),
  AvgPool(k, index, [x], options, dy, {m}) {
    const terms = [], out = dy.shape[2] * dy.shape[3];
    if (x.shape.length !== 4) return undefined;
    eachWindow(x.shape, options, dy, (o, i) => {
      const size = m.data[o % out % m.data.length];
      if (i === index) terms.push({at: o, factor: 1 / size, by: `1/${size}`});
    });
    return terms;
  },
  AdaptiveAvgPool(k, index, [x], options, dy) {
    const terms = [], m = adaptiveSizes(x, dy.shape);
    eachAdaptive(x.shape, dy, (o, i) => {
      if (i === index) terms.push({at: o, factor: 1 / m.data[o], by: `1/${m.data[o]}`});
    });
    return terms;
  },
  Normalize(k, index, [x, w], options, dy, {mean, r}) {
    if (options.axes.length) return undefined;  // each x is then in the mean and the deviation of all others
    const c = channelOf(x), terms = [];
    if (k === 0) return one(index, r.data[c(index)] * (w ? w.data[c(index)] : 1), "w r");
    x.data.forEach((v, i) => {
      if (c(i) === index)
        terms.push(k === 1 ? {at: i, factor: (v - mean.data[index]) * r.data[index], by: "(x − mean) r"}
          : {at: i, factor: 1, by: "1"});
    });
    return terms;
  },
  Add: (k, index, [a, b]) => (a.data.length === b.data.length ? one(index, 1, "1") : undefined),
  Div: (k, index, [, b]) => (k === 0 && scalar(b) ? one(index, 1 / b.data[0], "1 / divisor") : undefined),
  Mul: (k, index, [, b]) => (k === 0 && scalar(b) ? one(index, b.data[0], "factor") : undefined),
  Reshape: (k, index) => one(index, 1, "1, moved"),
  Sum: (k, index, inputs, options, dy) => (dy.data.length === 1 ? one(0, 1, "1") : undefined),
  CrossEntropy(k, index, [z, t], options, dy) {
    if (k || dy.data.length !== 1) return undefined;
    return one(0, softmax(z.data)[index] - t.data[index], "p − label");
  },
};

function wins(x, index, dy, indices) {
  const [, , H, W] = x.shape, out = dy.shape[2] * dy.shape[3], terms = [];
  const channel = Math.floor(index / (H * W));
  for (let o = channel * out; o < (channel + 1) * out; o++)
    if (indices.data[o] === index % (H * W)) terms.push({at: o, factor: 1, by: "1, as it won"});
  return terms;
}
