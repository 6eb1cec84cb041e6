// first_screen_ms, lcp_ms: a first visit with a slow processor on a slow line.
import { ORGANIZATION, figure, open, rounds, until, url } from "./browser.mjs";

const MEGABITS = 10;
const LATENCY_MS = 40;
const SLOWER = 4;

const { browser, visit } = await open();
const seen = await rounds(async () => {
  const { context, page, session } = await visit();
  const bytesPerSecond = (MEGABITS * 1_000_000) / 8;
  await session.send("Network.emulateNetworkConditions", {
    offline: false,
    latency: LATENCY_MS,
    downloadThroughput: bytesPerSecond,
    uploadThroughput: bytesPerSecond,
  });
  await session.send("Emulation.setCPUThrottlingRate", { rate: SLOWER });
  await page.addInitScript(() => {
    window.largestPaint = 0;
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) window.largestPaint = entry.startTime;
    }).observe({ type: "largest-contentful-paint", buffered: true });
  });
  await page.goto(url, { waitUntil: "commit" });
  const usable = await until(page, ORGANIZATION);
  await page.waitForLoadState("load");
  // Two frames: the paint of what made the page usable is reported by then.
  const lcp = await page.evaluate(
    () =>
      new Promise((done) => {
        requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(() => done(window.largestPaint))));
      }),
  );
  await context.close();
  return { usable, lcp };
});
await browser.close();

figure("first_screen_ms", seen.usable, "ms", 2_000);
figure("lcp_ms", seen.lcp, "ms", 1_200);
