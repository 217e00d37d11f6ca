// Sends texts to the server and shows the predicted entities. Texts of users and of files are
// added to the page as text and never as HTML.

const data = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
const MAX_LIVE = 2000; // maximum number of characters that are processed while typing
const PAUSE = 250; // milliseconds without a key before that

// ---- Texts. The server counts characters (code points); JavaScript strings are UTF-16.

function size(text) {
  let n = 0;
  for (const _ of text) n++;
  return n;
}

const count = (n) => n.toLocaleString("en");
const many = (n, one, more = `${one}s`) => `${count(n)} ${n === 1 ? one : more}`;
const characters = (n) => many(n, "character");
const entities = (n) => many(n, "entity", "entities");

// Control characters and characters that change the direction of text: `is_control` in
// util/text.py.
const CONTROL =
  /((?:(?![\n\t])[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069])+)/u;

// Text for the page, in which control characters are visible.
function visible(text) {
  const part = document.createDocumentFragment();
  text.split(CONTROL).forEach((piece, k) => {
    if (k % 2 === 0) part.append(piece);
    else for (const char of piece) part.append(codePoint(char));
  });
  return part;
}

function codePoint(char) {
  const code = char.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
  return element("span", { className: "code-point" }, `U+${code}`);
}

function element(name, properties, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

// As `probability_text` in util/text.py.
function probabilityText(score) {
  const text = score.toFixed(2);
  return { "0.00": "<0.01", "1.00": ">0.99" }[text] ?? text;
}

// The colors of the labels of the pipeline, as on the other pages. A label that it has not named
// gets the next one.
function styleOf(label) {
  if (!(label in data.styles)) {
    const slot = Object.keys(data.styles).length;
    data.styles[label] = `c${slot % 8} p${Math.min(2, Math.floor(slot / 8))}`;
  }
  return data.styles[label];
}

// ---- The server

// The server rejected a request, with a reason.
class RequestError extends Error {}

// The server is busy: the request may be sent again after some seconds.
class Busy extends Error {
  constructor(message, seconds) {
    super(message);
    this.seconds = seconds;
  }
}

async function post(path, request, signal) {
  let response, answer;
  try {
    response = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(request),
      signal,
    });
    answer = await response.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The server does not respond. Check that it is still running.");
  }
  if (response.status === 503) {
    const seconds = Number(response.headers.get("Retry-After"));
    throw seconds ? new Busy(answer.error, seconds) : new Error(answer.error);
  }
  if (!response.ok) throw new RequestError(answer.error);
  return answer;
}

// ---- The text

let found = null; // { points, entities }: the characters and entities of the text
let running = null; // aborts the current request

const threshold = () => Number($("threshold").value);
// Entities without a probability are always shown.
const isShown = (entity) => entity.score === null || entity.score >= threshold();

async function findEntities() {
  running?.abort();
  running = null;
  clearTimeout(pause);
  const text = $("text").value;
  const n = size(text);
  if (tooLong(n)) return;
  const request = (running = new AbortController());
  $("result").setAttribute("aria-busy", "true");
  if (n > MAX_LIVE) $("summary").textContent = "Processing…";
  try {
    const answer = await post("entities", { text }, request.signal);
    found = { points: [...text], entities: answer.entities };
    $("text-problem").textContent = "";
  } catch (error) {
    if (error.name === "AbortError") return;
    found = null;
    $("text-problem").textContent = error.message;
  }
  running = null;
  $("result").setAttribute("aria-busy", "false");
  draw();
}

// Returns whether a text is too long, and says so on the page.
function tooLong(n) {
  const isTooLong = n > data.limits.text;
  $("text-problem").textContent = isTooLong
    ? `The text has ${characters(n)}, the limit is ${count(data.limits.text)}. Use a part of it, ` +
      "or split it into lines of a file, and choose that below."
    : "";
  return isTooLong;
}

function draw() {
  $("threshold-value").textContent = threshold().toFixed(2);
  const { points, entities: all } = found ?? { points: [], entities: [] };
  const shown = all.filter(isShown);
  const lines = [element("div", {})];
  const add = (text) => {
    for (const piece of text.split(/(?<=\n)/)) {
      lines.at(-1).append(visible(piece));
      if (piece.endsWith("\n")) lines.push(element("div", {}));
    }
  };
  let done = 0;
  for (const entity of shown) {
    if (entity.start < done) continue; // overlaps another one: it is only in the table
    add(points.slice(done, entity.start).join(""));
    lines.at(-1).append(mark(entity));
    done = entity.end;
  }
  add(points.slice(done).join(""));
  $("result").classList.toggle("long", lines.length > 100);
  $("result").replaceChildren(...lines);
  drawLabels(shown);
  drawTable();
  drawSummary(shown, all.length);
}

function drawSummary(shown, n) {
  const text = !found ? "" : !found.points.length ? "The text is empty."
    : n ? `${count(shown.length)} of ${entities(n)}` : "No entities were found.";
  // Screen readers read the first ones; all of them are in the table.
  const listed = shown.slice(0, 10).map((entity) => `${textOf(entity)} ${caption(entity)}`);
  const read = listed.length ? `: ${listed.join(", ")}` : "";
  $("summary").replaceChildren(text, element("span", { className: "screen-reader" }, visible(read)));
}

const caption = ({ label, score }) => (score === null ? label : `${label} ${probabilityText(score)}`);
const textOf = (entity) => found.points.slice(entity.start, entity.end).join("");

function mark(entity) {
  const { label, start, end, score } = entity;
  const made = element("mark", { className: styleOf(label) }, visible(textOf(entity)));
  const named = element("span", { className: label.length > 24 ? "label long" : "label" }, visible(label));
  if (score !== null) {
    named.append(" ", element("span", { className: "p" }, probabilityText(score)));
    made.dataset.score = score.toFixed(4);
  }
  Object.assign(made.dataset, { label, start, end });
  made.append(named);
  return made;
}

function drawLabels(entities) {
  const counts = new Map();
  for (const { label } of entities) counts.set(label, (counts.get(label) ?? 0) + 1);
  const labels = [...counts].sort(([one], [other]) => (one < other ? -1 : 1));
  $("labels").replaceChildren(...labels.map(([label, n]) =>
    element("li", {},
      element("bdi", { className: `tag ${styleOf(label)}` }, visible(label)), ` ${count(n)}`)));
}

function drawTable() {
  if (!$("table").open || found === null) return;
  const rows = found.entities.filter(isShown).map((entity) =>
    element("tr", {},
      element("td", { dir: "auto" }, visible(textOf(entity))),
      element("td", {}, element("bdi", { className: `tag ${styleOf(entity.label)}` }, visible(entity.label))),
      element("td", {}, entity.score === null ? "unknown" : probabilityText(entity.score)),
      element("td", {}, `${count(entity.start)} to ${count(entity.end)}`)));
  $("table").querySelector("tbody").replaceChildren(...rows);
}

let pause = null;
function typed() {
  const n = size($("text").value);
  $("text-size").textContent = characters(n);
  noteGates();
  clearTimeout(pause);
  if (tooLong(n)) return;
  if (n <= MAX_LIVE) pause = setTimeout(findEntities, PAUSE);
  else $("summary").textContent = "The text has changed: press the button to find its entities.";
}

// While Chinese is entered with an input method, the text contains intermediate letters.
$("text").addEventListener("input", (event) => event.isComposing || typed());
$("text").addEventListener("compositionend", typed);
$("text").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    findEntities();
  }
});
$("read").addEventListener("click", findEntities);
for (const button of document.querySelectorAll("[data-example]")) {
  button.addEventListener("click", () => {
    $("text").value = data.examples[button.dataset.example];
    typed();
    findEntities();
  });
}
$("table").addEventListener("toggle", drawTable);

let drawing = false;
$("threshold").addEventListener("input", () => {
  if (drawing) return;
  drawing = true; // once per frame
  requestAnimationFrame(() => {
    drawing = false;
    draw();
    showFile();
  });
});

// ---- The gates

function selectedText() {
  const { value, selectionStart, selectionEnd } = $("text");
  const selected = selectionStart < selectionEnd;
  return { selected, text: selected ? value.slice(selectionStart, selectionEnd) : value };
}

function noteGates() {
  if (!data.gates) return;
  const { text, selected } = selectedText();
  const n = size(text);
  const part = `${selected ? "Selected text" : "Whole text"}: ${characters(n)}`;
  const tooMany = `${part}; the limit is ${count(data.limits.gates)}. Select a part of the text.`;
  $("gates-note").textContent = n > data.limits.gates ? tooMany : part;
  $("open-gates").disabled = n === 0 || n > data.limits.gates;
  $("attribution").disabled = n > data.limits.why;
}

let shownGates = null; // ends what the gates on the page listen to
async function openGates() {
  const why = $("attribution").checked && !$("attribution").disabled;
  $("gates-problem").textContent = "";
  $("open-gates").disabled = true;
  $("gates-note").textContent = "Processing…";
  let opened = false;
  try {
    const answer = await post("gates", { text: selectedText().text, why });
    // The server has escaped all texts, and the policy of this page allows no other script.
    $("gates").innerHTML = answer.html;
    $("gates").hidden = false;
    shownGates?.abort();
    shownGates = new AbortController();
    showGates($("gates"), answer.data, shownGates.signal);
    opened = true;
  } catch (error) {
    $("gates-problem").textContent = error.message;
  }
  noteGates();
  if (opened) $("gates-note").textContent = "The gates are shown below.";
}

if (data.gates) {
  $("open-gates").addEventListener("click", openGates);
  document.addEventListener("selectionchange", noteGates);
  $("text").addEventListener("select", noteGates);
}

// ---- Files

const CHUNK = { texts: 64, units: 8000 }; // small, so that progress can be seen
let file = null; // { name, lines, names, done, problem, notes, running }: the current file

// A line: `before` is its JSON without the last brace, which is written again; `text` is the
// text; `entities` or `error` is the result; `keys` are the keys of its JSON.
const line = (number, record, rest) =>
  ({ number, before: JSON.stringify(record).slice(0, -1), keys: Object.keys(record), ...rest });
const textLine = (text, number) => line(number, { text }, { text });

function jsonLine(content, number) {
  const bad = (error) => line(number, { line: number, text: content }, { error });
  let record;
  try {
    record = JSON.parse(content);
  } catch {
    return bad("not JSON");
  }
  if (record === null || typeof record !== "object" || Array.isArray(record)) {
    return bad("not a JSON object");
  }
  // Kept as it is: JavaScript would round large numbers.
  const before = content.trim().slice(0, -1);
  const read = { number, before, keys: Object.keys(record) };
  if (typeof record.text !== "string") {
    return { ...read, error: '"text" is missing or not a string' };
  }
  return { ...read, text: record.text };
}

// The keys of the results in a file. If a line of the file has such a key already, another one
// is used in all lines.
function namesOf(lines) {
  const theirs = new Set(lines.flatMap(({ keys }) => keys));
  const free = (name) => {
    let ours = name;
    for (let k = 1; theirs.has(ours); k++) ours = `lstm_ner_${name}${k > 1 ? `_${k}` : ""}`;
    return ours;
  };
  return { entities: free("entities"), error: free("error") };
}

function noteNames(names) {
  return Object.entries(names).filter(([name, ours]) => name !== ours).map(([name, ours]) =>
    `The file already contains "${name}": the new ones are called "${ours}".`);
}

// Decodes a file. Chinese files that are not in UTF-8 are usually in GB18030.
function decode(bytes) {
  for (const encoding of ["utf-8", "gb18030"]) {
    try {
      return { content: new TextDecoder(encoding, { fatal: true }).decode(bytes), encoding };
    } catch {
      // Try the next one.
    }
  }
  throw new Error("The file is neither UTF-8 nor GB18030: save it as UTF-8.");
}

function parse(content, name) {
  const lines = content.split(/\r\n|\n|\r/);
  if (lines.at(-1) === "") lines.pop();
  const isJson = /\.(jsonl|ndjson)$/i.test(name);
  const parsed = lines.flatMap((line, k) =>
    isJson ? (line.trim() ? [jsonLine(line, k + 1)] : []) : [textLine(line, k + 1)]);
  for (const line of parsed) {
    const n = line.text?.length > data.limits.text ? size(line.text) : 0;
    if (n > data.limits.text) {
      line.error = `${characters(n)}, the limit is ${count(data.limits.text)}`;
    }
  }
  return parsed;
}

function* chunks(lines) {
  let chunk = [], units = 0;
  for (const line of lines) {
    if (chunk.length === CHUNK.texts || (units && units + (line.text ?? "").length > CHUNK.units)) {
      yield chunk;
      [chunk, units] = [[], 0];
    }
    chunk.push(line);
    units += (line.text ?? "").length;
  }
  if (chunk.length) yield chunk;
}

// Sends a request again while the server is busy.
async function postUntilDone(path, request, signal) {
  for (;;) {
    try {
      return await post(path, request, signal);
    } catch (error) {
      if (!(error instanceof Busy)) throw error;
      $("file-status").textContent = error.message;
      await new Promise((resolve) => {
        setTimeout(resolve, error.seconds * 1000);
        signal.addEventListener("abort", resolve);
      });
      signal.throwIfAborted();
    }
  }
}

async function annotateChunk(chunk, signal) {
  const waiting = chunk.filter((line) => !line.error);
  if (!waiting.length) return;
  try {
    const texts = waiting.map((line) => line.text);
    const answer = await postUntilDone("entities", { texts }, signal);
    waiting.forEach((line, k) => {
      const points = [...line.text];
      line.entities = answer.entities[k].map(({ start, end, label, score }) =>
        ({ start, end, label, text: points.slice(start, end).join(""), score }));
    });
  } catch (error) {
    if (!(error instanceof RequestError)) throw error;
    // Find the text that is rejected, and annotate the others.
    const half = waiting.length >> 1;
    if (half) {
      await annotateChunk(waiting.slice(0, half), signal);
      await annotateChunk(waiting.slice(half), signal);
    } else {
      waiting[0].error = error.message;
    }
  }
}

async function annotateFile(chosen) {
  file?.running?.abort();
  const running = new AbortController();
  const now = (file = { name: chosen.name, lines: [], names: {}, done: 0, problem: "", notes: [], running });
  try {
    if (chosen.size > data.limits.file) {
      const megabytes = (bytes) => `${Math.ceil(bytes / 1e6)} MB`;
      throw new Error(`The file has ${megabytes(chosen.size)}, the limit is ` +
        `${megabytes(data.limits.file)}. Split it.`);
    }
    const { content, encoding } = decode(await chosen.arrayBuffer());
    if (encoding !== "utf-8") now.notes.push("The file is not in UTF-8: it was read as GB18030.");
    now.lines = parse(content, chosen.name);
    if (!now.lines.length) throw new Error("The file is empty.");
    now.names = namesOf(now.lines);
    now.notes.push(...noteNames(now.names));
    showFile();
    for (const chunk of chunks(now.lines)) {
      await annotateChunk(chunk, running.signal);
      if (file !== now) return; // another file was chosen
      now.done += chunk.length;
      showFile();
    }
  } catch (error) {
    if (file !== now) return;
    now.problem = error.name === "AbortError" ? "" : error.message;
    if (error.name === "AbortError") now.notes.push("Cancelled.");
  }
  now.running = null;
  showFile();
}

// Shows the progress and the result of the current file.
function showFile() {
  if (file === null) return;
  const { lines, done, problem, running, notes } = file;
  $("file-progress").hidden = !running;
  $("progress").max = lines.length || 1;
  $("progress").value = done;
  $("file-problem").textContent = problem;
  $("download").hidden = Boolean(running) || !done;
  if (running) {
    $("file-status").textContent = `${count(done)} of ${many(lines.length, "line")}`;
    return;
  }
  $("file-status").textContent = done ? [...notes, ...summary(lines.slice(0, done))].join(" ") : notes.join(" ");
}

function summary(lines) {
  let all = 0, shown = 0;
  const errors = [];
  for (const line of lines) {
    if (line.error) errors.push(errorOf(line));
    for (const entity of line.entities ?? []) {
      all++;
      if (isShown(entity)) shown++;
    }
  }
  const parts = [`${file.name}: ${count(lines.length)} of ${many(file.lines.length, "line")} read: ` +
    `${count(shown)} of ${entities(all)}.`];
  if (errors.length) {
    const listed = errors.slice(0, 5).join("; ") + (errors.length > 5 ? "; …" : "");
    parts.push(`${many(errors.length, "line")} could not be read: ${listed}.`);
  }
  return parts;
}

const errorOf = ({ number, error }) => `line ${number}: ${error}`;

// A line of the result.
function outputLine(line) {
  const [name, value] = line.error
    ? [file.names.error, errorOf(line)]
    : [file.names.entities, line.entities.filter(isShown)];
  const comma = line.keys.length ? "," : "";
  return `${line.before}${comma}${JSON.stringify(name)}:${JSON.stringify(value)}}\n`;
}

function download() {
  const lines = file.lines.slice(0, file.done).map(outputLine);
  const url = URL.createObjectURL(new Blob(lines, { type: "application/x-ndjson" }));
  const link = element("a", { href: url, download: `${file.name.replace(/\.\w+$/, "")}.entities.jsonl` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

$("file").addEventListener("click", () => {
  $("file").value = ""; // so that the same file can be chosen again
});
$("file").addEventListener("change", () => {
  const [chosen] = $("file").files;
  if (chosen) annotateFile(chosen);
});
$("cancel").addEventListener("click", () => file.running?.abort());
$("download").addEventListener("click", download);

const hasFile = (event) => event.dataTransfer?.types.includes("Files");
window.addEventListener("dragover", (event) => {
  if (!hasFile(event)) return;
  event.preventDefault();
  document.body.classList.add("dropping");
});
window.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) document.body.classList.remove("dropping");
});
window.addEventListener("drop", (event) => {
  if (!hasFile(event)) return;
  event.preventDefault();
  document.body.classList.remove("dropping");
  annotateFile(event.dataTransfer.files[0]);
});

// The browser may have kept the text when the page was reloaded.
$("text-size").textContent = many(size($("text").value), "character");
noteGates();
findEntities();
