// A table that is sorted by a click on a column's head, and filtered by text and verdict.

const FILTERS = {
  "all": () => true,
  "failing": (row) => !passes(row.state),
  "wrong by itself": (row) => row.own_state === "mismatch",
  ...Object.fromEntries(Object.keys(STATES).map((state) => [state, (row) => row.state === state])),
};

function compared(a, b, descending) {
  // What is not known comes last, whichever way the column is sorted.
  if (a === null || b === null) return (a === null) - (b === null);
  const order = typeof a === "string" ? a.localeCompare(b, "en", { numeric: true }) : a - b;
  return descending ? -order : order;
}

function error(value, bound) {
  const beyond = value !== null && bound !== null && value > bound;
  return make("span", { class: `figure${beyond ? " beyond" : ""}` }, figure(value));
}

const VERDICT = {
  name: "verdict", largest: true, value: (row) => STATES[row.state].rank, cell: (row) => badge(row.state),
};

// `columns` is a list of { name, value(row), cell(row) } with the marks `number`, `wide` (left out on
// a narrow screen), `largest` (first click: largest first) and `opens` (the row's name, no cell).
// `what(rows)` counts rows, `name(row)` is what the text filter searches, `details(row)` what a click
// on the row's name unfolds.
class Table {
  constructor(place, rows, { title, what, columns, name, details }) {
    Object.assign(this, { rows, what, columns, name, details, shown: new Map() });
    this.sorted = { column: columns[0], descending: false };
    this.heads = new Map(columns.map((column) => [column, this.head(column)]));
    // On a narrow screen the rows are laid out anew, which hides from some readers what they are:
    // hence the roles.
    this.body = make("tbody", { role: "rowgroup" });
    place.append(this.filters(), make("div", { class: "scroll tall", tabindex: "0", role: "region", "aria-label": title },
      make("table", { role: "table" },
        make("thead", { role: "rowgroup" }, make("tr", { role: "row" }, ...this.heads.values())), this.body)));
    this.fill();
  }

  filters() {
    const options = Object.entries(FILTERS).map(([name, keep]) => [name, this.rows.filter(keep).length])
      .filter(([, count]) => count)
      .map(([name, count]) => make("option", { value: name }, `${name} (${count})`));
    this.text = make("input", { type: "search", autocomplete: "off", spellcheck: "false", oninput: () => this.fill() });
    this.state = make("select", { onchange: () => this.fill() }, ...options);
    this.count = make("output", { "aria-live": "polite" });
    this.form = make("form", { class: "filters", onsubmit: (event) => event.preventDefault() },
      make("label", {}, "Name or kind ", this.text), make("label", {}, "Verdict ", this.state), this.count);
    return this.form;
  }

  head(column) {
    const button = make("button", { type: "button", onclick: () => this.sort(column) }, column.name);
    return make("th", { scope: "col", role: "columnheader", class: classes(column), "aria-sort": "none" }, button);
  }

  sort(column) {
    const again = this.sorted.column === column;
    this.sorted = { column, descending: again ? !this.sorted.descending : Boolean(column.largest) };
    this.fill();
  }

  wanted() {
    const words = this.text.value.toLowerCase().split(/\s+/).filter(Boolean);
    const has = (row) => words.every((word) => this.name(row).toLowerCase().includes(word));
    return this.rows.filter((row) => FILTERS[this.state.value](row) && has(row));
  }

  fill() {
    const { column, descending } = this.sorted;
    // Sorting keeps the order of equals: that of the calls.
    const found = this.wanted().sort((a, b) => compared(column.value(a), column.value(b), descending));
    for (const [one, head] of this.heads) {
      const order = descending ? "descending" : "ascending";
      head.setAttribute("aria-sort", one === column ? order : "none");
    }
    this.body.replaceChildren(...found.flatMap((row) => this.elements(row)));
    this.count.textContent = `${found.length} of ${this.what(this.rows)}`;
  }

  elements(row) {
    if (!this.shown.has(row)) this.shown.set(row, this.element(row));
    const { line, more } = this.shown.get(row);
    return more ? [line, more] : [line];
  }

  element(row) {
    const cell = (column) => make("td", { role: "cell", class: classes(column) },
      column.opens ? this.opener(column.value(row), row) : column.cell(row));
    return { line: make("tr", { role: "row", class: passes(row.state) ? null : "failing" }, ...this.columns.map(cell)), more: null };
  }

  opener(text, row) {
    return make("button", {
      type: "button", class: "link path", "aria-expanded": "false", onclick: () => this.toggle(row),
    }, text);
  }

  toggle(row) {
    const entry = this.shown.get(row);
    entry.more?.remove();
    entry.more = entry.more ? null
      : make("tr", { class: "more", role: "row" },
        make("td", { role: "cell", colspan: this.columns.length }, ...this.details(row)));
    entry.line.querySelector("[aria-expanded]").setAttribute("aria-expanded", String(Boolean(entry.more)));
    if (entry.more) entry.line.after(entry.more);
  }

  // Bring one row before the reader's eyes, whatever was filtered.
  reveal(row) {
    if (!this.wanted().includes(row)) {
      this.form.reset();
      this.fill();
    }
    const entry = this.shown.get(row);
    if (!entry.more) this.toggle(row);
    this.body.querySelector("tr.chosen")?.classList.remove("chosen");
    entry.line.classList.add("chosen");
    entry.line.scrollIntoView({ block: "center" });
    entry.line.querySelector("[aria-expanded]").focus({ preventScroll: true });
  }
}

function classes(column) {
  return [column.wide && "wide", column.number && "number", column.opens && "opens"].filter(Boolean).join(" ") || null;
}

// A small table without sorting: `rows` are lists of cells.
function plainTable(title, heads, rows) {
  return make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": title },
    make("table", {},
      make("caption", {}, title),
      make("thead", {}, make("tr", {}, ...heads.map((head) => make("th", { scope: "col" }, head)))),
      make("tbody", {}, ...rows.map((cells) => make("tr", {}, ...cells.map((cell) => make("td", {}, cell)))))));
}
