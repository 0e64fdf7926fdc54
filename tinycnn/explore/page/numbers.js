// Numbers as they travel and as they are written.

// An answer of the server, or what was saved: JSON with `arrays`, each {data, shape}. See wire.py.
function unpacked(buffer) {
  const length = new DataView(buffer).getUint32(0, true), start = 4 + length;
  const answer = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const types = {f8: Float64Array, f4: Float32Array, u1: Uint8Array};
  for (const [name, {at, shape, type}] of Object.entries(answer.arrays)) {
    const data = new types[type](buffer, start + at, count(shape));
    answer.arrays[name] = {data: type === "f4" ? Float64Array.from(data) : data, shape};
  }
  return answer;
}

function count(shape) {
  return shape.reduce((product, n) => product * n, 1);
}

// [index in each dimension] of element `index` of an array of this shape.
function placeOf(index, shape) {
  const place = [];
  for (let d = shape.length - 1; d >= 0; d--) {
    place.unshift(index % shape[d]);
    index = Math.floor(index / shape[d]);
  }
  return place;
}

// A number with six digits, as every view writes it.
function shown(v) {
  if (!Number.isFinite(v)) return Number.isNaN(v) ? "NaN" : v > 0 ? "∞" : "−∞";
  if (v === 0) return "0";
  const size = Math.abs(v);
  const text = size >= 1e-4 && size < 1e6 ? v.toPrecision(6) : v.toExponential(5);
  return text.replaceAll("-", "−");
}

// A number with two or three digits, for small cells.
function brief(v) {
  if (!Number.isFinite(v)) return shown(v);
  if (v === 0) return "0";
  const size = Math.abs(v);
  const text = size >= 100 || size < 0.005 ? v.toExponential(0) : v.toFixed(size >= 10 ? 1 : 2);
  return text.replace("e+", "e").replaceAll("-", "−");
}

function whole(n) {
  return n.toLocaleString("en");
}

// Where an element is, in words: "map 3, row 4, column 5", "number 7", "token 2, number 9".
function placeInWords(index, shape) {
  const place = placeOf(index, shape);
  const here = shape.length > 1 && shape[0] === 1 ? place.slice(1) : place;
  if (here.length === 3) return `map ${here[0]}, row ${here[1]}, column ${here[2]}`;
  if (here.length === 2) return `row ${here[0]}, column ${here[1]}`;
  return here.length === 1 ? `number ${here[0]}` : here.length ? `[${here.join(", ")}]` : "the number";
}
