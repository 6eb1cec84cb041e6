// A trigger that polls: tried in the builder, published, seen on the page of the integration, and
// started over.
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

import { expectAccessible } from "../fixtures/axe.ts";
import { create, document, step } from "../fixtures/document.ts";
import { expect, test } from "../fixtures/test.ts";

/** A service with a list of orders. */
async function shop(): Promise<{ url: string; server: Server; orders: object[] }> {
  const orders: object[] = [];
  const server = createServer((_, response) => {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ orders }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/orders`, server, orders };
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
