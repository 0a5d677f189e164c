// What a training needs: gradients of parameters, losses, and whole steps.

const STEP_SERIES = [
  ["loss", "single", "circle"], ["gradient", "double", "diamond"], ["optimizer", "own", "cross"],
  ["parameter", "third", "square"], ["buffer", "fourth", "triangle"],
].map(([name, kind, mark]) => ({ name, kind, mark, value: (step) => stepError(step, name) }));

function stepError(step, kind) {
  const largest = step.largest[kind];
  // Of the step alone; a step that was not started anew has but the one error.
  return largest ? largest.own64 ?? largest.own32 ?? largest.error64 ?? largest.error32 : null;
}

function gradientTable(place, gradients, bounds) {
  const rows = gradients.map((gradient, index) => ({ ...gradient, place: index + 1 }));
  const errors = [["float32", "error32", bounds.single], ["float64", "error64", bounds.double]];
  return new Table(place, rows, {
    title: "Gradients of inputs and parameters",
    what: (rows) => plural(rows.length, "gradient"),
    name: (row) => row.name,
    columns: [
      { name: "#", wide: true, number: true, value: (row) => row.place, cell: (row) => `${row.place}` },
      { name: "gradient of", opens: true, value: (row) => row.name },
      ...errors.map(([name, key, bound]) => ({
        name, number: true, largest: true, value: (row) => row[key], cell: (row) => error(row[key], bound),
      })),
      VERDICT,
    ],
    details: (row) => [make("dl", {}, ...facts([
      ["shape", row.shape.join(" × ") || "scalar"], ["largest value", figure(row.scale)], ["reason", row.reason],
    ]))],
  });
}

function lossTables(losses) {
  return losses.map((loss) => tensorTable(loss.case, "tensor", loss.tensors.map((tensor) =>
    ({ ...tensor, name: `${tensor.kind} ${tensor.name}` }))));
}

function stepReport(steps, { single, double }) {
  const series = known(STEP_SERIES, steps);
  const name = (step) => `step ${step.step}`;
  const chart = new Chart(byId("step-chart"), byId("step-readout"), {
    describe: (step) => [
      make("div", { class: "path" }, name(step)), make("div", {}, badge(step.state)),
      make("dl", {}, ...facts(errorsOf(series, step).map(([kind, value]) => [kind, number(value)]))),
    ],
    say: (step) => [name(step), ...errorsOf(series, step).map(([kind, value]) => `${kind} ${figure(value)}`), step.state].join(", "),
  });
  byId("step-legend").append(...legendOf(series));
  // The marks are float64's errors where there are any, and so is the line.
  const bound = { name: `${double === null ? "float32" : "float64"} tolerance`, kind: "tolerance", value: double ?? single };
  chart.fill(steps, { series, bounds: [bound], ends: [name(steps[0]), name(steps.at(-1))] });
  const value = (loss) => make("span", { class: "figure" }, loss === null ? "–" : loss.toPrecision(6));
  byId("step-tables").append(
    plainTable("Largest error of each kind after each step",
      ["step", "loss in torch", ...series.map((one) => one.name), "since the start", "torch ±1 ulp", "verdict"],
      steps.map((step) => [`${step.step}`, value(step.loss), ...series.map((one) => number(one.value(step))),
        number(step.since), number(step.drift), badge(step.state)])),
    ...steps.filter((step) => step.failing).map((step) => failingTensors(name(step), step)));
}

function failingTensors(name, step) {
  const some = step.failing > step.tensors.length ? `the first ${step.tensors.length} of ${step.failing}` : step.failing;
  const tensors = step.tensors.map((tensor) => ({ ...tensor, name: `${tensor.kind} ${tensor.name}` }));
  return make("details", {}, make("summary", {}, `What fails after ${name} (${some})`),
    tensorTable(`After ${name}`, "tensor", tensors));
}
