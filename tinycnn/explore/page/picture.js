// The picture: drawn, dropped, or one of the test set; and the class that the network is told to see.

const PAD = 224;

class Picture {
  // `look(pixels, label, recorded)` is called with every new picture, pixels from 0 to the scale of the format.
  constructor(place, facts, look) {
    this.facts = facts;
    this.look = look;
    this.pad = el("canvas", {id: "pad", width: PAD, height: PAD, role: "img",
      "aria-label": "Draw here, or drop a picture file"});
    this.file = el("input", {type: "file", accept: "image/*", hidden: true, onchange: () => this.open(this.file.files[0])});
    this.classes = el("div", {class: "classes"});
    const shown = facts.arrays.shown, many = shown ? shown.shape[0] : 0;
    this.which = el("select", {"aria-label": "A picture of the test set",
      onchange: () => this.show(Number(this.which.value))},
                    Array.from({length: many}, (_, n) =>
                      el("option", {value: n}, `test picture ${n}: ${names[facts.arrays["shown labels"].data[n]]}`)));
    place.append(this.pad, el("div", {class: "row"}, many ? this.which : null,
      el("button", {type: "button", id: "clear", onclick: () => this.clear()}, "Clear"),
      el("button", {type: "button", onclick: () => this.file.click()}, "Open a file"), this.file),
      el("p", {class: "faint"}, facts.missing || "Draw with the mouse or a finger, drop a picture file, or choose."),
      el("h3", {}, "Probabilities, and the label"),
      el("p", {class: "faint"}, "Press a class to say what it should be: the loss and all gradients are for that label."),
      this.classes, el("p", {id: "loss"}));
    this.listen();
  }

  listen() {
    const {pad} = this;
    let last = null;
    pad.addEventListener("pointerdown", (event) => {
      pad.setPointerCapture(event.pointerId);
      if (!this.drawn && this.facts.box !== null) this.paper();
      this.drawn = true;
      last = this.stroke(null, event);
    });
    pad.addEventListener("pointermove", (event) => { if (last) last = this.stroke(last, event); });
    pad.addEventListener("pointerup", () => { if (last) this.read(); last = null; });
    pad.addEventListener("pointercancel", () => { last = null; });
    for (const kind of ["dragover", "dragleave", "drop"]) pad.addEventListener(kind, (event) => {
      event.preventDefault();
      pad.classList.toggle("over", kind === "dragover");
      if (kind === "drop") this.open(event.dataTransfer.files[0]);
    });
  }

  paper() {
    const context = this.pad.getContext("2d");
    context.fillStyle = "#fff";
    context.fillRect(0, 0, PAD, PAD);
  }

  stroke(from, event) {
    const context = this.pad.getContext("2d"), at = [event.offsetX, event.offsetY];
    context.lineWidth = 20;
    context.lineCap = "round";
    context.strokeStyle = "#000";
    context.beginPath();
    context.moveTo(...(from || at));
    context.lineTo(at[0] + (from ? 0 : 0.01), at[1]);
    context.stroke();
    return at;
  }

  clear() {
    this.paper();
    this.drawn = true;
    const {channels, size, scale, box} = this.facts;
    this.send(new Float64Array(channels * count(size)).fill(box === null ? scale : 0));
  }

  async open(file) {
    if (!file) return;
    try {
      const bitmap = await createImageBitmap(file);
      const shorter = Math.min(bitmap.width, bitmap.height), signs = this.facts.box !== null;
      this.paper();
      const context = this.pad.getContext("2d");
      context.imageSmoothingQuality = "high";
      const side = signs ? Math.max(bitmap.width, bitmap.height) : shorter;  // a photograph is cut, a sign is kept whole
      const scale = PAD / side, width = bitmap.width * scale, height = bitmap.height * scale;
      context.drawImage(bitmap, (PAD - width) / 2, (PAD - height) / 2, width, height);
      this.drawn = true;
      this.read();
    } catch {
      say(`${file.name} is no picture that this browser can read: choose a PNG, JPEG, GIF or WebP file.`);
    }
  }

  // Picture n of the test set.
  show(n) {
    const {shown} = this.facts.arrays, each = count(shown.shape.slice(1));
    this.which.value = n;
    this.drawn = false;
    this.send(shown.data.slice(n * each, (n + 1) * each), n);
    this.paint();
  }

  // What is on the pad, as pixels of the format: signs are cut out, scaled and put into the middle as the data set has them.
  read() {
    const {size: [h, w], channels, scale, box} = this.facts, context = this.pad.getContext("2d");
    if (box !== null) {
      const {data} = context.getImageData(0, 0, PAD, PAD);
      const ink = placed(inkOf(data), PAD, this.facts);
      if (!ink) return say("There is nothing to see in this picture: no pixel differs from its border.");
      const pixels = new Float64Array(channels * h * w);
      for (let i = 0; i < pixels.length; i++) pixels[i] = ink[i % (h * w)] * scale;
      return this.send(pixels);
    }
    const small = document.createElement("canvas");
    [small.width, small.height] = [w, h];
    const into = small.getContext("2d");
    into.imageSmoothingQuality = "high";
    into.drawImage(this.pad, 0, 0, w, h);
    const {data} = into.getImageData(0, 0, w, h), pixels = new Float64Array(channels * h * w);
    for (let i = 0; i < pixels.length; i++) {
      const at = 4 * (i % (h * w)), c = Math.floor(i / (h * w));
      const grey = 0.299 * data[at] + 0.587 * data[at + 1] + 0.114 * data[at + 2];
      pixels[i] = (channels === 3 ? data[at + c] : grey) / 255 * scale;
    }
    this.send(pixels);
  }

  send(pixels, recorded) {
    this.pixels = Array.from(pixels);
    this.recorded = recorded;
    this.look(this.pixels, undefined, recorded);
  }

  // The pixels on the pad: ink is dark for signs.
  paint() {
    const {size: [h, w], channels, scale, box} = this.facts, image = new ImageData(w, h);
    for (let i = 0; i < h * w; i++) for (let c = 0; c < 4; c++) {
      const v = this.pixels[(channels === 3 ? c : 0) * h * w + i] / scale * 255;
      image.data[4 * i + c] = c === 3 ? 255 : box === null ? v : 255 - v;
    }
    const small = document.createElement("canvas");
    [small.width, small.height] = [w, h];
    small.getContext("2d").putImageData(image, 0, 0);
    const context = this.pad.getContext("2d");
    context.imageSmoothingEnabled = false;
    context.drawImage(small, 0, 0, PAD, PAD);
  }

  // Probabilities and the loss of a record.
  answer(record) {
    const p = record.arrays.probabilities.data, best = p.indexOf(Math.max(...p));
    const order = p.length <= 12 ? [...p.keys()] : [...p.keys()].sort((a, b) => p[b] - p[a]).slice(0, 10);
    if (!order.includes(record.label)) order.push(record.label);
    this.classes.replaceChildren(...order.flatMap((k) => {
      const bar = el("div", {class: "bar", "aria-hidden": "true"});
      bar.style.width = `${100 * p[k]}%`;
      const name = this.facts.classes[k] ?? k;
      return [el("button", {type: "button", "aria-pressed": String(k === record.label), title: `the label is ${name}`,
                            "data-class": k, onclick: () => this.look(this.pixels, k, this.recorded)}, name),
              bar, el("output", {"data-name": `p${k}`, class: k === best ? "number" : ""}, `${(100 * p[k]).toFixed(2)} %`)];
    }));
    document.getElementById("loss").replaceChildren("Loss for the label ",
      el("b", {}, String(this.facts.classes[record.label])),
      ": −log p = ", number("loss", record.arrays.loss.data[0]));
  }
}

// How far each pixel of RGBA data is from the colour of the border, 0 to 1.
function inkOf(data) {
  const side = PAD, grey = (i) => 0.299 * data[4 * i] + 0.587 * data[4 * i + 1] + 0.114 * data[4 * i + 2];
  const border = [];
  for (let i = 0; i < side; i++)
    border.push(grey(i), grey(side * (side - 1) + i), grey(i * side), grey(i * side + side - 1));
  border.sort((a, b) => a - b);
  const paper = border[border.length / 2], ink = Float64Array.from({length: side * side},
    (_, i) => Math.abs(grey(i) - paper));
  const most = Math.max(...Array.from({length: side}, (_, r) => Math.max(...ink.subarray(r * side, (r + 1) * side))));
  return most < 12 ? null : ink.map((v) => Math.min(Math.max(v / most - 0.1, 0) / 0.8, 1));
}

// The ink of a square of `side` pixels, scaled to the box of the format and put into a picture of its size.
function placed(ink, side, {size: [h, w], box, centre}) {
  if (!ink) return null;
  let top = side, left = side, bottom = -1, right = -1;
  ink.forEach((v, i) => {
    if (v <= 0.5) return;
    const r = Math.floor(i / side), c = i % side;
    [top, left, bottom, right] = [Math.min(top, r), Math.min(left, c), Math.max(bottom, r), Math.max(right, c)];
  });
  const height = bottom - top + 1, width = right - left + 1, scale = Math.min(box, h, w) / Math.max(height, width);
  const rows = Math.max(1, Math.round(height * scale)), columns = Math.max(1, Math.round(width * scale));
  const small = new Float64Array(rows * columns);
  let mass = 0, down = 0, across = 0;
  for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) {
    let total = 0, number = 0;  // the mean over the part of the ink that this pixel covers
    for (let i = Math.floor(r / rows * height); i < Math.max((r + 1) / rows * height, r / rows * height + 1); i++)
      for (let j = Math.floor(c / columns * width); j < Math.max((c + 1) / columns * width, c / columns * width + 1); j++)
        if (i < height && j < width) { total += ink[(top + i) * side + left + j]; number++; }
    const v = total / number;
    small[r * columns + c] = v;
    [mass, down, across] = [mass + v, down + v * r, across + v * c];
  }
  const middle = centre === "mass" ? [down / mass, across / mass] : [(rows - 1) / 2, (columns - 1) / 2];
  const start = (room, used, at) => Math.min(Math.max(Math.round((room - 1) / 2 - at), 0), room - used);
  const y = start(h, rows, middle[0]), x = start(w, columns, middle[1]), pixels = new Float64Array(h * w);
  const full = Math.max(...small);
  small.forEach((v, i) => { pixels[(y + Math.floor(i / columns)) * w + x + i % columns] = v / full; });
  return pixels;
}
