// The prototype behind decision 6: a flow of 1,000 cards drawn as HTML cards of which only those in
// view are in the page, and as one <canvas> with levels of detail, side by side.
//     node bench/drawing.mjs
// It needs no server. Prints, for each: milliseconds of the main thread per frame (script, style,
// layout, paint) while the flow is scrolled at full size, and while it is zoomed with all of it in view.
import { chromium } from "playwright-core";

const FRAMES = 180;
const ROUNDS = 5;

/** Builds the page in the browser; leaves `draw(scroll, zoom)` behind. */
function build(kind) {
  const CARD = { width: 304, height: 64, column: 340, row: 108 };
  const columns = 5;
  const cards = Array.from({ length: 1_000 }, (_, number) => ({
    x: (number % columns) * CARD.column + 20,
    y: Math.floor(number / columns) * CARD.row + 20,
    kind: "HTTP request",
    name: `Fetch the order ${number}`,
  }));
  const view = { width: innerWidth, height: innerHeight };
  document.body.style.cssText = "margin:0;overflow:hidden;background:#f5f5f8;font:14px/20px sans-serif";
  const within = (scroll, zoom) => {
    const [top, bottom] = [scroll / zoom - 160, (scroll + view.height) / zoom + 160];
    return cards.filter((card) => card.y + CARD.height > top && card.y < bottom && card.x * zoom < view.width);
  };
  if (kind === "canvas") {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [view.width, view.height];
    document.body.append(canvas);
    const context = canvas.getContext("2d");
    const icon = new Path2D("M2 12a10 10 0 1 0 20 0a10 10 0 1 0 -20 0zM12 2a14.5 14.5 0 0 0 0 20 14.5 14.5 0 0 0 0-20M2 12h20");
    globalThis.draw = (scroll, zoom) => {
      context.setTransform(1, 0, 0, 1, 0, 0);
      context.clearRect(0, 0, view.width, view.height);
      context.setTransform(zoom, 0, 0, zoom, 0, -scroll);
      for (const { x, y, kind, name } of within(scroll, zoom)) {
        context.beginPath();
        context.roundRect(x, y, CARD.width, CARD.height, 8);
        context.fillStyle = "#fff";
        context.fill();
        context.strokeStyle = "#d5d5de";
        context.stroke();
        context.beginPath();
        context.moveTo(x + CARD.width / 2, y + CARD.height);
        context.lineTo(x + CARD.width / 2, y + CARD.row);
        context.stroke();
        if (zoom < 0.35) continue;
        context.save();
        context.translate(x + 34, y + 22);
        context.strokeStyle = "#5b4ccc";
        context.stroke(icon);
        context.restore();
        context.fillStyle = "#6a6a78";
        context.font = "12px sans-serif";
        context.fillText(kind, x + 72, y + 26);
        context.fillStyle = "#18181b";
        context.font = "600 14px sans-serif";
        context.fillText(name, x + 72, y + 46);
      }
    };
    return;
  }
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(`
    .world { position: absolute; inset: 0 auto auto 0; transform-origin: 0 0; will-change: transform; }
    .card { position: absolute; inset: 0 auto auto 0; display: flex; gap: 12px; align-items: center; box-sizing: border-box; inline-size: 304px; block-size: 64px; padding-inline-start: 34px; border: 1px solid #d5d5de; border-radius: 8px; background: #fff; }
    .card svg { inline-size: 24px; fill: none; stroke: #5b4ccc; overflow: visible; }
    .card small { color: #6a6a78; }
    .card b { display: block; }
    .far svg, .far span { display: none; }
    .lines { position: absolute; overflow: visible; fill: none; stroke: #d5d5de; }`);
  document.adoptedStyleSheets = [sheet];
  const world = document.createElement("div");
  world.className = "world";
  world.innerHTML = '<svg class="lines" width="1" height="1"><path></path></svg>';
  document.body.append(world);
  const shown = new Map();
  let drawn = null;
  globalThis.draw = (scroll, zoom) => {
    world.style.transform = `translateY(${-scroll}px) scale(${zoom})`;
    world.classList.toggle("far", zoom < 0.35);
    // As the builder does, what is in view is looked at again after each 160 units.
    const step = `${Math.floor(scroll / zoom / 160)} ${zoom}`;
    if (step === drawn) return;
    drawn = step;
    const now = new Set(within(scroll, zoom));
    for (const [card, element] of shown) {
      if (!now.has(card)) (element.remove(), shown.delete(card));
    }
    let path = "";
    for (const card of now) {
      const { x, y, kind, name } = card;
      path += `M${x + 152} ${y + 64}V${y + 108}`;
      if (shown.has(card)) continue;
      const element = document.createElement("div");
      element.className = "card";
      element.tabIndex = -1;
      element.style.translate = `${x}px ${y}px`;
      element.innerHTML = `<svg viewBox="0 0 24 24"><path d="M2 12a10 10 0 1 0 20 0a10 10 0 1 0 -20 0zM12 2a14.5 14.5 0 0 0 0 20 14.5 14.5 0 0 0 0-20M2 12h20"></path></svg><span><small>${kind}</small><b>${name}</b></span>`;
      world.append(element);
      shown.set(card, element);
    }
    world.firstElementChild.firstElementChild.setAttribute("d", path);
  };
}

/** In the page: draws frame after frame, at a place and zoom that `at` says. */
async function run([frames, motion]) {
  const at = motion === "scroll" ? (n) => [n * 100, 1] : (n) => [0, 0.042 + 0.0001 * (n % 20)];
  for (let number = 0; number < frames; number += 1) {
    await new Promise((next) => requestAnimationFrame(next));
    globalThis.draw(...at(number));
  }
}

const browser = await chromium.launch({
  executablePath: process.env.SLUICE_CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu"],
});
const taken = {};
for (let round = 0; round <= ROUNDS; round += 1) {
  for (const kind of ["cards", "canvas"]) {
    for (const motion of ["scroll", "zoom"]) {
      const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
      await page.evaluate(build, kind);
      await page.evaluate(run, [5, motion]);
      await browser.startTracing(page, { categories: ["devtools.timeline", "cc", "viz"] });
      await page.evaluate(run, [FRAMES, motion]);
      const { traceEvents } = JSON.parse(await browser.stopTracing());
      const sum = (...names) => {
        const found = traceEvents.filter(({ ph, name }) => ph === "X" && names.includes(name));
        return found.reduce((all, { dur }) => all + dur / 1000, 0) / FRAMES;
      };
      const main = sum("ProxyMain::BeginMainFrame");
      const raster = sum("RasterTask");
      const elements = await page.evaluate(() => document.querySelectorAll("*").length);
      await page.close();
      if (round > 0) (taken[`${kind} ${motion}`] ??= []).push({ main, raster, elements });
    }
  }
}
await browser.close();
for (const [what, rounds] of Object.entries(taken)) {
  const median = (name) => rounds.map((round) => round[name]).sort((a, b) => a - b)[(ROUNDS - 1) / 2];
  console.log(
    `${what}: main thread ${median("main").toFixed(2)} ms a frame, raster ${median("raster").toFixed(2)} ms a frame, ${median("elements")} elements`,
  );
}
