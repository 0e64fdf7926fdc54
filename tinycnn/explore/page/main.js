// The page as a whole: what is looked at, and who draws what.

let names = [];  // of the classes

function say(text) {
  const message = document.getElementById("message");
  message.textContent = text;
  message.hidden = !text;
}

// What `work` returns; where it fails, its words stand on the page, and all else stays as it was.
async function guarded(work) {
  try {
    const result = await work();
    say("");
    return result;
  } catch (error) {
    say(error.message);
    return null;
  }
}

class Page {
  constructor(source) {
    this.source = source;
    this.chosen = null;
    this.busy = Promise.resolve();
  }

  async open() {
    const facts = await guarded(() => this.source.ask("open"));
    if (!facts) return;
    const find = (id) => document.getElementById(id), ask = (question, told) => this.ask(question, told);
    names = facts.classes;
    find("title").textContent = facts.title;
    document.title = `${facts.title}: tinycnn explore`;
    const source = facts.arrays.shown && facts.source ? ` Pictures: ${facts.source}.` : "";
    find("footer").textContent = (SAVED ? "Saved by tinycnn explore: it computes by itself, in float64, and asks nobody."
      : "Computed by tinycnn, plainly and in float64, in evaluation mode. Other tabs have networks of their own.") + source;
    this.overview = new Overview(find("network"), (chosen) => this.choose(chosen));
    this.unit = new Unit(find("unit"), (chosen) => this.choose(chosen), ask, () => this.learning.rate);
    this.learning = new Learning(find("step"), find("break"), ask, (record) => this.show(record));
    this.picture = new Picture(find("picture"), facts, async (pixels, label, recorded) => {
      const record = await guarded(() => ask("look", {pixels, label, recorded}));
      if (record) this.show(record);
    });
    find("direction").addEventListener("change", () => this.draw());
    this.unit.draw(null, "y", null);
    if (facts.arrays.shown) this.picture.show(0);
    else this.picture.clear();
  }

  // One question after the other: an answer is drawn before the next is asked.
  ask(question, told) {
    const answer = this.busy.then(() => this.source.ask(question, told));
    this.busy = answer.catch(() => null);
    return answer;
  }

  get kind() {
    return document.querySelector("[name=direction]:checked").value;
  }

  show(record) {
    if (!this.record) this.chosen = striking(record);
    this.record = record;
    this.picture.answer(record);
    this.learning.draw(record);
    this.draw();
  }

  choose(chosen) {
    this.chosen = chosen;
    this.draw();
  }

  draw() {
    if (!this.record) return;
    this.overview.draw(this.record, this.kind, this.chosen);
    this.unit.draw(this.record, this.kind, this.chosen);
  }
}

// What the page begins with: the largest number of the first convolution, where there is one.
function striking(record) {
  const i = record.operations.findIndex(({name}) => name === "Conv"), y = record.arrays[`${i}.y.0`];
  return y ? {operation: i, index: y.data.indexOf(mostOf(y.data)) < 0 ? 0 : y.data.indexOf(mostOf(y.data))} : null;
}

function setTheme(name) {
  document.documentElement.dataset.theme = name;
  document.getElementById("theme").textContent = name === "dark" ? "Light" : "Dark";
}

setTheme(matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
const saved = SAVED && unpacked(Uint8Array.from(atob(SAVED), (c) => c.charCodeAt(0)).buffer);
const explorer = new Page(saved ? new Saved(saved) : new Server());
document.getElementById("theme").addEventListener("click", () => {
  setTheme(theme() === "dark" ? "light" : "dark");
  explorer.draw();
  if (explorer.record) explorer.learning.weights();
});
explorer.open();
