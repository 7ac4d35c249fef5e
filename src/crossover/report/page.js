"use strict";
// Sortable tables: a button in every column head, made here so that without scripts there is none.
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  if (body.rows.length < 2) continue;
  const heads = Array.from(table.tHead.rows[0].cells);
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const numeric = head.classList.contains("number");
      const key = (row) => (numeric ? row.cells[column].dataset.sort : row.cells[column].textContent);
      const order = (a, b) => {
        const [x, y] = [key(a), key(b)];
        if (x === "" || y === "") return (x === "") - (y === "");
        const sign = numeric ? Number(x) - Number(y) : x.localeCompare(y);
        return up ? sign : -sign;
      };
      body.append(...Array.from(body.rows).sort(order));
    });
  });
}

// Rows in a browser: searched, filtered, sorted and leafed through. Texts become text nodes, nothing else.
for (const browser of document.querySelectorAll("div.browser")) {
  const LEAF = 50, BRIEF = 280;
  const { facets, rows } = JSON.parse(browser.querySelector("script").textContent);
  const head = browser.querySelector("thead tr"), body = browser.querySelector("tbody");
  const made = (tag, text, kind) => {
    const element = document.createElement(tag);
    if (text !== undefined) element.textContent = text;
    if (kind) element.className = kind;
    return element;
  };
  const button = (text, act) => {
    const element = made("button", text);
    element.type = "button";
    element.addEventListener("click", act);
    return element;
  };
  const field = (text, input) => {
    const label = made("label", text);
    label.append(input);
    return label;
  };
  const list = (cell) => (Array.isArray(cell) ? cell : cell === null ? [] : [String(cell)]);
  const numeric = facets.map((facet) => facet.form === "count" || facet.form === "quantity");
  const hay = rows.map((row) => row.filter((_, k) => !numeric[k]).map((cell) => list(cell).join(" ")).join("\n").toLowerCase());
  const numbers = {
    count: new Intl.NumberFormat("en", { maximumFractionDigits: 0 }),
    quantity: new Intl.NumberFormat("en", { maximumSignificantDigits: 3 }),
  };
  let order = rows.map((_, k) => k), found = order, leaf = 0;

  const long = (cell, text) => {
    if (text.length <= BRIEF) return cell.append(text);
    const end = BRIEF - (text.charCodeAt(BRIEF - 1) >> 10 === 0x36 ? 1 : 0);
    const shown = document.createTextNode(text.slice(0, end) + "… ");
    const more = button("show more", () => {
      const open = more.textContent === "show more";
      shown.textContent = open ? text + " " : text.slice(0, end) + "… ";
      more.textContent = open ? "show less" : "show more";
    });
    cell.append(shown, more);
  };
  const drawn = (row) => {
    const line = made("tr");
    row.forEach((value, k) => {
      const form = facets[k].form;
      const cell = made("td", undefined, numeric[k] ? "number" : form);
      cell.dir = "auto";
      if (value === null) cell.append("–");
      else if (numeric[k]) cell.append(numbers[form].format(value));
      else if (form === "tags") value.forEach((tag) => cell.append(made("span", tag), " "));
      else if (form === "long") long(cell, value);
      else cell.append(value);
      line.append(cell);
    });
    return line;
  };
  const draw = () => {
    const last = Math.max(0, Math.ceil(found.length / LEAF) - 1);
    leaf = Math.min(Math.max(leaf, 0), last);
    const from = leaf * LEAF, some = found.slice(from, from + LEAF);
    body.replaceChildren(...some.map((k) => drawn(rows[k])));
    const all = found.length === rows.length ? `${rows.length} rows` : `${found.length} of ${rows.length} rows`;
    said.textContent = found.length ? `${all}, shown ${from + 1} to ${from + some.length}` : "no row is like this";
    back.disabled = leaf === 0;
    on.disabled = leaf === last;
  };

  const search = made("input");
  search.type = "search";
  search.autocomplete = "off";
  const choices = facets.map((facet, k) => {
    if (!facet.choose) return null;
    const counts = new Map();
    for (const row of rows) for (const value of list(row[k])) counts.set(value, (counts.get(value) || 0) + 1);
    const select = made("select");
    select.append(new Option("all", ""));
    const names = Array.from(counts.keys()).sort((a, b) => a.localeCompare(b));
    names.forEach((name, place) => select.append(new Option(`${name} (${counts.get(name)})`, String(place))));
    return { k, select, names };
  }).filter((choice) => choice);
  const sift = () => {
    const wanted = search.value.toLowerCase();
    const chosen = choices.filter(({ select }) => select.value !== "").map(({ k, select, names }) => [k, names[Number(select.value)]]);
    found = order.filter((k) => hay[k].includes(wanted) && chosen.every(([column, name]) => list(rows[k][column]).includes(name)));
    leaf = 0;
    draw();
  };
  const said = made("output", "", "said");
  const back = button("← before", () => { leaf -= 1; draw(); });
  const on = button("next →", () => { leaf += 1; draw(); });
  const clear = button("clear", () => {
    search.value = "";
    choices.forEach(({ select }) => { select.value = ""; });
    sift();
  });
  search.addEventListener("input", sift);
  choices.forEach(({ select }) => select.addEventListener("change", sift));
  const controls = made("div", undefined, "controls");
  controls.append(field("search ", search), ...choices.map(({ k, select }) => field(`${facets[k].title} `, select)), clear);
  const pager = made("div", undefined, "pager");
  pager.append(said, back, on);
  browser.querySelector("p.leaf").replaceWith(controls, pager);

  Array.from(head.cells).forEach((cell, k) => {
    cell.replaceChildren(button(facets[k].title, () => {
      const was = cell.getAttribute("aria-sort");
      const up = was ? was === "descending" : !numeric[k];
      Array.from(head.cells).forEach((other) => other.removeAttribute("aria-sort"));
      cell.setAttribute("aria-sort", up ? "ascending" : "descending");
      const keys = rows.map((row) => (numeric[k] || row[k] === null ? row[k] : list(row[k]).join(" ")));
      order = rows.map((_, row) => row).sort((a, b) => {
        const [x, y] = [keys[a], keys[b]];
        if (x === null || y === null) return (x === null) - (y === null);
        const sign = numeric[k] ? x - y : x < y ? -1 : x > y ? 1 : 0;
        return up ? sign : -sign;
      });
      sift();
    }));
  });
  draw();
}
