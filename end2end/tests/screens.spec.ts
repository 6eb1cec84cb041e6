// Every screen in light and dark: no rule of WCAG 2.2 AA is broken, nothing sticks out at the
// side, and a picture of each is kept in test-results/screens.
import { randomUUID } from "node:crypto";
import { mkdirSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "@playwright/test";

import type { Api } from "../fixtures/api.ts";
import { expectAccessible } from "../fixtures/axe.ts";
import { Builder } from "../fixtures/builder.ts";
import { create, document, publish, save, setField, step, type Document, type Step } from "../fixtures/document.ts";
import { contextOf, expect, PASSWORD, test, watched, type Role } from "../fixtures/test.ts";

const folder = fileURLToPath(new URL("../test-results/screens", import.meta.url));
const themes = ["light", "dark"] as const;

/** What there is to look at. */
interface Things {
  integration: string;
  draft: string;
  failing: string;
  /** A draft that changed what live changed too. */
  behind: string;
  /** A draft that lacks nothing but an approval. */
  ready: string;
  runs: { succeeded: string; failed: string };
}

let things: Things | undefined;

test.beforeAll(async ({ organization }) => {
  mkdirSync(folder, { recursive: true });
  things ??= await furnish(organization.as);
});

for (const theme of themes) {
  test(`every screen is accessible in the ${theme} theme at 1440 px`, async ({ browser, organization }) => {
    test.slow();
    const { admin } = organization.as;
    const page = await pageOf(browser, admin, theme, 1440);
    const { integration, draft, failing, runs } = things!;
    const look = (name: string) => keep(page, `${name}-${theme}-1440`);

    await page.goto("/");
    await expect(page.getByRole("link", { name: "Orders to warehouse" })).toBeVisible();
    await look("organization");
    await page.getByRole("button", { name: /^Account of/ }).click();
    await expect(page.getByRole("menuitem", { name: "Sign out" })).toBeVisible();
    await look("organization-menu");

    await page.goto("/new");
    await page.getByRole("textbox", { name: "Name" }).fill("Nightly stock");
    await page.getByRole("radio", { name: /Schedule/ }).check();
    await expect(page.getByRole("time")).toHaveCount(5);
    await look("new");
    await page.getByRole("textbox", { name: "Name" }).fill("");
    await page.getByRole("button", { name: "Create integration" }).click();
    await expect(page.getByRole("textbox", { name: "Name" })).toHaveAccessibleDescription(/name is missing/);
    await look("new-refused");

    await page.goto(`/integrations/${integration}`);
    await expect(page.getByRole("heading", { level: 1 })).toHaveText("Orders to warehouse");
    await expect(page.getByRole("code").first()).toBeVisible();
    await look("integration");
    await page.goto(`/integrations/${integration}/versions/1`);
    await expect(page.getByRole("main")).toContainText("Ask warehouse");
    await look("version");

    const builder = new Builder(page);
    await builder.open(draft);
    await look("builder-trigger");
    await builder.select("Ask warehouse");
    await look("builder-step");
    await builder.card("By size").click();
    await look("builder-branch");
    await page.getByRole("button", { name: /^Add a step after Ask warehouse/ }).click();
    await page.getByRole("combobox", { name: "Search for a step" }).fill("h");
    await look("builder-picker");
    await page.keyboard.press("Escape");
    await builder.test(sample);
    await builder.select("Ask warehouse");
    await look("builder-test");
    await page.getByRole("button", { name: "Close the test" }).click();
    await page.getByRole("button", { name: "Publish", exact: true }).click();
    await expect(page.getByRole("dialog", { name: "Publish this draft" })).toBeVisible();
    await look("builder-publish-behind");
    await builder.open(failing);
    await builder.select("Wrong");
    await look("builder-problem");
    await page.getByRole("button", { name: /^\d+ problems?$/ }).click();
    await expect(page.getByRole("dialog", { name: "Problems" })).toBeVisible();
    await look("builder-problems");

    await page.goto("/runs");
    await expect(page.getByRole("main")).toContainText("Failed");
    await look("runs");
    await page.goto(`/runs/${runs.succeeded}`);
    await expect(page.getByRole("main")).toContainText("Ask warehouse");
    await look("run-succeeded");
    await page.goto(`/runs/${runs.failed}`);
    await expect(page.getByRole("main")).toContainText("Failed");
    await look("run-failed");

    await page.goto("/settings/members");
    await expect(page.getByRole("main")).toContainText("reader@example.com");
    await look("members");
    await page.goto("/settings/network");
    await expect(page.getByRole("main")).toContainText("127.0.0.0/8");
    await look("network");
    await page.goto("/settings/alerts");
    await expect(page.getByRole("switch", { name: "E-mail me when integrations fail" })).toBeVisible();
    await look("alerts");
    await page.goto("/settings/retention");
    await expect(page.getByRole("main")).toContainText("Runs are kept for 30 days");
    await look("retention");
    await page.goto("/nowhere");
    await expect(page.getByRole("heading", { level: 1 })).toHaveText("Nothing is here");
    await look("nowhere");
    await page.goto("/drafts/00000000-0000-7000-8000-000000000000");
    await expect(page.getByRole("alert")).toContainText("not there");
    await look("draft-not-found");
    await page.context().close();
  });

  test(`what leads to a version is accessible in the ${theme} theme`, async ({ browser, organization }) => {
    test.slow();
    const { integration, ready, behind } = things!;
    for (const width of [1440, 390]) {
      const page = await pageOf(browser, organization.as.admin, theme, width);
      const look = (name: string) => keep(page, `${name}-${theme}-${width}`);
      const builder = new Builder(page);
      await builder.open(ready);
      await page.getByRole("button", { name: "Create review" }).click();
      const creating = page.getByRole("dialog", { name: "Create a review" });
      await creating.getByRole("textbox", { name: /^Description/ }).fill("So that **large** orders\n\n- are asked about\n- are not lost");
      await creating.getByRole("combobox", { name: /^Reviewers/ }).fill("test");
      await expect(creating.getByRole("option").first()).toBeVisible();
      await look("builder-review");
      await creating.getByRole("combobox", { name: /^Reviewers/ }).press("Enter");
      const preview = creating.getByRole("tab", { name: "Preview" });
      if (await preview.isVisible()) await preview.click();
      await look("builder-review-preview");
      await builder.open(ready);
      const publishing = await builder.publishing();
      await look("builder-publish");
      await publishing.getByRole("button", { name: "Publish without approval…" }).click();
      await publishing.getByText("All changes against what is live").click();
      await look("builder-publish-without-approval");
      await builder.open(behind);
      await page.getByRole("button", { name: "Bring up to date…" }).first().click();
      await expect(builder.merging().getByRole("radio").first()).toBeVisible();
      await builder.merging().getByRole("radio", { name: "Write another" }).first().check();
      await look("builder-merge");

      await page.goto("/inbox");
      await expect(page.getByRole("main")).toContainText("Ask politely");
      await look("inbox");
      await page.goto("/settings/review");
      await expect(page.getByRole("main")).toContainText("Own policy");
      await look("policy");
      await page.getByRole("button", { name: "Change the policy of Orders to warehouse" }).click();
      await look("policy-of-integration");
      await page.goto("/settings/review");
      await page.getByRole("button", { name: "Name owners" }).click();
      await look("policy-owners");
      await page.goto(`/integrations/${integration}/compare/1/2`);
      await expect(page.getByRole("region", { name: "What differs" })).toContainText("Modified");
      await look("compare");
      await page.goto(`/integrations/${integration}/versions/2`);
      await expect(page.getByRole("main")).toContainText("Published without approval");
      await look("version-without-approval");
      await page.goto(`/integrations/${integration}/versions/1`);
      await page.getByRole("button", { name: "Roll back to it…" }).click();
      await page.getByRole("radio", { name: "At once" }).check();
      await look("version-roll-back");
      await page.context().close();
    }
  });

  test(`the screens for reading are accessible in the ${theme} theme at 390 px`, async ({ browser, organization }) => {
    const page = await pageOf(browser, organization.as.admin, theme, 390);
    const { integration, runs } = things!;
    for (const [name, path, shows] of [
      ["organization", "/", "Orders to warehouse"],
      ["integration", `/integrations/${integration}`, "Orders to warehouse"],
      ["version", `/integrations/${integration}/versions/1`, "Ask warehouse"],
      ["runs", "/runs", "Orders to warehouse"],
      ["run-succeeded", `/runs/${runs.succeeded}`, "Ask warehouse"],
      ["run-failed", `/runs/${runs.failed}`, "Failed"],
      ["members", "/settings/members", "reader@example.com"],
      ["network", "/settings/network", "127.0.0.0/8"],
      ["alerts", "/settings/alerts", "E-mail me when integrations fail"],
      ["retention", "/settings/retention", "Runs are kept for 30 days"],
    ] as const) {
      await page.goto(path);
      await expect(page.getByRole("main")).toContainText(shows);
      await keep(page, `${name}-${theme}-390`);
    }
    await page.context().close();
  });

  test(`a Reader's screens are accessible in the ${theme} theme`, async ({ browser, organization }) => {
    const page = await pageOf(browser, organization.as.reader, theme, 1440);
    const { integration, draft, runs } = things!;
    for (const [name, path, shows] of [
      ["organization", "/", "Orders to warehouse"],
      ["new", "/new", "Only Admins and Collaborators can create integrations."],
      ["integration", `/integrations/${integration}`, "Orders to warehouse"],
      ["builder", `/drafts/${draft}`, "Only Admins and Collaborators can edit drafts."],
      ["run", `/runs/${runs.succeeded}`, "Ask warehouse"],
      ["members", "/settings/members", "reader@example.com"],
      ["network", "/settings/network", "127.0.0.0/8"],
      ["inbox", "/inbox", "Ask politely"],
      ["policy", "/settings/review", "Only Admins can change the review policy."],
    ] as const) {
      await page.goto(path);
      await expect(page.getByRole("main")).toContainText(shows);
      await keep(page, `reader-${name}-${theme}-1440`);
    }
    await page.context().close();
  });

  test(`the doors are accessible in the ${theme} theme`, async ({ browser, organization }) => {
    const { admin } = organization.as;
    for (const width of [1440, 390]) {
      const context = await browser.newContext({ baseURL: admin.url, colorScheme: theme, viewport: { width, height: 900 } });
      const page = watched(await context.newPage());
      await page.goto("/sign-in");
      await page.getByLabel("E-mail").fill("nobody@example.com");
      await page.getByLabel("Password").fill("not a password");
      await page.getByRole("button", { name: "Sign in" }).click();
      await expect(page.getByRole("alert")).not.toBeEmpty();
      await keep(page, `sign-in-${theme}-${width}`);
      const token = await admin.call<string>("invite", { role: "reader" });
      await page.goto(`/invitation/${token}`);
      await expect(page.getByRole("button", { name: "Join" })).toBeVisible();
      await keep(page, `invitation-${theme}-${width}`);
      await context.close();
    }
  });
}

test("the first screens of a new installation are accessible", async ({ browser, emptyServer: server }) => {
  for (const theme of themes) {
    for (const width of [1440, 390]) {
      const context = await browser.newContext({ baseURL: server.url, colorScheme: theme, viewport: { width, height: 900 } });
      const page = watched(await context.newPage());
      await page.goto("/");
      await page.getByRole("button", { name: "Create organization" }).click();
      await expect(page.getByLabel("Organization")).toHaveAccessibleDescription(/name is missing/);
      await keep(page, `set-up-${theme}-${width}`);
      await context.close();
    }
  }
  const context = await browser.newContext({ baseURL: server.url });
  const page = watched(await context.newPage());
  await page.goto("/");
  await page.getByLabel("Organization").fill("New organization");
  await page.getByLabel("Your name").fill("Test Admin");
  await page.getByLabel("E-mail").fill("admin@example.com");
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByRole("button", { name: "Create organization" }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Integrations");
  for (const theme of themes) {
    await page.emulateMedia({ colorScheme: theme });
    for (const [name, path] of [["organization", "/"], ["runs", "/runs"], ["network", "/settings/network"]] as const) {
      await page.goto(path);
      await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
      await expect(page.getByText("Loading", { exact: true })).toHaveCount(0);
      await keep(page, `empty-${name}-${theme}-1440`);
    }
  }
  await context.close();
});

async function pageOf(browser: Browser, api: Api, theme: (typeof themes)[number], width: number): Promise<Page> {
  const context = await contextOf(browser, api);
  const page = watched(await context.newPage());
  await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
  await page.setViewportSize({ width, height: 900 });
  return page;
}

/** Checks what is on screen, and keeps a picture of it. */
async function keep(page: Page, name: string): Promise<void> {
  await expect(page.getByRole("main").first()).toBeVisible();
  await page.screenshot({ path: resolve(folder, `${name}.png`), fullPage: true, animations: "disabled" });
  await expectAccessible(page, name);
  const surplus = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  expect.soft(surplus, `${name}: pixels that stick out at the side`).toBeLessThanOrEqual(0);
}

const sample = { method: "POST", headers: {}, query: {}, body: { id: "A-1", total: 250, lines: [{ sku: "LAMP-1", count: 2 }] } };

/** Makes an integration with a branch and a loop, versions, drafts, a review and runs. */
async function furnish({ admin: api, collaborator }: Record<Role, Api>): Promise<Things> {
  const draft = await create(api, "Orders to warehouse", orders());
  const { integration, webhookPath } = await publish(api, draft);
  const next = await api.call<string>("start_draft", { integration, title: "Ask for large orders" });
  const call = async (body: object, state: string) => {
    await fetch(`${api.url}${webhookPath}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    const filter = { integration, state, before: null };
    await expect.poll(() => api.call<any[]>("runs", filter)).not.toEqual([]);
    return (await api.call<any[]>("runs", filter))[0].id as string;
  };
  const succeeded = await call(sample.body, "succeeded");
  const failed = await call({ id: "A-2", total: 5, lines: [] }, "failed");
  const wrong = document("schedule", [step("Wrong", "http.request", { method: "GET", url: "nowhere", body_type: "none" })]);
  wrong.steps[wrong.flow[0]!]!.config.headers = { "x-id": "{{ steps.gone.id }}" };
  const failing = await create(api, "Nightly report", wrong);
  const drafts = await leadToVersions(api, collaborator, { integration, draft: next });
  return { integration, draft: next, failing, ...drafts, runs: { succeeded, failed } };
}

/** Publishes a version without approval, asks for a review, and leaves a draft behind what is live. */
async function leadToVersions(
  admin: Api,
  collaborator: Api,
  { integration, draft }: { integration: string; draft: string },
): Promise<{ behind: string; ready: string }> {
  const { document: content } = await admin.call("read_draft", { id: draft });
  const ask = Object.values<Step>(content.steps).find((step) => step.name === "Ask warehouse")!;
  const start = async (api: Api, title: string, message: string) => {
    const started = await api.call<string>("start_draft", { integration, title });
    await save(api, started, [setField(ask, "message", message)]);
    return started;
  };
  await admin.call("set_policy", { integration, policy: {} });
  const behind = await start(collaborator, "Say the total", "Order {{ steps.pick_values.id }} is large: {{ trigger.body.total }}");
  const urgent = await start(admin, "Warn earlier", "Order {{ steps.pick_values.id }} is very large");
  const { summary } = await admin.call("read_draft", { id: urgent });
  const reason = "The warehouse **stands still**; nobody could look in time.";
  await admin.call("publish", { id: urgent, revision: summary.revision, note: "Large orders are said to be very large.", reason });
  const asked = await start(collaborator, "Ask politely", "Order {{ steps.pick_values.id }} is large, please look");
  const { account } = await admin.call("who_am_i");
  const about = { draft: asked, title: "Ask politely", description: "So that they **do** look.", reviewers: [account] };
  await collaborator.call("create_review", about);
  const mine = await start(admin, "Shorten the words", "{{ steps.pick_values.id }}: large");
  const review = await admin.call<string>("create_review", { ...about, draft: mine, title: "Shorten the words", reviewers: [] });
  const { revision } = (await collaborator.call("read_review", { id: review })).summary;
  await collaborator.call("submit_review", { id: review, revision, verdict: "reject", message: "Too short to be understood." });
  return { behind, ready: await start(admin, "Say what is large", "Order {{ steps.pick_values.id }} is large: {{ trigger.body.lines | length }} lines") };
}

function orders(): Document {
  const values = step("Pick values", "set", { values: { id: "{{ trigger.body.id }}", large: "{{ trigger.body.total > 100 }}" } });
  const branch: Step = { ...step("By size", "branch", {}) };
  const loop: Step = { ...step("Each line", "loop", { items: "{{ trigger.body.lines }}" }) };
  const ask = step("Ask warehouse", "log", { level: "info", message: "Order {{ steps.pick_values.id }} is large" });
  const line = step("Note line", "log", { level: "info", message: "{{ item.count }} of {{ item.sku }}" });
  const refuse = step("Refuse", "stop", { message: "Order {{ steps.pick_values.id }} is too small" });
  branch.lanes = [
    { id: randomUUID(), name: "Large", when: "steps.pick_values.large", steps: [ask.id, loop.id] },
    { id: randomUUID(), name: "Else", steps: [refuse.id] },
  ];
  loop.lanes = [{ id: randomUUID(), name: "Each item", steps: [line.id] }];
  const whole = document("webhook", [values, branch]);
  for (const inner of [ask, loop, line, refuse]) whole.steps[inner.id] = inner;
  return whole;
}
