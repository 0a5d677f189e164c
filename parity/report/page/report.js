// Puts the report's parts into the page.

const data = JSON.parse(byId("data").textContent);
const layers = data.layers.map((layer, index) => ({ ...layer, place: index + 1 }));
const first = layers[data.first_divergence_at ?? -1];
const SHOWN = 8;
const tolerances = { single: data.tol, double: data.tol64 };
// A precision that was not run has no bound to show.
const bounds = {
  single: data.precisions.includes("float32") ? data.tol : null,
  double: data.precisions.includes("float64") ? data.tol64 : null,
};

function verdict() {
  const header = byId("verdict");
  header.classList.toggle("good", data.parity);
  byId("subject").textContent = [data.title, ...data.inputs.map((input) => `input ${input}`)].filter(Boolean).join(" · ");
  byId("headline").textContent = data.parity ? "✓ Parity holds" : "✗ Parity does not hold";
  byId("sentence").textContent = sentence();
  const counts = Object.entries(data.counts).filter(([, count]) => count);
  byId("counts").append(...counts.map(([state, count]) => make("li", {}, badge(state, `${count} ${state}`))));
  byId("problems").append(...data.problems.map((problem) => make("li", {}, problem)));
  byId("problems").hidden = !data.problems.length;
}

function sentence() {
  if (!layers.length) return "No layer was compared.";
  const runs = `run in ${data.precisions.join(" and ")}`;
  const failing = layers.filter((layer) => !passes(layer.state)).length;
  if (failing) {
    const faulty = layers.filter((layer) => layer.own_state === "mismatch").length;
    const alone = faulty ? `; ${faulty} by themselves, the rest inherit` : "";
    return `${failing} of ${counted(layers)} fail, ${runs}${alone}.`;
  }
  const rounded = layers.filter((layer) => layer.state === "rounding").length;
  const why = rounded ? ` ${rounded} ${rounded === 1 ? "differs" : "differ"} in float32 by rounding alone: float64 agrees.` : "";
  const others = `${plural(data.failing, "other comparison fails", "other comparisons fail")}.`;
  return `All ${counted(layers)} agree, ${runs}.${why}${data.parity ? "" : ` But ${others}`}`;
}

function firstDivergence(table) {
  if (!first) return failures();
  show("first");
  const link = (layer) => make("button", {
    type: "button", class: "link path", onclick: () => table.reveal(layer),
  }, callName(layer));
  const [map] = mapsOf(first);
  const errors = errorsOf(DEPTH, first).map(([name, value]) => [name, number(value)]);
  const others = layers.filter((layer) => layer.own_state === "mismatch" && layer !== first);
  byId("first-card").append(make("div", {},
    make("h3", {}, link(first), ` ${kindOf(first)} `, badge(first.state)),
    make("dl", {}, ...facts([
      ["why", first.reason || first.state], ...errors, ["arises", first.between], ["where", map?.tensor.map.words],
    ])),
    list("Also wrong by themselves", others.map(link))));
  if (map) byId("first-card").append(mapFigure(map, tolerances));
}

// What fails is in no layer: a gradient, say, a weight, or a training step.
function failures() {
  if (!data.failures.length || data.problems.length) return;
  show("first");
  byId("first").querySelector("h2").textContent = "What fails";
  const [some, rest] = [data.failures.slice(0, SHOWN), data.failures.slice(SHOWN)];
  const more = data.failing - data.failures.length;
  if (more) rest.push(`… and ${more} more`);
  byId("first-card").append(make("div", {},
    make("ul", {}, ...some.map((failure) => make("li", {}, failure))), list("More", rest, 0)));
}

function diagnoses() {
  if (!data.diagnosis.length) return;
  show("diagnosis");
  byId("diagnosis-cards").append(...data.diagnosis.map((found) => make("div", { class: "card" },
    make("h3", {}, found.cause),
    make("p", {}, "at ", make("span", { class: "path" }, pathOf(found.layer))),
    make("dl", {}, ...facts([["evidence", found.evidence], ["source", linked(found.source)]])),
    make("p", {}, "Mend:"),
    make("pre", {}, make("code", {}, found.mend)))));
}

function linked(text) {
  const web = /^https:\/\/\S+$/.test(text);
  return web ? make("a", { href: text, rel: "noopener noreferrer" }, text) : text;
}

function maps() {
  // Own errors first: they are no echo of an earlier layer's.
  const found = layers.filter((layer) => layer !== first).flatMap(mapsOf)
    .sort((a, b) => b.alone - a.alone);
  if (!found.length) return;
  show("maps");
  byId("map-cards").append(...found.map((one) => make("div", { class: "card" },
    make("h3", {}, make("span", { class: "path" }, callName(one.layer)), ` ${kindOf(one.layer)}, ${one.name}`),
    make("p", { class: one.tensor.map.border?.alone ? "words" : null }, one.tensor.map.words),
    mapFigure(one, tolerances))));
}

function sections(table) {
  if (layers.length) {
    show("depth");
    depthChart(layers, bounds, first, (layer) => table.reveal(layer));
  }
  if (data.gradients.length) {
    show("gradients");
    gradientTable(byId("gradient-table"), data.gradients, bounds);
  }
  if (data.losses.length) {
    show("losses");
    byId("loss-tables").append(...lossTables(data.losses));
  }
  if (data.steps.length) {
    show("steps");
    stepReport(data.steps, { ...bounds, double: bounds.double === null ? null : data.step_tol64 });
  }
}

function lists() {
  const add = (section, place, parts) => {
    const some = parts.filter(Boolean);
    if (some.length) show(section);
    byId(place).append(...some);
  };
  add("weights", "weight-list", [list("Tensors", data.weights.map((one) => `${one.name} ${one.reason}`))]);
  const unpaired = (side, calls) => list(`Only in ${side}`, calls.map((call) =>
    `${callName({ name: call.path, call: call.call })} (${call.kind})${call.weights ? " with weights: a failure" : ""}`));
  add("unpaired", "unpaired-lists", [unpaired("torch", data.torch_only), unpaired("Paddle", data.paddle_only)]);
  add("notes", "note-lists", [
    list("Notes", data.notes),
    list("Assumed, as names differ", data.assumed.map((pair) => `${pair.torch} is ${pair.paddle} (${pair.how})`)),
    list("Never called: nothing is said of them", data.never_called),
  ]);
}

function thisRun() {
  byId("facts").append(...facts([
    ["tolerances", `float32 ${figure(data.tol)}, float64 ${figure(data.tol64)}`],
    ...data.inputs.map((input, index) => [`input ${index}`, input]),
    ...Object.entries(data.versions),
  ]));
}

verdict();
if (layers.length) show("layers");
const table = layers.length ? layerTable(byId("layer-table"), layers, bounds) : null;
firstDivergence(table);
diagnoses();
sections(table);
maps();
lists();
thisRun();
