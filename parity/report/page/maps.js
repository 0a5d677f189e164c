// Error maps: a cell's colour is the logarithm of its error beyond the tolerance.

const STOPS = 5;

function ramp() {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => rgb(style.getPropertyValue(name).trim());
  const stops = Array.from({ length: STOPS }, (_, index) => colour(`--ramp-${index}`));
  return { stops, within: colour("--within"), unlike: colour("--unlike") };
}

function rgb(hex) {
  return [1, 3, 5].map((start) => parseInt(hex.slice(start, start + 2), 16));
}

function mixed(stops, share) {
  const place = Math.min(Math.max(share, 0), 1) * (STOPS - 1);
  const low = Math.min(Math.floor(place), STOPS - 2);
  return stops[low].map((value, channel) => value + (stops[low + 1][channel] - value) * (place - low));
}

// From the tolerance, or four powers of ten below the largest error, up to the largest.
function rangeOf(map, bound) {
  const known = map.cells.flat().filter((value) => value !== null && value > bound);
  const high = Math.max(...known, bound);
  return { bound, high, low: Math.max(Math.min(...known, high), high * 1e-4) };
}

function colourOf(value, range, colours) {
  if (value === null) return colours.unlike;
  if (value <= range.bound) return colours.within;
  const span = Math.log(range.high / range.low);
  return mixed(colours.stops, span > 0 ? Math.log(value / range.low) / span : 1);
}

function paint(canvas, rows, colourAt) {
  canvas.width = rows[0].length;
  canvas.height = rows.length;
  const context = canvas.getContext("2d");
  const image = context.createImageData(canvas.width, canvas.height);
  rows.flat().forEach((value, index) => {
    image.data.set([...colourAt(value).map(Math.round), 255], index * 4);
  });
  context.putImageData(image, 0, 0);
}

class ErrorMap {
  constructor(map, bound, label, caption) {
    Object.assign(this, { map, caption, range: rangeOf(map, bound), row: 0, column: -1 });
    this.canvas = make("canvas", {
      class: "map", tabindex: "0", role: "img", "aria-label": `Error map of ${label}: ${map.words}`,
      onpointermove: (event) => this.point(event), onpointerleave: () => this.rest(), onblur: () => this.rest(),
      onkeydown: (event) => this.key(event),
    });
    const [height, width] = [map.cells.length, map.cells[0].length];
    // A strip gets some height, a tall image stays on the screen.
    this.canvas.style.aspectRatio = `${width} / ${Math.max(height, width / 12)}`;
    this.canvas.style.maxWidth = `${Math.round(420 * Math.max(1, width / height))}px`;
    this.ramp = make("canvas", { "aria-hidden": "true" });
    this.place = make("figcaption", { class: "hint", "aria-live": "polite" }, caption);
    this.paint();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.paint());
  }

  paint() {
    const colours = ramp();
    paint(this.canvas, this.map.cells, (value) => colourOf(value, this.range, colours));
    paint(this.ramp, [Array.from({ length: 64 }, (_, index) => index / 63)], (share) => mixed(colours.stops, share));
  }

  scale() {
    const { bound, low, high } = this.range;
    const unlike = this.map.cells.flat().includes(null);
    const swatch = (kind, text) => make("span", {}, make("span", { class: `swatch ${kind}` }), text);
    return make("div", { class: "scale" },
      swatch("within", bound ? `within ${figure(bound)}` : "equal"),
      high > bound ? make("span", {}, number(low), " ", this.ramp, " ", number(high)) : null,
      unlike ? swatch("unlike", "not finite on one side") : null);
  }

  point(event) {
    const box = this.canvas.getBoundingClientRect();
    const cell = (offset, side, cells) => Math.min(Math.max(Math.floor((offset / side) * cells), 0), cells - 1);
    this.row = cell(event.clientY - box.top, box.height, this.canvas.height);
    this.column = cell(event.clientX - box.left, box.width, this.canvas.width);
    this.tell();
  }

  key(event) {
    const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    if (!(event.key in moves)) return;
    event.preventDefault();
    const [down, right] = moves[event.key];
    this.row = Math.min(Math.max(this.row + down, 0), this.canvas.height - 1);
    this.column = Math.min(Math.max(this.column + right, 0), this.canvas.width - 1);
    this.tell();
  }

  rest() {
    this.place.textContent = this.caption;
  }

  tell() {
    const value = this.map.cells[this.row][this.column];
    const span = (start, side) => {
      const first = start * this.map.cell;
      const last = Math.min(first + this.map.cell, side) - 1;
      return first === last ? `${first}` : `${first}–${last}`;
    };
    const [height, width] = this.map.size;
    const place = height === 1 ? `place ${span(this.column, width)}`
      : `row ${span(this.row, height)}, column ${span(this.column, width)}`;
    this.place.textContent = `${place}: ${value === null ? "not finite on one side" : figure(value)}`;
  }
}

function mapsOf(layer) {
  const what = { own: "own error", inputs: "given input", tensors: "output" };
  return Object.entries(what).flatMap(([key, name]) => layer[key]
    .filter((tensor) => tensor.map)
    .map((tensor) => ({ layer, tensor, alone: key === "own", name: tensor.slot ? `${name} ${tensor.slot}` : name })));
}

function mapFigure({ layer, tensor, name }, tolerances) {
  const bound = tensor.error64 === null ? tolerances.single : tolerances.double;
  const [height, width] = tensor.map.size;
  const extent = height === 1 ? plural(width, "place") : `${height} × ${width} places`;
  const folded = tensor.map.cell > 1 ? `, ${tensor.map.cell} × ${tensor.map.cell} of them a cell` : "";
  const map = new ErrorMap(tensor.map, bound, `${callName(layer)}, ${name}`, `${name}, ${extent}${folded}`);
  return make("figure", {}, map.canvas, map.scale(), map.place);
}
