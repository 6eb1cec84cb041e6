// What the browser benches share: a Chromium, a signed-in visitor with an empty
// cache, the moment a screen is usable, and the line a figure is printed as.
import { chromium } from "playwright-core";

const ROUNDS = 5;

/** Address of the server under measurement. */
export const url = process.argv[2];

/** The public sign-in of the demo organization. */
const DEMO = { email: "admin@demo.example", password: "look-around-freely" };

/** In the page: the page's clock once a person can use the organization page, else false. */
export const ORGANIZATION = () => {
  const buttons = [...document.querySelectorAll("button")];
  const create = buttons.some((button) => button.textContent.includes("New integration") && !button.disabled);
  const isUsable = create && document.querySelector("table tbody tr a") !== null;
  return isUsable && performance.now();
};

/** In the page: the page's clock once a person can use the builder, else false. */
export const BUILDER = () =>
  document.querySelector('[aria-label="Flow"] button') !== null && performance.now();

/** Starts the browser and signs in; `visit` then opens a page with an empty cache. */
export async function open() {
  const browser = await chromium.launch({
    executablePath: process.env.SLUICE_CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
  const first = await browser.newContext();
  await call(first, "sign_in", DEMO);
  const { cookies } = await first.storageState();
  await first.close();

  const visit = async () => {
    const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
    await context.addCookies(cookies);
    const page = await context.newPage();
    const session = await context.newCDPSession(page);
    await session.send("Network.enable");
    return { context, page, session };
  };
  return { browser, visit };
}

/** Calls a server function as the page would; returns its answer. */
export async function call(context, name, data) {
  const response = await context.request.post(`${url}/api/${name}`, {
    data,
    headers: { origin: url },
  });
  if (!response.ok()) throw new Error(`${name} answered ${response.status()}: ${await response.text()}`);
  return response.text().then((text) => (text === "" ? null : JSON.parse(text)));
}

/** Waits for a condition in the page, looked at in every frame; returns the page's clock then. */
export async function until(page, condition) {
  const found = await page.waitForFunction(condition, undefined, { polling: "raf", timeout: 60_000 });
  return found.jsonValue();
}

/** Takes a measurement once to warm up and then in rounds; returns the median of each number. */
export async function rounds(measure) {
  await measure();
  const taken = [];
  for (let round = 0; round < ROUNDS; round += 1) taken.push(await measure());
  const names = Object.keys(taken[0]);
  return Object.fromEntries(
    names.map((name) => {
      const values = taken.map((numbers) => numbers[name]).sort((a, b) => a - b);
      return [name, values[(values.length - 1) / 2]];
    }),
  );
}

/** Prints one figure on standard output, beside its baseline if it has one. */
export function figure(name, value, unit, goal, baseline) {
  const round = (number) => Math.round(number * 1000) / 1000;
  const beside = baseline === undefined ? {} : { baseline: round(baseline), ratio: round(value / baseline) };
  console.log(JSON.stringify({ figure: name, value: round(value), unit, ...beside, goal }));
}
