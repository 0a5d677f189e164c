// Errors on a logarithmic axis, over the depth of the network or over training steps.

// Each at (x, y), `s` times its usual size.
const MARKS = {
  circle: (x, y, s) => draw("circle", { class: "mark", cx: x, cy: y, r: 4 * s }),
  diamond: (x, y, s) => outline(x, y, s, "solid", "M0 -3.5L3.5 0L0 3.5L-3.5 0Z"),
  cross: (x, y, s) => outline(x, y, s, "", "M-3.5 -3.5L3.5 3.5M3.5 -3.5L-3.5 3.5"),
  square: (x, y, s) => outline(x, y, s, "", "M-3 -3H3V3H-3Z"),
  triangle: (x, y, s) => outline(x, y, s, "solid", "M0 -4L4 3H-4Z"),
};
const EDGE = { left: 58, right: 14, top: 26, bottom: 30 };
const LOWEST = 1e-18;
const ZERO_ROOM = 22;

function outline(x, y, s, kind, path) {
  return draw("path", { class: `mark ${kind}`, transform: `translate(${x} ${y}) scale(${s})`, d: path });
}

// Error to height: powers of ten, with a place of its own for zero below them.
function logAxis(values, height) {
  const known = values.filter((value) => value > 0);
  const low = Math.floor(Math.log10(Math.max(Math.min(...known, 1e-3), LOWEST)));
  const high = Math.ceil(Math.log10(Math.min(Math.max(...known, 1e-2), 1e9)));
  const zero = values.includes(0);
  const floor = height - EDGE.bottom;
  const bottom = floor - (zero ? ZERO_ROOM : 0);
  const scale = (bottom - EDGE.top) / (high - low);
  const place = (value) => value > 0
    ? bottom - (Math.min(Math.max(Math.log10(value), low), high) - low) * scale
    : floor;
  return { low, high, zero, place };
}

// `series` is a list of { name, kind, mark, value(item) }, `alone` if no line joins its marks; `describe(item)` gives the tip's content,
// `say(item)` the same as a text, `chosen(item)` acts on a click.
class Chart {
  constructor(frame, readout, { describe, say, chosen }) {
    Object.assign(this, { frame, readout, describe, say, chosen, items: [], at: null });
    frame.addEventListener("pointermove", (event) => this.point(event));
    frame.addEventListener("pointerleave", () => this.move(null));
    frame.addEventListener("blur", () => this.move(null));
    frame.addEventListener("click", () => this.choose());
    frame.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => this.paint()).observe(frame);
  }

  // `bounds` are lines with { name, kind, value }, `flags` items to point out, { item, name, text }.
  fill(items, { series, bounds = [], flags = [], ends }) {
    Object.assign(this, { items, series, bounds, flags, ends, at: null });
    this.paint();
  }

  paint() {
    const width = this.frame.clientWidth;
    if (!width || !this.items.length) return;
    const height = matchMedia("(max-width: 640px)").matches ? 280 : 340;
    this.size = { width, height };
    const values = this.items.flatMap((item) => this.series.map((one) => one.value(item)));
    this.axis = logAxis([...values, ...this.bounds.map((bound) => bound.value)], height);
    this.cursor = draw("line", { class: "cursor", y1: EDGE.top, y2: height - EDGE.bottom });
    this.svg = draw("svg", { viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" },
      ...this.grid(), ...this.bounds.map((bound) => this.bound(bound)), ...this.flags.map((flag) => this.flag(flag)),
      ...this.series.map((one) => this.marks(one)), this.cursor);
    this.tip = make("div", { class: "tip" });
    this.frame.replaceChildren(this.svg, this.tip);
    this.move(this.at);
  }

  get room() {
    return this.size.width - EDGE.left - EDGE.right - 12;
  }

  x(index) {
    return EDGE.left + 6 + (this.room * (index + 0.5)) / this.items.length;
  }

  across(kind, y) {
    return draw("line", { class: kind, x1: EDGE.left, x2: this.size.width - EDGE.right, y1: y, y2: y });
  }

  grid() {
    const { low, high, zero, place } = this.axis;
    const { width, height } = this.size;
    const every = Math.ceil((high - low) / 10);
    const powers = [];
    for (let power = high; power >= low; power -= every) powers.push([place(10 ** power), `1e${power}`]);
    if (zero) powers.push([place(0), "0"]);
    return [
      ...powers.flatMap(([y, text]) => [
        this.across("grid", y),
        draw("text", { x: EDGE.left - 8, y: y + 4, "text-anchor": "end" }, text),
      ]),
      draw("text", { x: EDGE.left, y: height - 8 }, this.ends[0]),
      draw("text", { x: width - EDGE.right, y: height - 8, "text-anchor": "end" }, this.ends[1]),
    ];
  }

  bound({ name, kind, value }) {
    const y = this.axis.place(value);
    return draw("g", { class: kind }, this.across("bound", y),
      draw("text", { class: "bound-name", x: EDGE.left + 6, y: y - 5 }, `${name} ${figure(value)}`));
  }

  flag({ item, name, text }) {
    const index = this.items.indexOf(item);
    if (index < 0) return null;
    const x = this.x(index);
    const left = x > this.size.width / 2;
    const place = { x: left ? x - 5 : x + 5, y: 16, "text-anchor": left ? "end" : "start" };
    const label = this.size.width < 640 ? name : `${name}: ${text}`;
    return draw("g", {},
      draw("line", { class: "fault", x1: x, x2: x, y1: EDGE.top, y2: this.size.height - EDGE.bottom }),
      name ? draw("text", { class: "fault-name", ...place }, label) : null);
  }

  marks(series) {
    const places = this.items.map((item, index) => [this.x(index), series.value(item)])
      .filter(([, error]) => error !== null)
      .map(([x, error]) => [x, this.axis.place(error)]);
    // Many marks in little room are drawn smaller.
    const size = Math.min(Math.max(this.room / this.items.length / 5, 0.6), 1);
    const points = places.map((place) => place.join(",")).join(" ");
    return draw("g", { class: series.kind },
      series.alone ? null : draw("polyline", { class: "trace", points }),
      ...places.map(([x, y]) => MARKS[series.mark](x, y, size)));
  }

  point(event) {
    const x = event.clientX - this.svg.getBoundingClientRect().left;
    const index = Math.floor(((x - EDGE.left - 6) / this.room) * this.items.length);
    this.move(Math.min(Math.max(index, 0), this.items.length - 1));
  }

  key(event) {
    const last = this.items.length - 1;
    const moves = {
      ArrowLeft: () => Math.max((this.at ?? last + 1) - 1, 0),
      ArrowRight: () => Math.min((this.at ?? -1) + 1, last),
      Home: () => 0,
      End: () => last,
    };
    if (event.key === "Enter") this.choose();
    else if (event.key in moves) this.move(moves[event.key]());
    else return;
    event.preventDefault();
  }

  choose() {
    if (this.at !== null) this.chosen?.(this.items[this.at]);
  }

  move(index) {
    this.at = index;
    const item = index === null ? null : this.items[index];
    this.cursor.classList.toggle("off", !item);
    this.tip.hidden = !item;
    this.readout.textContent = item ? this.say(item) : "";
    if (!item) return;
    const x = this.x(index);
    this.cursor.setAttribute("x1", x);
    this.cursor.setAttribute("x2", x);
    this.tip.replaceChildren(...this.describe(item));
    const right = x > this.size.width / 2;
    this.tip.style.left = right ? "auto" : `${x + 12}px`;
    this.tip.style.right = right ? `${this.size.width - x + 12}px` : "auto";
  }
}

// Those of some series that any item has a value for.
function known(series, items) {
  return series.filter((one) => items.some((item) => one.value(item) !== null));
}

function legendOf(series) {
  return series.map((one) => make("li", { class: one.kind },
    draw("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" }, MARKS[one.mark](8, 8, 1)), one.name));
}

function errorsOf(series, item) {
  return known(series, [item]).map((one) => [one.name, one.value(item)]);
}
