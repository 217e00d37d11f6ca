"use strict";
// Draws the values in the page, and describes the step under the pointer.

const data = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
const picture = $("picture");
const n = data.units.length;
const COLUMN = data.column; // pixels
const TAG = 14;
// Rows of wide layers are lower, so that the page does not become too long.
const unitHeight = (width) => Math.max(2, Math.min(8, Math.floor(560 / width)));
const GATES = new Set(["input_gate", "forget_gate", "output_gate"]);
const MAX_INTEGER = { int8: 127, int16: 32767 };

let at = null; // the unit of the text that is described
let row = null; // the hidden unit under the pointer, if there is one
let order = []; // the hidden unit in each row of the picture
let chosen = null; // the entity whose contributions are shown

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

function currentPass() {
  return $("pass").value.split(",").map(Number);
}

// Colors of gates: from the background (0) to blue (1). Colors of other values: orange
// for positive and blue for negative ones.
const dark = matchMedia("(prefers-color-scheme: dark)");
function mix(color, share) {
  const paper = dark.matches ? [13, 17, 23] : [252, 252, 253];
  return paper.map((p, k) => Math.round(p + (color[k] - p) * share));
}
function colorOf(share, isGate) {
  const blue = dark.matches ? [88, 166, 255] : [0, 84, 166];
  const orange = dark.matches ? [255, 158, 74] : [190, 76, 0];
  if (isGate) return mix(blue, Math.max(0, share));
  return mix(share < 0 ? blue : orange, Math.min(1, Math.abs(share)));
}

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
  const [layer, direction] = currentPass();
  const name = $("value").value;
  const isGate = GATES.has(name);
  const width = data.layers[layer].width;
  const packed = values(layer, direction, name);
  order = rows(layer, direction);
  paint($("units"), order.length, unitHeight(width) * order.length, (position, k) =>
    colorOf(packed.values[position * width + order[k]] / packed.max, isGate));
  const names = $("unit-names");
  names.textContent = `${width} hidden units, ${data.directions[direction]}`;
  names.style.height = `${unitHeight(width) * order.length}px`;
  legend(isGate, packed.largest);
  drawTags();
  describe();
}

// A picture with one pixel per value, which CSS enlarges.
function paint(canvas, height, cssHeight, colorAt) {
  canvas.width = n;
  canvas.height = height;
  canvas.style.height = `${cssHeight}px`;
  const context = canvas.getContext("2d");
  const image = context.createImageData(n, height);
  for (let k = 0; k < height; k++) {
    for (let position = 0; position < n; position++) {
      const offset = 4 * (k * n + position);
      image.data.set(colorAt(position, k), offset);
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

const emissions = unpack(data.emissions);
const score = (position, tag) =>
  (emissions.values[position * data.tags.length + tag] / emissions.max) * emissions.largest;

function drawTags() {
  const canvas = $("tags");
  const height = data.tags.length;
  canvas.width = n * COLUMN;
  canvas.height = height * TAG;
  canvas.style.height = `${height * TAG}px`;
  const context = canvas.getContext("2d");
  const ink = getComputedStyle(document.body).color;
  for (let position = 0; position < n; position++) {
    for (let tag = 0; tag < height; tag++) {
      const share = score(position, tag) / emissions.largest;
      context.fillStyle = `rgb(${colorOf(share, false)})`;
      context.fillRect(position * COLUMN, tag * TAG, COLUMN, TAG);
    }
  }
  context.strokeStyle = ink;
  context.lineWidth = 2;
  context.beginPath();
  data.path.forEach((tag, position) => {
    const y = tag * TAG + TAG / 2;
    context.strokeRect(position * COLUMN + 2, tag * TAG + 2, COLUMN - 4, TAG - 4);
    if (position) {
      const before = data.path[position - 1] * TAG + TAG / 2;
      context.moveTo(position * COLUMN - 2, before);
      context.lineTo(position * COLUMN + 2, y);
    }
  });
  context.stroke();
}

function number(x) {
  const text = (x < 0 ? "−" : "+") + Math.abs(x).toFixed(2);
  return text.slice(1) === "0.00" ? "0.00" : text;
}

function paragraph(text) {
  const p = document.createElement("p");
  p.textContent = text;
  return p;
}

// The descriptions are in the table below the picture, where they can be read as well.
function describe() {
  const [layer, direction] = currentPass();
  const cursor = $("cursor");
  cursor.hidden = at === null;
  $("words").classList.toggle("on", at !== null);
  if (at === null) {
    $("words").replaceChildren(paragraph(`Point at a ${data.unit}, or use the arrow keys.`));
    return;
  }
  cursor.style.left = `${at * COLUMN}px`;
  const parts = [];
  const here = document.createElement("p");
  const strong = document.createElement("strong");
  strong.textContent = data.units[at];
  strong.dir = "auto";
  strong.lang = document.querySelector(".row.chars").lang;
  here.append(strong, `, ${data.unit} ${at + 1} of ${n}, ${data.directions[direction]}. ${$(`t${at}`).textContent}`);
  parts.push(here);
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

function choose(entity) {
  chosen = chosen === entity ? null : entity;
  for (const bar of document.querySelectorAll("button.bar")) {
    bar.setAttribute("aria-pressed", Number(bar.dataset.entity) === chosen);
  }
  for (const char of document.querySelectorAll(".char")) {
    const contribution = chosen === null ? 0 : data.contributions[chosen][Number(char.dataset.at)];
    char.classList.toggle("positive", contribution > 0.03);
    char.classList.toggle("negative", contribution < -0.03);
    char.style.setProperty("--strength", `${Math.min(100, (Math.abs(contribution) / 8) * 100)}%`);
  }
  describe();
}

function position(event) {
  const x = event.clientX - document.querySelector(".columns").getBoundingClientRect().left;
  return Math.max(0, Math.min(n - 1, Math.floor(x / COLUMN)));
}

document.querySelector(".columns").addEventListener("pointermove", (event) => {
  at = position(event);
  row = null;
  if (event.target === $("units")) {
    const box = $("units").getBoundingClientRect();
    const k = Math.floor(((event.clientY - box.top) / box.height) * order.length);
    row = order[Math.max(0, Math.min(order.length - 1, k))] ?? null;
  }
  describe();
});
document.querySelector(".columns").addEventListener("click", (event) => {
  const bar = event.target.closest("button.bar");
  if (bar) choose(Number(bar.dataset.entity));
  else at = position(event);
  describe();
});
picture.addEventListener("keydown", (event) => {
  const steps = { ArrowRight: 1, ArrowLeft: -1, Home: -n, End: n };
  const unitSteps = { ArrowDown: 1, ArrowUp: -1 };
  if (event.key in steps) {
    at = at === null ? 0 : Math.max(0, Math.min(n - 1, at + steps[event.key]));
    const visible = picture.clientWidth - 100;
    const x = at * COLUMN;
    if (x < picture.scrollLeft || x > picture.scrollLeft + visible) {
      picture.scrollLeft = x - visible / 2;
    }
  } else if (event.key in unitSteps && order.length) {
    const k = row === null ? -1 : order.indexOf(row);
    row = order[Math.max(0, Math.min(order.length - 1, k + unitSteps[event.key]))];
    at ??= 0;
  } else {
    return;
  }
  event.preventDefault();
  describe();
});
for (const id of ["pass", "value", "order"]) {
  $(id).addEventListener("change", () => {
    row = null;
    draw();
  });
}
dark.addEventListener("change", draw);

for (const tag of data.tags) {
  const span = document.createElement("span");
  span.textContent = tag;
  $("tag-names").append(span);
}
draw();
