// The layer table: sorted by a click on a column's head, filtered by text and verdict.

const COLUMNS = [
  { name: "#", title: "order of calls", wide: true, number: true, value: (layer) => layer.place },
  { name: "layer", value: (layer) => callName(layer) },
  { name: "kind", wide: true, value: (layer) => kindOf(layer) },
  { name: "float32", key: "error32", number: true, largest: true, value: (layer) => layer.error32 },
  { name: "float64", key: "error64", number: true, largest: true, value: (layer) => layer.error64 },
  { name: "own", key: "own64", number: true, largest: true, value: (layer) => layer.own64 ?? layer.own32 },
  { name: "verdict", largest: true, value: (layer) => STATES[layer.state].rank, },
];
const FILTERS = {
  "all": () => true,
  "failing": (layer) => !passes(layer.state),
  "wrong by itself": (layer) => layer.own_state === "mismatch",
  ...Object.fromEntries(Object.keys(STATES).map((state) => [state, (layer) => layer.state === state])),
};

function compared(a, b, descending) {
  // What is not known comes last, whichever way the column is sorted.
  if (a === null || b === null) return (a === null) - (b === null);
  const order = typeof a === "string" ? a.localeCompare(b, "en", { numeric: true }) : a - b;
  return descending ? -order : order;
}

class LayerTable {
  constructor(layers, bounds) {
    Object.assign(this, { layers, bounds, sorted: { column: COLUMNS[0], descending: false }, rows: new Map() });
    this.columns = COLUMNS.filter((column) => column.name !== "own" || layers.some((layer) => layer.own_state));
    byId("layer-head").append(...this.columns.map((column) => this.head(column)));
    const options = Object.keys(FILTERS).map((name) => {
      const count = layers.filter(FILTERS[name]).length;
      return count ? make("option", { value: name }, `${name} (${count})`) : null;
    });
    byId("filter-state").append(...options.filter(Boolean));
    byId("filters").addEventListener("input", () => this.fill());
    byId("filters").addEventListener("submit", (event) => event.preventDefault());
    this.fill();
  }

  head(column) {
    const button = make("button", { type: "button", title: column.title, onclick: () => this.sort(column) }, column.name);
    column.head = make("th", { scope: "col", class: classes(column), "aria-sort": "none" }, button);
    return column.head;
  }

  sort(column) {
    const again = this.sorted.column === column;
    this.sorted = { column, descending: again ? !this.sorted.descending : Boolean(column.largest) };
    this.fill();
  }

  wanted() {
    const words = byId("filter-text").value.toLowerCase().split(/\s+/).filter(Boolean);
    const keep = FILTERS[byId("filter-state").value] ?? FILTERS.all;
    const text = (layer) => `${callName(layer)} ${kindOf(layer)}`.toLowerCase();
    return this.layers.filter((layer) => keep(layer) && words.every((word) => text(layer).includes(word)));
  }

  fill() {
    const { column, descending } = this.sorted;
    const found = this.wanted()
      .sort((a, b) => compared(column.value(a), column.value(b), descending) || a.place - b.place);
    for (const one of this.columns) {
      const order = descending ? "descending" : "ascending";
      one.head.setAttribute("aria-sort", one === column ? order : "none");
    }
    byId("layer-body").replaceChildren(...found.flatMap((layer) => this.rowsOf(layer)));
    byId("shown").textContent = `${found.length} of ${plural(this.layers.length, "layer call")}`;
  }

  rowsOf(layer) {
    if (!this.rows.has(layer)) this.rows.set(layer, this.row(layer));
    const { row, more } = this.rows.get(layer);
    return more ? [row, more] : [row];
  }

  row(layer) {
    const name = make("button", {
      type: "button", class: "link path", "aria-expanded": "false", onclick: () => this.toggle(layer),
    }, callName(layer));
    const cells = {
      "#": () => `${layer.place}`, "layer": () => name, "kind": () => kindOf(layer),
      "verdict": () => badge(layer.state),
    };
    const row = make("tr", {}, ...this.columns.map((column) =>
      make("td", { class: classes(column) }, (cells[column.name] ?? (() => this.error(layer, column)))())));
    return { row, name, more: null };
  }

  error(layer, column) {
    const value = column.value(layer);
    const bound = column.key === "error32" || layer.own64 === null && column.key === "own64"
      ? this.bounds.single : this.bounds.double;
    return make("span", { class: `figure${value !== null && value > bound ? " beyond" : ""}` }, figure(value));
  }

  toggle(layer) {
    const entry = this.rows.get(layer);
    const columns = this.columns.length;
    entry.more?.remove();
    entry.more = entry.more ? null
      : make("tr", { class: "more" }, make("td", { colspan: columns }, ...details(layer)));
    entry.name.setAttribute("aria-expanded", String(Boolean(entry.more)));
    if (entry.more) entry.row.after(entry.more);
  }

  // Bring one layer before the reader's eyes, whatever was filtered.
  reveal(layer) {
    if (!this.wanted().includes(layer)) {
      byId("filters").reset();
      this.fill();
    }
    const entry = this.rows.get(layer);
    if (!entry.more) this.toggle(layer);
    document.querySelector("tr.chosen")?.classList.remove("chosen");
    entry.row.classList.add("chosen");
    entry.row.scrollIntoView({ block: "center" });
    entry.name.focus({ preventScroll: true });
  }
}

function classes(column) {
  return [column.wide && "wide", column.number && "number"].filter(Boolean).join(" ") || null;
}

function details(layer) {
  const parent = layer.parent && callName({ name: layer.parent[0], call: layer.parent[1] });
  const floors = layer.floors.map((floor) => `${floor.operation}, off by ${figure(floor.error)}, computed exactly here`);
  return [
    make("dl", {}, ...facts([
      ["kind", `${layer.kind} in torch, ${layer.paddle_kind} in Paddle`],
      ["inside", parent],
      ["reason", layer.reason],
      ["its own forward went wrong", layer.between],
      ["single-precision kernel", [...new Set(floors)].join("; ")],
    ])),
    ...["tensors", "inputs", "own"].map((key) => tensorTable(key, layer[key])).filter(Boolean),
  ];
}

function tensorTable(key, tensors) {
  if (!tensors.length) return null;
  const titles = {
    tensors: "Outputs",
    inputs: "Inputs that the enclosing forward computed by itself",
    own: "Its own part, computed from torch's values",
  };
  const head = ["tensor", "shape", "float32", "float64", "largest value", "verdict"];
  const row = (tensor) => make("tr", {},
    make("td", {}, tensor.slot || "–"),
    make("td", { class: "figure" }, tensor.shape.join(" × ") || "scalar"),
    ...[tensor.error32, tensor.error64, tensor.scale].map((value) => make("td", {}, number(value))),
    make("td", {}, badge(tensor.state), tensor.reason ? ` ${tensor.reason}` : ""));
  return make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": titles[key] },
    make("table", {},
      make("caption", {}, titles[key]),
      make("thead", {}, make("tr", {}, ...head.map((name) => make("th", { scope: "col" }, name)))),
      make("tbody", {}, ...tensors.map(row))));
}
