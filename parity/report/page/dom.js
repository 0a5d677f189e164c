// Elements, figures and states. Texts become text nodes, never markup.

const STATES = {
  "match": { glyph: "✓", rank: 0 },
  "rounding": { glyph: "≈", rank: 1 },
  "not compared": { glyph: "?", rank: 2 },
  "mismatch": { glyph: "✗", rank: 3 },
};

const byId = (id) => document.getElementById(id);

function make(tag, properties = {}, ...children) {
  return filled(document.createElement(tag), properties, children);
}

function draw(tag, properties = {}, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", tag), properties, children);
}

function filled(element, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

// Sections stay hidden until there is something to say in them.
function show(id) {
  byId(id).hidden = false;
}

function figure(value) {
  if (value === null || value === undefined) return "–";
  // As Python spells it, so that a figure found here is found in the terminal's report too.
  return value === 0 ? "0" : value.toExponential(1).replace(/e([+-])(\d)$/, "e$10$2");
}

function number(value) {
  return make("span", { class: "figure" }, figure(value));
}

function plural(count, one, many = `${one}s`) {
  return `${count} ${count === 1 ? one : many}`;
}

function counted(layers) {
  const gradients = layers.filter((layer) => layer.phase === "backward").length;
  const calls = plural(layers.length - gradients, "layer call");
  return gradients ? `${calls} and ${plural(gradients, "gradient")}` : calls;
}

function pathOf(name) {
  return name || "the network itself";
}

function callName(layer) {
  const parts = [pathOf(layer.name)];
  if (layer.call) parts.push(`(call ${layer.call})`);
  if (layer.phase === "backward") parts.push("gradient");
  return parts.join(" ");
}

function kindOf(layer) {
  // The frameworks spell many classes alike but for capitals: Conv2d, Conv2D.
  const alike = layer.kind.toLowerCase() === layer.paddle_kind.toLowerCase();
  return alike ? layer.kind : `${layer.kind} / ${layer.paddle_kind}`;
}

function badge(state, text = state) {
  const kind = state.replace(" ", "-");
  return make("span", { class: `state ${kind}` }, `${STATES[state].glyph} ${text}`);
}

function passes(state) {
  return state === "match" || state === "rounding";
}

function facts(pairs) {
  const known = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return known.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]);
}

// A long list is folded, so that what follows it stays in reach.
function list(title, items, most = 12) {
  if (!items.length) return null;
  const lines = make("ul", {}, ...items.map((item) => make("li", {}, item)));
  if (items.length <= most) return make("div", {}, make("h3", {}, title), lines);
  return make("details", {}, make("summary", {}, `${title} (${items.length})`), lines);
}
