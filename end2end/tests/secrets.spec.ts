// Planted secrets are found nowhere in a browser: no answer, no storage, no page holds them, whatever was done.
import { appendFileSync } from "node:fs";
import type { Page, Response } from "@playwright/test";

import { create, document, publish, step } from "../fixtures/document.ts";
import { expect, test } from "../fixtures/test.ts";

const secret = "planted+secret/of=the?browser&~";
const text = Buffer.from(secret);
/** Every form in which the secret could be found. */
const forms = [
  secret,
  JSON.stringify(secret).slice(1, -1),
  JSON.stringify(JSON.stringify(secret)).slice(1, -1),
  encodeURIComponent(secret),
  encodeURIComponent(secret).replaceAll("%20", "+"),
  text.toString("hex"),
  text.toString("base64").replaceAll("=", ""),
  text.toString("base64url"),
];

/** Returns all that the browser keeps for our site. */
function kept(page: Page): Promise<string> {
  return page.evaluate(async () => {
    const parts = [JSON.stringify({ ...localStorage }), JSON.stringify({ ...sessionStorage }), document.cookie];
    for (const { name } of await indexedDB.databases()) {
      const opened = await new Promise<IDBDatabase>((done, failed) => {
        const asked = indexedDB.open(name!);
        asked.onsuccess = () => done(asked.result);
        asked.onerror = () => failed(asked.error);
      });
      for (const store of opened.objectStoreNames) {
        const rows = await new Promise<unknown[]>((done, failed) => {
          const asked = opened.transaction(store).objectStore(store).getAll();
          asked.onsuccess = () => done(asked.result);
          asked.onerror = () => failed(asked.error);
        });
        parts.push(JSON.stringify(rows));
      }
      opened.close();
    }
    for (const name of await caches.keys()) {
      for (const request of await (await caches.open(name)).keys()) {
        parts.push(request.url);
      }
    }
    parts.push(window.name, history.state === null ? "" : JSON.stringify(history.state), location.href);
    return parts.join("\n");
  });
}

test("a secret that is typed into a connection never comes back to a browser", async ({ organization, signedIn, target }) => {
  const { admin } = organization.as;
  const origin = new URL(target.url("/")).origin;
  // As a careless service does.
  target.answer("/fine", 200, { you_sent: `Bearer ${secret}`, in: { base64: text.toString("base64"), hex: text.toString("hex") } });
  target.answer("/wrong", 500, { you_sent: secret, url: `https://example.com/?token=${encodeURIComponent(secret)}` });
  const page = await signedIn("admin");
  const found: string[] = [];
  let searched = 0;
  const search = (where: string, what: string) => {
    searched += 1;
    const form = forms.find((form) => what.includes(form));
    if (form !== undefined) {
      found.push(`${where} holds ${form}`);
    }
  };
  const answers: Promise<void>[] = [];
  const watch = (watched: Page) =>
    watched.on("response", (response: Response) => {
      const read = async () => {
        search(`the address ${response.url()}`, response.url());
        search(`the headers of ${response.url()}`, JSON.stringify(await response.allHeaders()));
        if (!response.url().endsWith("/live")) {
          search(`the answer of ${response.url()}`, await response.text().catch(() => ""));
        }
      };
      answers.push(read().catch(() => undefined));
    });
  watch(page);
  const look = async (where: string, looked: Page = page) => {
    search(`the page ${where}`, await looked.content());
    search(`the fields of ${where}`, await looked.evaluate(() =>
      [...document.querySelectorAll("input, textarea")].map((field) => (field as HTMLInputElement).value).join("\n")));
    search(`what is kept at ${where}`, await kept(looked));
  };

  // Typed by a person, once.
  await page.goto("/settings/connections");
  await page.getByRole("button", { name: "New connection" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Name", { exact: true }).fill("Planted");
  await dialog.getByLabel("Kind").selectOption("Bearer token");
  await dialog.getByLabel("Origins").fill(origin);
  await dialog.getByLabel("Token", { exact: true }).fill(secret);
  await dialog.getByRole("button", { name: "Keep the connection" }).click();
  await expect(dialog).toBeHidden();
  await expect(page.getByRole("heading", { name: "Planted" })).toBeVisible();
  await look("connections");
  await page.getByRole("button", { name: "Edit “Planted”" }).click();
  await expect(dialog).toBeVisible();
  await look("the form of the connection");
  await page.keyboard.press("Escape");

  // Used by a run that succeeds and one that fails, and told back by the service each time.
  const [connection] = (await admin.call("connections")).filter((one: { name: string }) => one.name === "Planted");
  for (const path of ["/fine", "/wrong"]) {
    const call = step("Call", "http.request", { method: "GET", url: target.url(path), connection: connection.id });
    const made = document("manual", [call]);
    const { integration } = await publish(admin, await create(admin, `Uses it at ${path}`, made));
    const run = await admin.call<string>("start_manual", { id: integration, payload: {} });
    await expect.poll(async () => (await admin.call("read_run", { id: run })).summary.state).toMatch(/succeeded|failed/);
    await page.goto(`/runs/${run}`);
    await expect(page.getByRole("main")).toContainText("Call");
    for (const button of await page.getByRole("main").getByRole("button", { expanded: false }).all()) {
      await button.click();
    }
    await look(`the run at ${path}`);
    const draft = await admin.call<string>("start_draft", { integration, title: "Change" });
    await page.goto(`/drafts/${draft}`);
    await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
    await look(`the builder at ${path}`);
    const review = await organization.as.collaborator.call<string>("create_review", {
      draft, title: "Look", description: "", reviewers: [],
    }).catch(() => null);
    if (review !== null) {
      await page.goto(`/reviews/${review}`);
      await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
      await look(`the review at ${path}`);
    }
  }
  for (const path of ["/", "/runs", "/settings/network", "/settings/connections", "/settings/members"]) {
    await page.goto(path);
    await expect(page.getByRole("main")).toBeVisible();
    await look(path);
  }
  const reader = await signedIn("reader");
  watch(reader);
  await reader.goto("/settings/connections");
  await expect(reader.getByText("Planted")).toBeVisible();
  await look("connections, as a Reader", reader);
  await Promise.all(answers);
  // The service had it, so it was used at all.
  expect(target.at("/fine")[0]!.headers["authorization"]).toContain("planted");
  const report = process.env.SLUICE_SECRETS_REPORT;
  if (report) {
    appendFileSync(report, `canaries=1 places=${searched} found=${found.length}\n`);
  }
  expect(searched).toBeGreaterThan(100);
  expect(found).toEqual([]);
});
