// first_screen_bytes, wasm_raw_bytes, builder_bytes: what a first visit downloads.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { BUILDER, ORGANIZATION, call, figure, open, rounds, until, url } from "./browser.mjs";

/** Counts all bytes of a page's answers as sent, headers included. */
function counter(session) {
  const finished = new Map();
  const underWay = new Map();
  session.on("Network.dataReceived", ({ requestId, encodedDataLength }) => {
    underWay.set(requestId, (underWay.get(requestId) ?? 0) + encodedDataLength);
  });
  session.on("Network.loadingFinished", ({ requestId, encodedDataLength }) => {
    finished.set(requestId, encodedDataLength);
  });
  const sum = (numbers) => [...numbers].reduce((total, number) => total + number, 0);
  return () => {
    const open = [...underWay].filter(([id]) => !finished.has(id)).map(([, bytes]) => bytes);
    return sum(finished.values()) + sum(open);
  };
}

const { browser, visit } = await open();
const seen = await rounds(async () => {
  const { context, page, session } = await visit();
  const bytes = counter(session);
  await page.goto(url);
  await until(page, ORGANIZATION);
  // What is on its way at this moment belongs to the first screen as well.
  await page.waitForLoadState("load");
  const first = bytes();

  const integrations = await call(context, "integrations", {});
  const drafts = integrations.flatMap(({ drafts }) => drafts);
  if (drafts.length === 0) throw new Error("The demo organization has no draft to open.");
  await page.evaluate((path) => {
    const link = document.createElement("a");
    link.href = path;
    document.body.append(link);
    link.click();
    link.remove();
  }, `/drafts/${drafts[0].id}`);
  await until(page, BUILDER);
  const builder = bytes() - first;
  await context.close();
  return { first, builder };
});
await browser.close();

const pkg = join(process.env.SLUICE_SITE, "pkg");
const names = JSON.parse(readFileSync(join(pkg, "manifest.json"), "utf8"));
const module = readFileSync(join(process.env.SLUICE_SITE, names.module));
const lazy = names.lazy.map((part) => readFileSync(join(process.env.SLUICE_SITE, part)).length);

figure("first_screen_bytes", seen.first, "bytes", 300_000);
figure("wasm_raw_bytes", lazy.reduce((total, bytes) => total + bytes, module.length), "bytes", 1_500_000);
figure("builder_bytes", seen.builder, "bytes", 350_000);
