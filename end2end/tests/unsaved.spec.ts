// What the server has not confirmed: found again by whoever typed it, once, and by nobody else.
import type { BrowserContext, Page } from "@playwright/test";

import type { Api } from "../fixtures/api.ts";
import { Builder } from "../fixtures/builder.ts";
import { create, document, step } from "../fixtures/document.ts";
import { contextOf, emailOf, expect, type Organization, PASSWORD, test, watched } from "../fixtures/test.ts";

const SAVES = "**/api/save_draft";

/** A draft with two steps that say nothing yet. */
async function twoSteps(organization: Organization, name: string) {
  const steps = ["One", "Two"].map((name) => step(name, "log", { message: "" }));
  const admin = organization.as.admin;
  const draft = await create(admin, name, document("webhook", steps));
  const read = async () => (await admin.call("read_draft", { id: draft })) as any;
  /** What the server has of the two messages. */
  const messages = async () => {
    const { document } = await read();
    return steps.map((step) => document.steps[step.id].config.message);
  };
  const set = async (api: Api, at: number, value: string) => {
    const { summary } = await read();
    const edit = { set_field: { step: steps[at]!.id, field: "message", value } };
    const save = { id: crypto.randomUUID(), expected: summary.revision, edits: [edit] };
    await api.call("save_draft", { id: draft, save });
  };
  return { draft, read, messages, set };
}

async function tab(context: BrowserContext, draft: string): Promise<Builder> {
  const builder = new Builder(watched(await context.newPage()));
  await builder.open(draft);
  return builder;
}

async function typeUnsaved(builder: Builder, name: string, text: string): Promise<void> {
  await builder.select(name);
  await builder.field("Message").fill(text);
  await expect(builder.saveState).toContainText("Kept in this browser");
}

async function signIn(page: Page, email: string): Promise<void> {
  await page.getByLabel("E-mail").fill(email);
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Integrations");
}

async function signOut(page: Page): Promise<void> {
  await page.getByRole("button", { name: /^Account of/ }).click();
  await page.getByRole("menuitem", { name: "Sign out" }).click();
  await expect(page).toHaveURL(/\/sign-in/);
}

for (const locks of ["with", "without"] as const) {
  test(`each tab keeps its own, and the next one finds what a closed one left, ${locks} locks`, async ({
    browser,
    organization,
  }) => {
    const { draft, messages, read } = await twoSteps(organization, `Tabs ${locks} locks`);
    const context = await contextOf(browser, organization.as.collaborator);
    if (locks === "without") {
      // As on a page that comes over plain http from another machine.
      await context.addInitScript(() => Object.defineProperty(Navigator.prototype, "locks", { value: undefined }));
    }
    await context.route(SAVES, (route) => route.abort());
    const [first, second] = [await tab(context, draft), await tab(context, draft)];
    await typeUnsaved(first, "One", "typed in the first tab");
    await typeUnsaved(second, "Two", "typed in the second tab");
    await first.page.close();

    const third = await tab(context, draft);
    await third.select("One");
    await expect(third.field("Message")).toHaveValue("typed in the first tab");
    if (locks === "with") {
      await third.select("Two");
      await expect(third.field("Message"), "another tab still works on this").toHaveValue("");
    }
    await context.unroute(SAVES);
    await expect.poll(messages).toEqual(["typed in the first tab", "typed in the second tab"]);
    await second.saved();
    await third.saved();
    if (locks === "with") {
      expect((await read()).summary.revision, "each was sent once").toBe(3);
    }
    await expect.poll(() => third.page.evaluate(() => Object.keys(localStorage))).toEqual([]);
    await context.close();
  });
}

test("a save whose answer was lost is not put on top again after a reload", async ({ browser, organization }) => {
  const { draft, messages, read, set } = await twoSteps(organization, "Lost answer");
  const context = await contextOf(browser, organization.as.collaborator);
  const builder = await tab(context, draft);
  let lost = 0;
  await context.route(SAVES, async (route) => {
    if (lost === 0) await route.fetch();
    lost += 1;
    await route.abort();
  });
  await typeUnsaved(builder, "One", "sent, and kept by the server");
  await expect.poll(messages).toEqual(["sent, and kept by the server", ""]);
  await typeUnsaved(builder, "Two", "typed behind it");
  await set(organization.as.admin, 0, "someone else's word on it");
  await context.unroute(SAVES);

  await builder.page.reload();
  await builder.select("Two");
  await expect(builder.field("Message")).toHaveValue("typed behind it");
  await builder.saved();
  expect(await messages()).toEqual(["someone else's word on it", "typed behind it"]);
  expect((await read()).summary.revision).toBe(4);
  await context.close();
});

test("another account on the same browser neither sees nor sends what is not saved", async ({
  browser,
  organization,
}) => {
  const { draft, messages } = await twoSteps(organization, "Two accounts");
  const context = await browser.newContext({ baseURL: organization.server.url });
  const page = watched(await context.newPage());
  await page.goto("/sign-in");
  await signIn(page, emailOf("admin"));
  await context.route(SAVES, (route) => route.abort());
  const builder = new Builder(page);
  await builder.open(draft);
  await typeUnsaved(builder, "One", "the Admin's own");
  await signOut(page);
  await context.unroute(SAVES);

  await signIn(page, emailOf("collaborator"));
  await builder.open(draft);
  await builder.select("One");
  await expect(builder.field("Message")).toHaveValue("");
  await builder.saved();
  expect(await messages()).toEqual(["", ""]);
  await signOut(page);

  await signIn(page, emailOf("admin"));
  await builder.open(draft);
  await builder.select("One");
  await expect(builder.field("Message")).toHaveValue("the Admin's own");
  await expect.poll(messages).toEqual(["the Admin's own", ""]);
  await context.close();
});

test("a page whose account gave way to another one in another tab sends nothing as that one", async ({
  browser,
  organization,
}) => {
  const { draft, messages } = await twoSteps(organization, "Gave way");
  const context = await contextOf(browser, organization.as.admin);
  await context.route(SAVES, (route) => route.abort());
  const builder = await tab(context, draft);
  await typeUnsaved(builder, "One", "the Admin's own");
  // What signing out and in again in another tab does.
  await context.clearCookies();
  await context.addCookies(organization.as.collaborator.cookies());
  await context.unroute(SAVES);
  const dialog = builder.page.getByRole("dialog", { name: "Sign in again" });
  await expect(dialog).toBeVisible();
  expect(await messages()).toEqual(["", ""]);
  await dialog.getByLabel("Password").fill(PASSWORD);
  await dialog.getByRole("button", { name: "Sign in" }).click();
  await expect(dialog).toBeHidden();
  await expect.poll(messages).toEqual(["the Admin's own", ""]);
  await context.close();
});

test("what was typed right before the builder is left is saved", async ({ browser, organization }) => {
  const { draft, messages } = await twoSteps(organization, "Left at once");
  const context = await contextOf(browser, organization.as.collaborator);
  const builder = await tab(context, draft);
  await builder.select("One");
  await builder.field("Message").fill("typed and left");
  await builder.page.getByRole("link", { name: "Left at once" }).click();
  await expect(builder.page).toHaveURL(/\/integrations\//);
  await expect.poll(messages).toEqual(["typed and left", ""]);
  await expect.poll(() => builder.page.evaluate(() => Object.keys(localStorage))).toEqual([]);
  await context.close();
});
