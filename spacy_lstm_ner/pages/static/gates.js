"use strict";
// Draws the values of an LSTM in lines that are as wide as the page, and describes the step
// under the pointer.

// root: the element that contains gates_view.html; data: what gates_page.py has computed;
// signal: ends all that listens to the window, if the gates are shown again.
function showGates(root, data, signal = undefined) {
  const $ = (id) => root.querySelector(`#${id}`);
  const picture = $("picture");
  const n = data.units.length;
  const COLUMN = data.column; // pixels
  const NAMES = 76; // pixels, for the names of the rows
  const LETTER = 6.2; // pixels, the width of a letter of a label
  const GATES = new Set(["input_gate", "forget_gate", "output_gate"]);
  const MAX_INTEGER = { int8: 127, int16: 32767 };
  // Many rows, or those of many lines, are lower, so that the picture does not become too long.
  const room = () => (lines.length > 3 ? 160 : lines.length > 1 ? 280 : 480); // pixels
  const rowHeight = (rows, least, most) =>
    Math.max(least, Math.min(most, Math.floor(room() / rows)));
  const unitHeight = (width) => rowHeight(width, 2, 8);
  const tagHeight = () => rowHeight(data.tags.length, 4, 14);

  // Of several CRFs, the paths of those that find entities.
  const isFound = (index) => index >= 0 && data.tags[index] !== "O";
  const shownPaths = [...data.paths.keys()].filter((k) =>
    data.paths.length === 1 || data.paths[k].some(isFound));
  const barRows = 1 + Math.max(0, ...data.entities.map(({ row }) => row));

  let lines = []; // the lines: { from, to, element, units, tags, unitNames }
  let at = null; // the unit of the text that is described
  let row = null; // the hidden unit under the pointer, if there is one
  let order = []; // the hidden unit in each row of the picture
  let chosen = null; // the entity whose contributions are shown

  // ---- Values

  function unpack(packed) {
    const bytes = Uint8Array.from(atob(packed.bytes), (char) => char.charCodeAt(0));
    const values = packed.type === "int16" ? new Int16Array(bytes.buffer) : new Int8Array(bytes.buffer);
    return { largest: packed.largest, max: MAX_INTEGER[packed.type], values };
  }

  const unpacked = new Map();
  function values(layer, direction, name) {
    const key = `${layer} ${direction} ${name}`;
    if (!unpacked.has(key)) {
      unpacked.set(key, unpack(data.layers[layer].values[name][direction]));
    }
    return unpacked.get(key);
  }

  function value(name, position, unit) {
    const [layer, direction] = currentPass();
    const packed = values(layer, direction, name);
    const integer = packed.values[position * data.layers[layer].width + unit];
    return (integer / packed.max) * packed.largest;
  }

  const currentPass = () => $("pass").value.split(",").map(Number);
  const emissions = unpack(data.emissions);
  const emission = (position, tag) =>
    emissions.values[position * data.tags.length + tag] / emissions.max;

  // Colors of gates: from the background (0) to full (1). Colors of other values: one for
  // positive and one for negative ones.
  const token = (name) => getComputedStyle(root).getPropertyValue(name).trim();
  let colors;
  function readColors() {
    const hex = token("--paper").match(/[\da-f]{2}/gi).map((part) => parseInt(part, 16));
    const triplet = (name) => token(name).split(/\s+/).map(Number);
    colors = { paper: hex, negative: triplet("--right"), positive: triplet("--wrong") };
  }
  const mix = (color, share) =>
    colors.paper.map((paper, k) => Math.round(paper + (color[k] - paper) * share));
  function colorOf(share, isGate) {
    if (isGate) return mix(colors.negative, Math.max(0, share));
    return mix(share < 0 ? colors.negative : colors.positive, Math.min(1, Math.abs(share)));
  }

  // ---- Lines

  function element(name, properties = {}, ...children) {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  }

  // Divides the text into lines that fit the page.
  function layOut() {
    const size = Math.max(1, Math.floor((picture.clientWidth - NAMES) / COLUMN));
    if (lines.length && size === lines.size) return;
    lines = [];
    lines.size = size;
    for (let from = 0; from < n; from += size) lines.push(makeLine(from, Math.min(n, from + size)));
    for (const line of lines) line.unitNames.after(...tagNames());
    picture.replaceChildren(...lines.map((line) => line.element));
    showContributions();
    draw();
  }

  function makeLine(from, to) {
    const units = element("canvas", { className: "units" });
    const tags = element("canvas", { className: "tags" });
    const unitNames = element("span", { className: "unit-names" });
    const names = element("div", { className: "names", ariaHidden: "true" },
      element("span", { className: "bars" }, "entities"),
      element("span", { className: "chars" }, "text"),
      ...shownPaths.map((k) => element("span", { className: "path" },
        data.paths.length > 1 ? data.groups[k][0] : "best path")),
      unitNames);
    const columns = element("div", { className: "columns" },
      element("div", { className: "row bars" }, ...bars(from, to)),
      element("div", { className: "row chars" }, ...chars(from, to)),
      ...shownPaths.map((k) =>
        element("div", { className: "row path" }, ...path(data.paths[k], from, to))),
      units, tags, element("div", { className: "cursor", hidden: true }));
    const line = element("div", { className: "line" }, names, columns);
    columns.querySelector(".chars").lang = data.lang;
    line.style.setProperty("--n", to - from);
    line.style.setProperty("--cw", `${COLUMN}px`);
    line.style.setProperty("--bars", barRows);
    return { from, to, element: line, columns, units, tags, unitNames };
  }

  // The tags of a label have a name together.
  function tagNames() {
    return data.groups.map(([label, size]) => {
      const height = size * tagHeight();
      const name = element("span", { className: `tag-name${height < 12 ? " low" : ""}` }, height < 8 ? "" : label);
      name.style.height = name.style.lineHeight = `${height}px`;
      return name;
    });
  }

  // The entities, as bars above their units. With attribution, they are buttons.
  function bars(from, to) {
    return data.entities.flatMap(({ first, last, row, label, score }, number) => {
      if (first === null || last === null || last < from || first >= to) return [];
      const [start, end] = [Math.max(first, from), Math.min(last + 1, to)];
      const caption = `${label} ${score}`;
      // Above a short entity there is only space for a part of it.
      const letters = Math.floor(((end - start) * COLUMN - 10) / LETTER);
      const shown = [caption, label].find((text) => text.length <= letters) ?? label.slice(0, letters);
      const bar = element(data.contributions ? "button" : "span",
        { className: `bar ${data.styles[label]}`, title: caption }, shown);
      bar.dataset.entity = number;
      bar.style.gridColumn = `${start - from + 1} / ${end - from + 1}`;
      bar.style.gridRow = row + 1;
      // It begins in the line above.
      if (data.contributions && first < from) bar.tabIndex = -1;
      return [bar];
    });
  }

  const chars = (from, to) => data.units.slice(from, to).map((unit, k) => {
    const size = unit.startsWith("U+") ? " named" : unit.length > 2 ? " word" : "";
    const char = element("span", { className: `char${size}`, title: unit }, unit);
    char.dataset.at = from + k;
    return char;
  });

  const path = (indices, from, to) => indices.slice(from, to).map((index) => {
    if (index < 0) return element("span", { className: "step o" }, "");
    const tag = data.tags[index];
    if (tag === "O") return element("span", { className: "step o" }, "·");
    return element("span", { className: `step ${data.styles[tag.slice(2)]}` }, tag[0]);
  });

  // ---- Drawing

  function rows(layer, direction) {
    const width = data.layers[layer].width;
    const units = Array.from({ length: width }, (_, k) => k);
    const wanted = $("order").value;
    if (wanted === "active") {
      const hidden = values(layer, direction, "hidden").values;
      const change = units.map((unit) => {
        let sum = 0;
        for (let k = 1; k < n; k++) {
          sum += Math.abs(hidden[k * width + unit] - hidden[(k - 1) * width + unit]);
        }
        return sum;
      });
      return units.sort((one, other) => change[other] - change[one]);
    }
    if (wanted.startsWith("type ")) {
      const ranked = data.ranking[wanted.slice(5)];
      return ranked.filter((r) => r[0] === layer && r[1] === direction).map((r) => r[2]);
    }
    return units;
  }

  function draw() {
    readColors();
    const [layer, direction] = currentPass();
    const name = $("value").value;
    const isGate = GATES.has(name);
    const width = data.layers[layer].width;
    const packed = values(layer, direction, name);
    order = rows(layer, direction);
    const height = unitHeight(width) * order.length;
    for (const line of lines) {
      paint(line.units, line, order.length, height, (position, k) =>
        colorOf(packed.values[position * width + order[k]] / packed.max, isGate));
      line.unitNames.textContent = `${width} hidden units, ${data.directions[direction]}`;
      line.unitNames.style.height = `${height}px`;
      drawTags(line);
    }
    legend(isGate, packed.largest);
    describe();
  }

  // A picture with one pixel per value, which CSS enlarges.
  function paint(canvas, line, height, cssHeight, colorAt) {
    canvas.width = line.to - line.from;
    canvas.height = height;
    canvas.style.height = `${cssHeight}px`;
    if (!height) return;
    const context = canvas.getContext("2d");
    const image = context.createImageData(canvas.width, height);
    for (let k = 0; k < height; k++) {
      for (let x = 0; x < canvas.width; x++) {
        const offset = 4 * (k * canvas.width + x);
        image.data.set(colorAt(line.from + x, k), offset);
        image.data[offset + 3] = 255;
      }
    }
    context.putImageData(image, 0, 0);
  }

  function legend(isGate, largest) {
    $("low").textContent = isGate ? "0 closed" : number(-largest);
    $("high").textContent = isGate ? "1 open" : number(largest);
    const canvas = $("legend");
    const context = canvas.getContext("2d");
    for (let x = 0; x < canvas.width; x++) {
      const share = x / (canvas.width - 1);
      context.fillStyle = `rgb(${colorOf(isGate ? share : 2 * share - 1, isGate)})`;
      context.fillRect(x, 0, 1, canvas.height);
    }
  }

  // The emission scores, and the best path over them.
  function drawTags({ from, to, tags: canvas }) {
    const TAG = tagHeight();
    const scale = Math.max(1, Math.min(2, window.devicePixelRatio));
    const [width, height] = [(to - from) * COLUMN, data.tags.length * TAG];
    canvas.width = width * scale;
    canvas.height = height * scale;
    canvas.style.height = `${height}px`;
    const context = canvas.getContext("2d");
    context.scale(scale, scale);
    for (let position = from; position < to; position++) {
      for (let tag = 0; tag < data.tags.length; tag++) {
        context.fillStyle = `rgb(${colorOf(emission(position, tag), false)})`;
        context.fillRect((position - from) * COLUMN, tag * TAG, COLUMN, TAG);
      }
    }
    context.strokeStyle = token("--ink");
    context.lineWidth = 1.5;
    context.beginPath();
    for (const indices of shownPaths.map((k) => data.paths[k])) {
      const middle = (at) => indices[at] * TAG + TAG / 2;
      for (let position = from; position < to; position++) {
        if (indices[position] < 0) continue;
        const x = (position - from) * COLUMN;
        context.strokeRect(x + 2, indices[position] * TAG + 1, COLUMN - 4, TAG - 2);
        if (position > from && indices[position - 1] >= 0) {
          context.moveTo(x - 2, middle(position - 1));
          context.lineTo(x + 2, middle(position));
        }
      }
    }
    context.stroke();
  }

  // ---- Words

  function number(x) {
    const text = (x < 0 ? "−" : "+") + Math.abs(x).toFixed(2);
    return text.slice(1) === "0.00" ? "0.00" : text;
  }

  const paragraph = (...parts) => element("p", {}, ...parts);

  // The descriptions are in the table below the picture, where they can be read as well.
  function describe() {
    const [layer, direction] = currentPass();
    for (const line of lines) {
      const cursor = line.columns.querySelector(".cursor");
      cursor.hidden = at === null || at < line.from || at >= line.to;
      if (!cursor.hidden) cursor.style.left = `${(at - line.from) * COLUMN}px`;
    }
    $("words").classList.toggle("on", at !== null);
    if (at === null) {
      $("words").replaceChildren(paragraph(`Point at a ${data.unit}, or use the arrow keys.`));
      return;
    }
    const strong = element("strong", { dir: "auto", lang: data.lang }, data.units[at]);
    const parts = [paragraph(strong, `, ${data.unit} ${at + 1} of ${n}, ` +
      `${data.directions[direction]}. ${$(`t${at}`).textContent}`)];
    if (row !== null) {
      const listed = data.names.map(([name, title]) => {
        const x = value(name, at, row);
        return `${title} ${GATES.has(name) ? x.toFixed(2) : number(x)}`;
      });
      parts.push(paragraph(`Hidden unit ${row}: ${listed.join(", ")}.`));
    }
    parts.push(paragraph($(`w${layer}-${direction}-${at}`).textContent));
    if (chosen !== null) {
      const contribution = number(data.contributions[chosen][at]);
      parts.push(paragraph(`Contribution of this ${data.unit} to the log-odds of the selected entity: ${contribution}.`));
    }
    $("words").replaceChildren(...parts);
  }

  function showContributions() {
    for (const bar of picture.querySelectorAll("button.bar")) {
      bar.setAttribute("aria-pressed", Number(bar.dataset.entity) === chosen);
    }
    for (const char of picture.querySelectorAll(".char")) {
      const contribution = chosen === null ? 0 : data.contributions[chosen][Number(char.dataset.at)];
      char.classList.toggle("positive", contribution > 0.03);
      char.classList.toggle("negative", contribution < -0.03);
      char.style.setProperty("--strength", Math.min(1, Math.abs(contribution) / 8));
    }
  }

  // ---- The pointer and the keyboard

  function point(event) {
    const columns = event.target.closest(".columns");
    const line = lines.find((each) => each.columns === columns);
    if (!line) return null;
    const x = event.clientX - columns.getBoundingClientRect().left;
    at = line.from + Math.max(0, Math.min(line.to - line.from - 1, Math.floor(x / COLUMN)));
    return line;
  }

  picture.addEventListener("pointermove", (event) => {
    const line = point(event);
    if (!line) return;
    row = null;
    if (event.target === line.units) {
      const box = line.units.getBoundingClientRect();
      const k = Math.floor(((event.clientY - box.top) / box.height) * order.length);
      row = order[Math.max(0, Math.min(order.length - 1, k))] ?? null;
    }
    describe();
  });
  picture.addEventListener("click", (event) => {
    const bar = event.target.closest("button.bar");
    if (bar) {
      const entity = Number(bar.dataset.entity);
      chosen = chosen === entity ? null : entity;
      showContributions();
    } else {
      point(event);
    }
    describe();
  });
  picture.addEventListener("keydown", (event) => {
    const steps = { ArrowRight: 1, ArrowLeft: -1, Home: -n, End: n };
    const unitSteps = { ArrowDown: 1, ArrowUp: -1 };
    if (event.key in steps) {
      const from = at ?? (event.key === "End" ? 0 : -steps[event.key]);
      at = Math.max(0, Math.min(n - 1, from + steps[event.key]));
    } else if (event.key in unitSteps && order.length) {
      const k = row === null ? -1 : order.indexOf(row);
      row = order[Math.max(0, Math.min(order.length - 1, k + unitSteps[event.key]))];
      at ??= 0;
    } else {
      return;
    }
    event.preventDefault();
    describe();
    lines.find(({ to }) => at < to).columns.querySelector(".cursor").scrollIntoView({ block: "nearest" });
  });
  for (const id of ["pass", "value", "order"]) {
    $(id).addEventListener("change", () => {
      row = null;
      draw();
    });
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw, { signal });
  window.addEventListener("resize", layOut, { signal });
  layOut();
}
