// A trigger that polls: tried in the builder, published, seen on the page of the integration, and
// started over.
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

import { expectAccessible } from "../fixtures/axe.ts";
import { create, document, publish, step } from "../fixtures/document.ts";
import { expect, test } from "../fixtures/test.ts";

/** A service with a list of orders, which can be out of order. */
async function shop(): Promise<{ url: string; server: Server; orders: object[]; down: { is: boolean } }> {
  const orders: object[] = [];
  const down = { is: false };
  const server = createServer((_, response) => {
    response.statusCode = down.is ? 404 : 200;
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ orders }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/orders`, server, orders, down };
}

test("a list is polled for tests, then for real, and polling starts over", async ({
  organization,
  openDraft,
  signedIn,
}) => {
  const { admin } = organization.as;
  const { url, server, orders } = await shop();
  orders.push({ number: "A-1" }, { number: "A-2" });
  const note = step("Note", "log", { message: "Order {{ trigger.item.number }}" });
  const draft = await create(admin, "New orders", document("manual", [note]));
  const builder = await openDraft(draft);
  const { page } = builder;
  await page.getByRole("button", { name: /^Trigger/ }).click();
  await page.getByLabel("Starts by").selectOption("Poll an address");
  await page.getByRole("textbox", { name: "URL" }).fill(url);
  await page.getByRole("textbox", { name: "Place of the list in the answer" }).fill("orders");
  await expect(page.getByText("`orders` is not a JSON Pointer.").first()).toBeVisible();
  await page.getByRole("textbox", { name: "Place of the list in the answer" }).fill("/orders");
  await page.getByRole("textbox", { name: "Place of the id in an item" }).fill("/number");
  await builder.saved();
  await expectAccessible(page, "trigger-that-polls");

  await page.getByRole("button", { name: "Test", exact: true }).first().click();
  await page.getByRole("button", { name: "Poll now" }).click();
  await expect(page.getByText("The list has 2 items; the first are kept.")).toBeVisible();
  const polled = page.getByRole("region", { name: "Polled items" });
  await expect(polled.getByRole("listitem")).toHaveText([/A-1/, /A-2/]);
  await polled.getByRole("button", { name: "Use" }).first().click();
  await expectAccessible(page, "polled-for-a-test");

  const dialog = await builder.publishing();
  await expect(dialog).toContainText("Polling begins, every 5 minutes. The first poll starts nothing");
  await page.keyboard.press("Escape");
  const read = await admin.call("read_draft", { id: draft });
  await admin.call("publish", { id: draft, revision: read.summary.revision, note: "", reason: null });
  const mine = await signedIn("admin");
  await mine.goto(`/integrations/${read.integration}`);
  await expect(mine.getByText("2 items in the list")).toBeVisible();
  await mine.getByRole("button", { name: "Start over" }).click();
  const over = mine.getByRole("dialog", { name: "Start polling over" });
  await over.getByLabel("Where to begin").selectOption("With all items in the list");
  await expectAccessible(mine, "start-polling-over");
  await over.getByRole("button", { name: "Start over" }).click();
  const started = mine.getByLabel("Polling").locator("dt", { hasText: "Runs started" }).locator("+ dd");
  await expect(started).toHaveText("2");
  await expectAccessible(mine, "integration-that-polls");
  server.close();
});

test("set times are chosen as a schedule's are, with the next polls before and after publishing", async ({
  organization,
  openDraft,
  signedIn,
}) => {
  const { admin } = organization.as;
  const { url, server } = await shop();
  const note = step("Note", "log", { message: "Order {{ trigger.item.id }}" });
  const draft = await create(admin, "Orders of the morning", document("manual", [note]));
  const builder = await openDraft(draft);
  const { page } = builder;
  await page.getByRole("button", { name: /^Trigger/ }).click();
  await page.getByLabel("Starts by").selectOption("Poll an address");
  await page.getByRole("textbox", { name: "URL" }).fill(url);
  await page.getByRole("textbox", { name: "Place of the list in the answer" }).fill("/orders");
  await expect(page.getByLabel("Minutes between polls")).toBeVisible();
  await page.getByLabel("When to poll").selectOption("At set times");
  await expect(page.getByLabel("Minutes between polls")).toBeHidden();
  await page.getByRole("textbox", { name: "Set times" }).fill("0 25 * * *");
  await expect(page.getByText("`25` is not an hour").first()).toBeVisible();
  await page.getByRole("textbox", { name: "Set times" }).fill("30 7 * * *");
  const coming = page.getByText("Polls next").locator("..").getByRole("listitem");
  await expect(coming).toHaveCount(5);
  await builder.saved();
  await expectAccessible(page, "trigger-that-polls-at-set-times");
  const dialog = await builder.publishing();
  await expect(dialog).toContainText("Polling begins, at 30 7 * * * in UTC.");
  await expect(dialog).toContainText("Polls next");
  await page.keyboard.press("Escape");

  const { integration } = await publish(admin, draft);
  const mine = await signedIn("admin");
  await mine.goto(`/integrations/${integration}`);
  await expect(mine.getByText("0 items in the list")).toBeVisible();
  await expect(mine.getByRole("main")).toContainText("30 7 * * *");
  await expect(mine.getByText("Polls next").locator("..").getByRole("listitem")).toHaveCount(5);
  server.close();
});

test("polls that fail are shown where failing runs are, until one is answered", async ({ organization, signedIn }) => {
  const { admin } = organization.as;
  const { url, server, down } = await shop();
  down.is = true;
  const note = step("Note", "log", { message: "Order {{ trigger.item.id }}" });
  const polling = document("manual", [note]);
  // The next one is an hour away, so the first that fails is told.
  const config = { url, items: "/orders", id: "/id", every_minutes: 60, start: "now", asks: "all" };
  polling.trigger = { kind: "poll", config };
  const { integration } = await publish(admin, await create(admin, "Orders that do not come", polling));
  const page = await signedIn("admin");
  await page.goto("/");
  const line = page.getByRole("row", { name: /Orders that do not come/ });
  await expect(line).toContainText("Polls failing since");
  await expectAccessible(page, "organization-with-failing-polls");
  await line.getByRole("link", { name: "Orders that do not come" }).click();
  await expect(page.getByRole("main")).toContainText(/Polls failing since .* No poll was answered after it/);
  await expectAccessible(page, "integration-with-failing-polls");

  down.is = false;
  await admin.call("restart_poll", { id: integration, from: "now" });
  await expect(page.getByText("0 items in the list")).toBeVisible();
  await expect(page.getByRole("main")).not.toContainText("Polls failing since");
  server.close();
});

test("a cursor that is none is refused at its field, to which the focus returns", async ({ organization, signedIn }) => {
  const { admin } = organization.as;
  const { url, server } = await shop();
  const polling = document("manual", [step("Note", "log", { message: "Order {{ trigger.item.id }}" })]);
  const asks = { asks: "newer", cursor_parameter: "since", cursor: "/at" };
  const config = { url, items: "/orders", id: "/id", every_minutes: 60, start: "now", ...asks };
  polling.trigger = { kind: "poll", config };
  const { integration } = await publish(admin, await create(admin, "Orders since a date", polling));
  const page = await signedIn("admin");
  await page.goto(`/integrations/${integration}`);
  await page.getByRole("button", { name: "Start over" }).click();
  const dialog = page.getByRole("dialog", { name: "Start polling over" });
  await dialog.getByLabel("Where to begin").selectOption("From a cursor, such as a date");
  const cursor = dialog.getByRole("textbox", { name: "Cursor" });
  await cursor.focus();
  await page.keyboard.press("Enter");
  await expect(cursor).toHaveAttribute("aria-invalid", "true");
  await expect(cursor).toHaveAccessibleDescription(/Give a cursor/);
  await expect(cursor).toBeFocused();
  await expect(dialog.getByRole("alert")).toBeHidden();
  await expectAccessible(page, "cursor-refused");

  await cursor.fill("2026-01-01");
  await page.keyboard.press("Enter");
  await expect(dialog).toBeHidden();
  server.close();
});
