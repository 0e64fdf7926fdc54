// The operations of small networks, forward and backward, for the page that was saved and has no server to ask.
// Each has the formula of the file of the same name in tinycnn/ops/. Arrays are {data, shape}; a batch is one picture.

const zeros = (shape) => ({data: new Float64Array(count(shape)), shape});
const like = (x, f) => ({data: Float64Array.from(x.data, f), shape: x.shape});

// What y[o] sees of a map of `size` at offset k of its kernel: o * stride + k * dilation - padding, -1 where that is
// outside.
function seen(o, k, size, stride, padding, dilation) {
  const i = o * stride + k * dilation - padding;
  return i >= 0 && i < size ? i : -1;
}

// Calls f(k, o, i, n, step) for every row of products of a convolution in two dimensions: weight k meets, n times, the
// numbers o, o + 1, ... of y and the numbers i, i + step, ... of x.
function eachRow(options, x, w, y, f) {
  const [, C, H, W] = x.shape, [F, inside, KH, KW] = w.shape, [, , OH, OW] = y.shape;
  const {stride: [sh, sw], padding: [[ph], [pw]], dilation: [dh, dw], groups} = options, filters = F / groups;
  for (let n = 0; n < F; n++) for (let c = 0; c < inside; c++) {
    const channel = Math.floor(n / filters) * (C / groups) + c;
    for (let kh = 0; kh < KH; kh++) for (let kw = 0; kw < KW; kw++) {
      const left = kw * dw - pw, first = Math.max(0, Math.ceil(-left / sw));  // where the kernel's column enters the map
      const number = Math.min(OW, Math.floor((W - 1 - left) / sw) + 1) - first;
      for (let oh = 0; oh < OH; oh++) {
        const h = seen(oh, kh, H, sh, ph, dh);
        if (h >= 0 && number > 0)
          f(((n * inside + c) * KH + kh) * KW + kw, (n * OH + oh) * OW + first, (channel * H + h) * W + left + first * sw,
            number, sw);
      }
    }
  }
}

// Calls f(index of y, index of x) for every element of every window of a pooling.
function eachWindow(shape, options, y, f) {
  const [, C, H, W] = shape, [, , OH, OW] = y.shape, [KH, KW] = options.kernel;
  const [sh, sw] = options.stride, [dh, dw] = options.dilation || [1, 1];
  const [ph, pw] = (options.room || options.padding).map((p) => p[0] ?? p);
  for (let c = 0; c < C; c++) for (let oh = 0; oh < OH; oh++) for (let ow = 0; ow < OW; ow++)
    for (let kh = 0; kh < KH; kh++) for (let kw = 0; kw < KW; kw++) {
      const h = seen(oh, kh, H, sh, ph, dh), v = seen(ow, kw, W, sw, pw, dw);
      if (h >= 0 && v >= 0) f((c * OH + oh) * OW + ow, (c * H + h) * W + v);
    }
}

// The same for adaptive pooling: window o of n begins at floor(o size / n) and ends before ceil((o + 1) size / n).
function eachAdaptive(shape, y, f) {
  const [, C, H, W] = shape, [, , OH, OW] = y.shape;
  for (let c = 0; c < C; c++) for (let oh = 0; oh < OH; oh++) for (let ow = 0; ow < OW; ow++)
    for (let h = Math.floor(oh * H / OH); h < Math.ceil((oh + 1) * H / OH); h++)
      for (let w = Math.floor(ow * W / OW); w < Math.ceil((ow + 1) * W / OW); w++)
        f((c * OH + oh) * OW + ow, (c * H + h) * W + w);
}

function maximum(x, y, each) {
  const [, , H, W] = x.shape, indices = zeros(y.shape);
  y.data.fill(-Infinity);
  each((o, i) => {
    if (x.data[i] > y.data[o] || Number.isNaN(x.data[i])) {
      y.data[o] = x.data[i];
      indices.data[o] = i % (H * W);
    }
  });
  return {y, kept: {indices}};
}

function sendHome(dy, indices, shape) {
  const dx = zeros(shape), plane = shape[2] * shape[3], out = dy.shape[2] * dy.shape[3];
  dy.data.forEach((v, o) => { dx.data[Math.floor(o / out) * plane + indices.data[o]] += v; });
  return dx;
}

const adaptiveSizes = (x, shape) => {
  const m = zeros(shape);
  eachAdaptive(x.shape, m, (o) => { m.data[o] += 1; });
  return m;
};
const scalar = (b) => b.data.length === 1;
const channelOf = (x) => { const inner = count(x.shape.slice(2)); return (i) => Math.floor(i / inner) % x.shape[1]; };

// forward(inputs, options, shape of y, kept) -> {y, kept}; backward(dy, inputs, options, y, kept) -> gradients of the
// inputs.
const ENGINE = {
  Conv: {
    forward([x, w, b], options, shape) {
      const y = zeros(shape), place = shape[2] * shape[3];
      if (b) y.data.forEach((_, o) => { y.data[o] = b.data[Math.floor(o / place)]; });
      eachRow(options, x, w, y, (k, o, i, n, step) => {
        const v = w.data[k];
        for (let j = 0; j < n; j++) y.data[o + j] += v * x.data[i + j * step];
      });
      return {y};
    },
    backward(dy, [x, w, b], options) {
      const dx = zeros(x.shape), dw = zeros(w.shape), db = b && zeros(b.shape), place = dy.shape[2] * dy.shape[3];
      eachRow(options, x, w, dy, (k, o, i, n, step) => {
        const v = w.data[k];
        let sum = 0;
        for (let j = 0; j < n; j++) {
          dx.data[i + j * step] += v * dy.data[o + j];
          sum += dy.data[o + j] * x.data[i + j * step];
        }
        dw.data[k] += sum;
      });
      if (b) dy.data.forEach((v, o) => { db.data[Math.floor(o / place)] += v; });
      return [dx, dw, db];
    },
  },
  Linear: {
    forward([x, w, b], options, shape) {
      const y = zeros(shape), [O, I] = w.shape;
      y.data.forEach((_, at) => {
        const n = Math.floor(at / O), o = at % O;
        let sum = b ? b.data[o] : 0;
        for (let i = 0; i < I; i++) sum += w.data[o * I + i] * x.data[n * I + i];
        y.data[at] = sum;
      });
      return {y};
    },
    backward(dy, [x, w, b]) {
      const dx = zeros(x.shape), dw = zeros(w.shape), db = b && zeros(b.shape), [O, I] = w.shape;
      dy.data.forEach((v, at) => {
        const n = Math.floor(at / O), o = at % O;
        for (let i = 0; i < I; i++) {
          dx.data[n * I + i] += w.data[o * I + i] * v;
          dw.data[o * I + i] += v * x.data[n * I + i];
        }
        if (b) db.data[o] += v;
      });
      return [dx, dw, db];
    },
  },
  ReLU: {
    forward: ([x]) => ({y: like(x, (v) => Math.max(v, 0))}),
    backward: (dy, inputs, options, y) => [like(dy, (v, i) => (y.data[i] > 0 ? v : 0))],
  },
  MaxPool: {
    forward: ([x], options, shape) => {
      const y = zeros(shape), dilation = options.dilation;
      return maximum(x, y, (f) => eachWindow(x.shape, {...options, dilation: [dilation].flat()}, y, f));
    },
    backward: (dy, [x], options, y, kept) => [sendHome(dy, kept.indices, x.shape)],
  },
  AdaptiveMaxPool: {
    forward: ([x], options, shape) => { const y = zeros(shape); return maximum(x, y, (f) => eachAdaptive(x.shape, y, f)); },
    backward: (dy, [x], options, y, kept) => [sendHome(dy, kept.indices, x.shape)],
  },
  AvgPool: {
    forward([x], options, shape, kept) {
      const y = zeros(shape), m = kept.m.data, out = shape[2] * shape[3];
      eachWindow(x.shape, options, y, (o, i) => { y.data[o] += x.data[i] / m[o % out % m.length]; });
      return {y};
    },
    backward(dy, [x], options, y, kept) {
      const dx = zeros(x.shape), m = kept.m.data, out = dy.shape[2] * dy.shape[3];
      eachWindow(x.shape, options, dy, (o, i) => { dx.data[i] += dy.data[o] / m[o % out % m.length]; });
      return [dx];
    },
  },
  AdaptiveAvgPool: {
    forward([x], options, shape) {
      const y = zeros(shape), m = adaptiveSizes(x, shape);
      eachAdaptive(x.shape, y, (o, i) => { y.data[o] += x.data[i] / m.data[o]; });
      return {y};
    },
    backward(dy, [x]) {
      const dx = zeros(x.shape), m = adaptiveSizes(x, dy.shape);
      eachAdaptive(x.shape, dy, (o, i) => { dx.data[i] += dy.data[o] / m.data[o]; });
      return [dx];
    },
  },
  Normalize: {  // in evaluation: mean and r are constants, one of each a channel
    forward([x, w, b], options, shape, {mean, r}) {
      const c = channelOf(x);
      return {y: like(x, (v, i) => (v - mean.data[c(i)]) * r.data[c(i)] * (w ? w.data[c(i)] : 1) + (b ? b.data[c(i)] : 0))};
    },
    backward(dy, [x, w, b], options, y, {mean, r}) {
      const c = channelOf(x), dw = w && zeros(w.shape), db = b && zeros(b.shape);
      dy.data.forEach((v, i) => {
        if (w) dw.data[c(i)] += v * (x.data[i] - mean.data[c(i)]) * r.data[c(i)];
        if (b) db.data[c(i)] += v;
      });
      return [like(dy, (v, i) => v * r.data[c(i)] * (w ? w.data[c(i)] : 1)), dw, db];
    },
  },
  Add: {forward: ([a, b]) => ({y: like(a, (v, i) => v + b.data[i])}), backward: (dy) => [dy, dy]},
  Div: {forward: ([a, b]) => ({y: like(a, (v) => v / b.data[0])}),
    backward: (dy, [, b]) => [like(dy, (v) => v / b.data[0])]},
  Mul: {forward: ([a, b]) => ({y: like(a, (v) => v * b.data[0])}),
    backward: (dy, [, b]) => [like(dy, (v) => v * b.data[0])]},
  Reshape: {
    forward: ([x], options, shape) => ({y: {data: x.data, shape}}),
    backward: (dy, [x]) => [{data: dy.data, shape: x.shape}],
  },
  CrossEntropy: {
    forward([z, t]) {
      const top = Math.max(...z.data), sum = z.data.reduce((s, v) => s + Math.exp(v - top), 0);
      return {y: {data: Float64Array.of(t.data.reduce((s, v, i) => s - v * (z.data[i] - top - Math.log(sum)), 0)),
        shape: [1]}};
    },
    backward(dy, [z, t]) {
      const p = softmax(z.data);
      return [like(z, (_, i) => dy.data[0] * (p[i] - t.data[i]))];
    },
  },
  Sum: {
    forward: ([x]) => ({y: {data: Float64Array.of(x.data.reduce((s, v) => s + v, 0)), shape: []}}),
    backward: (dy, [x]) => [like(x, () => dy.data[0])],
  },
};

// The registry's mutants that are known here too: what becomes of the gradients; `pictures` is the size of the batch.
const MUTANTS = {
  "ReLU: slope forgotten": (dx, dy) => [dy],
  "ReLU: output instead of slope": (dx, dy, inputs, y) => [like(dy, (v, i) => v * y.data[i])],
  "Conv: kernel flipped in dx": ([, dw, db], dy, [x, w, b], y, options) => {
    const plane = w.shape[2] * w.shape[3];
    const turned = like(w, (_, i) => w.data[i - i % plane + plane - 1 - i % plane]);
    return [ENGINE.Conv.backward(dy, [x, turned, b], options)[0], dw, db];
  },
  "Conv: db averaged over the batch": ([dx, dw, db], dy, inputs, y, options, pictures) =>
    [dx, dw, db && like(db, (v) => v / pictures)],
  "MaxPool: gradient one element beside the maximum": ([dx]) => {
    const W = dx.shape[3];
    return [like(dx, (_, i) => dx.data[i % W ? i - 1 : i + W - 1])];
  },
  "Linear: mean instead of sum over the batch in db": ([dx, dw, db], dy, inputs, y, options, pictures) =>
    [dx, dw, db && like(db, (v) => v / pictures)],
  "CrossEntropy: the sign: y - p": ([dz]) => [like(dz, (v) => -v)],
};

function softmax(z) {
  const top = Math.max(...z), e = Array.from(z, (v) => Math.exp(v - top)), sum = e.reduce((s, v) => s + v, 0);
  return e.map((v) => v / sum);
}
