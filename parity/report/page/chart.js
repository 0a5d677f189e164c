// Errors over the depth of the network, on a logarithmic axis.

const SERIES = [
  { key: "error32", name: "float32", kind: "single", mark: circle },
  { key: "error64", name: "float64", kind: "double", mark: diamond },
  { key: "own64", other: "own32", name: "own error", kind: "own", mark: cross },
];
const EDGE = { left: 58, right: 14, top: 26, bottom: 30 };
const LOWEST = 1e-18;

function circle(x, y) {
  return draw("circle", { class: "mark", cx: x, cy: y, r: 3 });
}

function diamond(x, y) {
  return draw("path", { class: "mark", d: `M${x} ${y - 3.5}l3.5 3.5l-3.5 3.5l-3.5 -3.5z` });
}

function cross(x, y) {
  return draw("path", { class: "mark", d: `M${x - 3.5} ${y - 3.5}l7 7m0 -7l-7 7` });
}

function errorOf(layer, series) {
  return layer[series.key] ?? layer[series.other] ?? null;
}

function seriesOf(layers) {
  return SERIES.filter((series) => layers.some((layer) => errorOf(layer, series) !== null));
}

// Error to height: powers of ten, with a place of its own for zero below them.
function logAxis(layers, series, bounds, height) {
  const values = layers.flatMap((layer) => series.map((one) => errorOf(layer, one)));
  const known = [...values, ...bounds].filter((value) => value > 0);
  const low = Math.floor(Math.log10(Math.max(Math.min(...known, 1e-3), LOWEST)));
  const high = Math.ceil(Math.log10(Math.min(Math.max(...known, 1e-2), 1e9)));
  const zero = values.includes(0);
  const bottom = height - EDGE.bottom - (zero ? 22 : 0);
  const scale = (bottom - EDGE.top) / (high - low);
  const place = (value) => {
    if (value <= 0) return height - EDGE.bottom;
    return bottom - (Math.min(Math.max(Math.log10(value), low), high) - low) * scale;
  };
  return { low, high, zero, place };
}

class Chart {
  constructor(frame, readout, chosen) {
    Object.assign(this, { frame, readout, chosen, layers: [], bounds: [], at: null });
    frame.addEventListener("pointermove", (event) => this.point(event));
    frame.addEventListener("pointerleave", () => this.move(null));
    frame.addEventListener("blur", () => this.move(null));
    frame.addEventListener("click", () => this.choose());
    frame.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => this.paint()).observe(frame);
  }

  // `fault` is the layer at fault, `bounds` the tolerance of each series.
  fill(layers, bounds, fault) {
    Object.assign(this, { layers, bounds, fault, at: null });
    this.paint();
  }

  paint() {
    const width = this.frame.clientWidth;
    if (!width || !this.layers.length) return;
    const height = matchMedia("(max-width: 640px)").matches ? 280 : 340;
    this.svg = draw("svg", { viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" });
    this.size = { width, height };
    const series = seriesOf(this.layers);
    const bounds = series.map((one) => this.bounds[one.kind]).filter((bound) => bound);
    this.axis = logAxis(this.layers, series, bounds, height);
    this.svg.append(...this.grid(), ...this.lines(series), ...series.map((one) => this.marks(one)));
    this.cursor = draw("line", { class: "cursor", y1: EDGE.top, y2: height - EDGE.bottom, hidden: "" });
    this.svg.append(this.cursor);
    this.tip = make("div", { class: "tip", hidden: "" });
    this.frame.replaceChildren(this.svg, this.tip);
    this.move(this.at);
  }

  x(index) {
    const room = this.size.width - EDGE.left - EDGE.right - 12;
    return EDGE.left + 6 + (room * (index + 0.5)) / this.layers.length;
  }

  grid() {
    const { low, high, zero, place } = this.axis;
    const { width, height } = this.size;
    const every = Math.ceil((high - low) / 10);
    const parts = [];
    const line = (y, text) => parts.push(
      draw("line", { class: "grid", x1: EDGE.left, x2: width - EDGE.right, y1: y, y2: y }),
      draw("text", { x: EDGE.left - 8, y: y + 4, "text-anchor": "end" }, text),
    );
    for (let power = high; power >= low; power -= every) line(place(10 ** power), `1e${power}`);
    if (zero) line(place(0), "0");
    const names = ["first call", `call ${this.layers.length}`];
    parts.push(
      draw("text", { x: EDGE.left, y: height - 8 }, names[0]),
      draw("text", { x: width - EDGE.right, y: height - 8, "text-anchor": "end" }, names[1]),
    );
    return parts;
  }

  lines(series) {
    const { width, height } = this.size;
    const parts = series.filter((one) => this.bounds[one.kind]).map((one) => {
      const y = this.axis.place(this.bounds[one.kind]);
      return draw("g", { class: one.kind },
        draw("line", { class: "bound", x1: EDGE.left, x2: width - EDGE.right, y1: y, y2: y }),
        draw("text", { class: "bound-name", x: EDGE.left + 6, y: y - 5 },
          `${one.name} tolerance ${figure(this.bounds[one.kind])}`));
    });
    const index = this.layers.indexOf(this.fault);
    if (index >= 0) parts.push(this.faultLine(this.x(index), height));
    return parts;
  }

  faultLine(x, height) {
    const left = x > this.size.width / 2;
    return draw("g", {},
      draw("line", { class: "fault", x1: x, x2: x, y1: EDGE.top, y2: height - EDGE.bottom }),
      draw("text", { class: "fault-name", x: left ? x - 5 : x + 5, y: 16, "text-anchor": left ? "end" : "start" },
        `first divergence: ${pathOf(this.fault.name)}`));
  }

  marks(series) {
    const found = this.layers.map((layer, index) => [this.x(index), errorOf(layer, series)]);
    const places = found.filter(([, error]) => error !== null)
      .map(([x, error]) => [x, this.axis.place(error)]);
    return draw("g", { class: series.kind },
      draw("polyline", { class: "trace", points: places.map((place) => place.join(",")).join(" ") }),
      ...places.map(([x, y]) => series.mark(x, y)));
  }

  point(event) {
    const x = event.clientX - this.svg.getBoundingClientRect().left;
    const room = this.size.width - EDGE.left - EDGE.right - 12;
    const index = Math.floor(((x - EDGE.left - 6) / room) * this.layers.length);
    this.move(Math.min(Math.max(index, 0), this.layers.length - 1));
  }

  key(event) {
    const last = this.layers.length - 1;
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
    if (this.at !== null) this.chosen(this.layers[this.at]);
  }

  move(index) {
    this.at = index;
    const layer = index === null ? null : this.layers[index];
    this.cursor.toggleAttribute("hidden", !layer);
    this.tip.hidden = !layer;
    this.readout.textContent = layer ? sayLayer(layer) : "";
    if (!layer) return;
    const x = this.x(index);
    this.cursor.setAttribute("x1", x);
    this.cursor.setAttribute("x2", x);
    this.tip.replaceChildren(...describe(layer));
    const right = x > this.size.width / 2;
    this.tip.style.left = right ? "auto" : `${x + 12}px`;
    this.tip.style.right = right ? `${this.size.width - x + 12}px` : "auto";
  }
}

function describe(layer) {
  const errors = seriesOf([layer]).map((one) => [one.name, number(errorOf(layer, one))]);
  return [
    make("div", { class: "path" }, callName(layer)),
    make("div", {}, kindOf(layer), " ", badge(layer.state)),
    make("dl", {}, ...facts(errors)),
  ];
}

function sayLayer(layer) {
  const errors = seriesOf([layer]).map((one) => `${one.name} ${figure(errorOf(layer, one))}`);
  return [callName(layer), kindOf(layer), ...errors, layer.state].join(", ");
}

function legendOf(layers) {
  return seriesOf(layers).map((one) => make("li", { class: one.kind },
    draw("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" }, one.mark(8, 8)), one.name));
}
