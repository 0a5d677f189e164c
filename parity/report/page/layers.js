// The network's layers: error against depth, and the table of all calls.

const DEPTH = [
  { name: "float32", kind: "single", mark: "circle", value: (layer) => layer.error32 },
  { name: "float64", kind: "double", mark: "diamond", value: (layer) => layer.error64 },
  { name: "own error", kind: "own", mark: "cross", alone: true, value: (layer) => layer.own64 ?? layer.own32 },
];

const ENDS = {
  forward: (count) => ["first call", `call ${count}`],
  backward: (count) => ["first gradient, the last layer's", `gradient ${count}`],
};

function layerTable(place, layers, bounds) {
  const own = layers.some((layer) => layer.own_state);
  const ownBound = (layer) => layer.own64 === null ? bounds.single : bounds.double;
  const figures = [
    { name: "float32", value: (layer) => layer.error32, cell: (layer) => error(layer.error32, bounds.single) },
    { name: "float64", value: (layer) => layer.error64, cell: (layer) => error(layer.error64, bounds.double) },
    own && { name: "own", value: DEPTH[2].value, cell: (layer) => error(DEPTH[2].value(layer), ownBound(layer)) },
  ].filter(Boolean);
  return new Table(place, layers, {
    title: "Layer table",
    what: counted,
    name: (layer) => `${callName(layer)} ${kindOf(layer)}`,
    columns: [
      { name: "#", wide: true, number: true, value: (layer) => layer.place, cell: (layer) => `${layer.place}` },
      { name: "layer", opens: true, value: callName },
      { name: "kind", wide: true, value: kindOf, cell: kindOf },
      ...figures.map((column) => ({ ...column, number: true, largest: true })),
      VERDICT,
    ],
    details: layerDetails,
  });
}

function layerDetails(layer) {
  const parent = layer.parent && callName({ name: layer.parent[0], call: layer.parent[1] });
  const floors = layer.floors.map((floor) => `${floor.operation}, off by ${figure(floor.error)}, computed exactly here`);
  const titles = {
    tensors: layer.phase === "backward" ? "Gradients of its outputs" : "Outputs",
    inputs: "Inputs that the enclosing forward computed by itself",
    own: "Its own part, computed from torch's values",
  };
  return [
    make("dl", {}, ...facts([
      ["classes", `${layer.kind} in torch, ${layer.paddle_kind} in Paddle`],
      ["inside", parent],
      ["reason", layer.reason],
      ["arises", layer.between],
      ["kernel", [...new Set(floors)].join("; ")],
    ])),
    ...Object.entries(titles).filter(([key]) => layer[key].length)
      .map(([key, title]) => tensorTable(title, "tensor", layer[key])),
  ];
}

function tensorTable(title, what, tensors) {
  const heads = [what, "shape", "float32", "float64", "largest value", "verdict"];
  return plainTable(title, heads, tensors.map((tensor) => [
    tensor.name ?? (tensor.slot || "–"),
    make("span", { class: "figure" }, tensor.shape.join(" × ") || "scalar"),
    ...[tensor.error32, tensor.error64, tensor.scale].map(number),
    make("div", { class: tensor.reason ? "reason" : null }, badge(tensor.state), ` ${tensor.reason}`),
  ]));
}

function describeLayer(layer) {
  return [
    make("div", { class: "path" }, callName(layer)),
    make("div", {}, kindOf(layer), " ", badge(layer.state)),
    make("dl", {}, ...facts(errorsOf(DEPTH, layer).map(([name, value]) => [name, number(value)]))),
    layer.state === "match" || !layer.reason ? null : make("p", { class: "hint" }, layer.reason),
  ].filter(Boolean);
}

function sayLayer(layer) {
  const errors = errorsOf(DEPTH, layer).map(([name, value]) => `${name} ${figure(value)}`);
  return [callName(layer), kindOf(layer), ...errors, layer.state].join(", ");
}

function depthChart(layers, bounds, fault, chosen) {
  const chart = new Chart(byId("chart"), byId("readout"), { describe: describeLayer, say: sayLayer, chosen });
  const lines = [
    { name: "float32 tolerance", kind: "single", value: bounds.single },
    { name: "float64 tolerance", kind: "double", value: bounds.double },
  ].filter((line) => line.value !== null);
  const choose = (phase) => {
    const some = layers.filter((layer) => layer.phase === phase);
    const series = known(DEPTH, some);
    const others = some.filter((layer) => layer.own_state === "mismatch" && layer !== fault);
    const flags = [{ item: fault, name: "first divergence", text: fault && callName(fault) },
      ...others.map((item) => ({ item }))];
    byId("legend").replaceChildren(...legendOf(series));
    chart.fill(some, { series, bounds: lines, flags, ends: ENDS[phase](some.length) });
  };
  const phases = [...new Set(layers.map((layer) => layer.phase))];
  if (phases.length > 1) byId("phases").replaceChildren(...phases.map((phase, index) => phaseSwitch(phase, !index, choose)));
  byId("phases").hidden = phases.length < 2;
  choose(phases[0]);
}

function phaseSwitch(phase, checked, choose) {
  const names = { forward: "forward: outputs", backward: "backward: gradients of the outputs" };
  const input = make("input", { type: "radio", name: "phase", value: phase, onchange: () => choose(phase) });
  input.checked = checked;
  return make("label", {}, input, ` ${names[phase]}`);
}
