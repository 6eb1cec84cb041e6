// Opens the built page's module in Chromium, without the page: a tiny server for the site folder,
// an empty document, and the module's `probe`.
import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { extname, join, normalize } from "node:path";
import { chromium } from "playwright-core";

const TYPES = { ".js": "text/javascript", ".wasm": "application/wasm", ".json": "application/json" };

/** Serves a folder on a free port of this machine; isolated, so that its clock is a fine one. */
async function serve(site) {
  const server = createServer(async (request, response) => {
    const headers = {
      "Cross-Origin-Opener-Policy": "same-origin",
      "Cross-Origin-Embedder-Policy": "require-corp",
    };
    const path = normalize(new URL(request.url, "http://x").pathname);
    if (path === "/") {
      response.writeHead(200, { ...headers, "Content-Type": "text/html" });
      response.end("<!doctype html><title>probe</title>");
      return;
    }
    try {
      const body = await readFile(join(site, path));
      response.writeHead(200, { ...headers, "Content-Type": TYPES[extname(path)] ?? "text/plain" });
      response.end(body);
    } catch {
      response.writeHead(404, headers).end();
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

/** Returns `ask(request)`, which gives the module's answer (both are JSON texts), and `close()`. */
export async function openModule(site) {
  const server = await serve(site);
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
  const page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${server.address().port}/`);
  await page.evaluate(async () => {
    const built = await (await fetch("/pkg/manifest.json")).json();
    const bindings = await import(built.script);
    await bindings.default({ module_or_path: built.module });
    window.probe = bindings.probe;
  });
  return {
    ask: (request) => page.evaluate((text) => window.probe(text), request),
    close: async () => {
      await browser.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
