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
