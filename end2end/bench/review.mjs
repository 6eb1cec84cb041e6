// open_review_1000_ms, scroll_frame_p95_ms: the review of a change of 1,000 steps with 100 edits.
//     node bench/review.mjs URL FILE
// FILE is what `cargo run -p domain --release --example bench -- --write FILE` wrote.
import { readFile } from "node:fs/promises";
import { call, figure, open, rounds, until, url } from "./browser.mjs";

const SCROLLS = 120;
const STRIDE = 240;

const [pair] = JSON.parse(await readFile(process.argv[3], "utf8")).pairs;

const { browser, visit } = await open();
const { context: maker } = await visit();
const first = await call(maker, "create_integration", { name: "A large one", document: pair.document });
const publish = { id: first, revision: 1, note: "", reason: "The bench has nobody to review it." };
await call(maker, "publish", publish);
const { integration } = await call(maker, "read_draft", { id: first });
const draft = await call(maker, "start_draft", { integration, title: "A hundred edits" });
const save = { id: crypto.randomUUID(), expected: 1, edits: pair.edits };
await call(maker, "save_draft", { id: draft, by: null, save });
const asked = { draft, title: "A hundred edits", description: "", reviewers: [] };
const review = await call(maker, "create_review", asked);
await maker.close();

/** In the page: the page's clock once a person can read the first change, else false. */
const REVIEW = () => document.querySelector(".change-list .change") !== null && performance.now();

const seen = await rounds(async () => {
  const { context, page } = await visit();
  await page.goto(`${url}/reviews/${review}`, { waitUntil: "commit" });
  const opened = await until(page, REVIEW);
  const elements = await page.evaluate(() => document.querySelectorAll("*").length);
  await page.mouse.move(500, 600);
  await page.evaluate(() => {
    globalThis.frames = [];
    let last = performance.now();
    const next = (now) => {
      globalThis.frames.push(now - last);
      last = now;
      requestAnimationFrame(next);
    };
    requestAnimationFrame(next);
  });
  for (let scroll = 0; scroll < SCROLLS; scroll += 1) await page.mouse.wheel(0, STRIDE);
  const frame = await page.evaluate(() => {
    const sorted = globalThis.frames.sort((a, b) => a - b);
    return sorted[Math.floor(sorted.length * 0.95)];
  });
  await context.close();
  return { opened, frame, elements };
});
await browser.close();

figure("open_review_1000_ms", seen.opened, "ms", 1_000);
figure("scroll_frame_p95_ms", seen.frame, "ms", 16.7);
console.error(`The page had ${seen.elements} elements when it could be read.`);
