// The group `editor`: opening, typing, selecting, adding, undo and dragging on 1,000 steps in 5
// levels, beside 20 steps in the same rounds; opening also on 5,000. What the figures mean is said
// where they are printed. FILE is what `cargo run -p domain --release --example bench -- --write FILE` wrote.
import { readFile } from "node:fs/promises";
import { BUILDER, call, figure, open, rounds, until, url } from "./browser.mjs";

const LETTERS = 40;
const ARROWS = 30;
const CLICKS = 15;
const ADDED = 6;
/** The longest that a drag goes on before it has reached the end, in milliseconds. */
const DRAG_MS = 30_000;

const { sizes } = JSON.parse(await readFile(process.argv[3], "utf8"));

const { browser, visit } = await open();
const { context: maker } = await visit();
const drafts = {};
for (const [size, document] of Object.entries(sizes)) {
  drafts[size] = await call(maker, "create_integration", { name: `${size} steps`, document });
}
await maker.close();

/** In the page: notes how long each interaction takes until it is painted, and each frame. */
const watch = () => {
  globalThis.longest = new Map();
  new PerformanceObserver((list) => {
    for (const { interactionId, duration, name } of list.getEntries()) {
      if (!interactionId) continue;
      const before = globalThis.longest.get(interactionId)?.duration ?? 0;
      if (duration > before) globalThis.longest.set(interactionId, { duration, name });
    }
  }).observe({ type: "event", durationThreshold: 16, buffered: true });
  let last = 0;
  globalThis.frames = [];
  const next = (now) => {
    if (last) globalThis.frames.push(now - last);
    last = now;
    requestAnimationFrame(next);
  };
  requestAnimationFrame(next);
};

/** The value below which so much of the numbers lies. */
const quantile = (numbers, part) => [...numbers].sort((a, b) => a - b)[Math.min(numbers.length - 1, Math.floor(numbers.length * part))];

const settled = (page) => page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));

/** Works on the flow as a person does. */
async function work(page) {
  const { keyboard } = page;
  const flow = page.locator("#flow");
  const middle = await flow.boundingBox();
  await flow.evaluate((flow) => flow.scrollTo({ top: flow.scrollHeight / 2, left: (flow.scrollWidth - flow.clientWidth) / 2 }));
  await settled(page);
  const cards = page.locator(".step-item > .card > .card-main");
  // Lanes stand side by side: the middle of a wide flow may be empty.
  await cards.last().evaluate((card) => card.scrollIntoView({ block: "center", inline: "center" }));
  await settled(page);
  const inView = await cards.evaluateAll((all, { x, y, width, height }) => {
    const right = x + width;
    const seen = (card) => { const box = card.getBoundingClientRect(); return box.top > y + 60 && box.bottom < y + height - 80 && box.left > 0 && box.right < right; };
    return all.filter(seen).map((card) => card.id);
  }, middle);
  for (let at = 0; at < CLICKS; at += 1) {
    await page.locator(`#${inView[at % inView.length]}`).click();
    await settled(page);
  }
  for (let at = 0; at < ARROWS; at += 1) {
    await keyboard.press(at < ARROWS / 2 ? "ArrowDown" : "ArrowUp");
    await settled(page);
  }
  await keyboard.press("Enter");
  await page.locator("#panel input").first().focus();
  for (let at = 0; at < LETTERS; at += 1) {
    await keyboard.press("a");
    await settled(page);
  }
  const first = page.locator(`#${inView[0]}`);
  for (let at = 0; at < ADDED; at += 1) {
    await first.click();
    await settled(page);
    await keyboard.press("+");
    await page.locator("#picker-list").waitFor();
    await keyboard.type("log");
    await keyboard.press("Enter");
    await settled(page);
  }
  for (let at = 0; at < ADDED; at += 1) {
    await keyboard.press("Control+z");
    await settled(page);
  }
}

/** Drags the first card at the lower edge until the flow ends; returns the frames of that. */
async function drag(page) {
  const { mouse } = page;
  await page.locator("#flow").evaluate((flow) => flow.scrollTo({ top: 0, left: (flow.scrollWidth - flow.clientWidth) / 2 }));
  await settled(page);
  const flow = await page.locator("#flow").boundingBox();
  const card = await page.locator(".step-item > .card > .card-main").first().boundingBox();
  await mouse.move(card.x + 60, card.y + 20);
  await mouse.down();
  await mouse.move(card.x + 60, card.y + 60);
  await page.evaluate(() => { globalThis.frames = []; });
  await mouse.move(card.x + 60, flow.y + flow.height - 2, { steps: 4 });
  await page.evaluate((limit) => new Promise((done) => {
    const flow = document.querySelector("#flow");
    const begun = performance.now();
    const look = (now) => {
      const atEnd = flow.scrollTop >= flow.scrollHeight - flow.clientHeight - 2;
      if (atEnd || now - begun > limit) done(); else requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  }), DRAG_MS);
  const frames = await page.evaluate(() => globalThis.frames);
  const elements = await page.evaluate(() => document.querySelectorAll("*").length);
  await page.keyboard.press("Escape");
  await mouse.up();
  return { frames, elements };
}

/** All that the page keeps: JavaScript, elements, and the module's memory. */
async function memory(session) {
  await session.send("HeapProfiler.collectGarbage");
  const { usedSize, embedderHeapUsedSize, backingStorageSize } = await session.send("Runtime.getHeapUsage");
  return (usedSize + embedderHeapUsedSize + backingStorageSize) / 1e6;
}

async function session(size) {
  const { context, page, session } = await visit();
  await page.addInitScript(watch);
  await page.goto(`${url}/drafts/${drafts[size]}`, { waitUntil: "commit" });
  const opened = await until(page, BUILDER);
  await settled(page);
  const elements = await page.evaluate(() => document.querySelectorAll("*").length);
  if (size === "5000") {
    await context.close();
    return { opened };
  }
  await work(page);
  const worked = await page.evaluate(() => ({ all: [...globalThis.longest.values()], count: performance.interactionCount, elements: document.querySelectorAll("*").length }));
  const quick = Math.max(0, worked.count - worked.all.length);
  const durations = [...worked.all.map(({ duration }) => duration), ...Array(quick).fill(16)];
  const slow = worked.all.filter(({ duration }) => duration > 50);
  if (slow.length) console.error(`${size} steps, slow interactions: ${slow.map(({ name, duration }) => `${name} ${duration}`).join(", ")}`);
  const { frames, elements: dragged } = await drag(page);
  const kept = await memory(session);
  await context.close();
  return {
    opened,
    inp: quantile(durations, 0.98),
    frame: quantile(frames, 0.95),
    slowest: Math.max(...frames),
    elements: Math.max(elements, worked.elements, dragged),
    memory: kept,
  };
}

const seen = await rounds(async () => {
  const [small, large, largest] = [await session("20"), await session("1000"), await session("5000")];
  const named = (of, numbers) => Object.fromEntries(Object.entries(numbers).map(([name, value]) => [of + name, value]));
  return { ...named("small_", small), ...named("large_", large), ...named("largest_", largest) };
});
await browser.close();

// From the click on the link (a first visit, nothing kept) until a card can be used.
figure("open_1000_ms", seen.large_opened, "ms", 800, seen.small_opened);
figure("open_5000_ms", seen.largest_opened, "ms", 1_500, seen.small_opened);
// Of all presses and clicks, until what they change is painted.
figure("inp_p98_ms", seen.large_inp, "ms", 50, seen.small_inp);
// While a card is dragged from the first step to the last.
figure("drag_frame_p95_ms", seen.large_frame, "ms", 16.7, seen.small_frame);
figure("drag_frame_max_ms", seen.large_slowest, "ms", 50, seen.small_slowest);
// At most, after opening, working and dragging.
figure("dom_elements", seen.large_elements, "elements", 3_000, seen.small_elements);
figure("page_memory_mb", seen.large_memory, "MB", 120, seen.small_memory);
