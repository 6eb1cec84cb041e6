// Templates: each makes an integration that does what it says, at once, against the demo's services.
import { Api } from "../fixtures/api.ts";
import { expectAccessible } from "../fixtures/axe.ts";
import { Builder } from "../fixtures/builder.ts";
import { Server } from "../fixtures/server.ts";
import { contextOf, expect, test, watched } from "../fixtures/test.ts";

/** What each is tested with besides what the test offers by itself, and what then comes of it. */
const templates: [name: string, body: unknown, ran: string][] = [
  ["Order intake", { id: "T-1", customer: { name: "A" }, lines: [{ sku: "LAMP-1" }] }, "Confirm"],
  ["Daily stock report", undefined, "Open a ticket"],
  ["One call for each line", { lines: ["a", "b"] }, "Tell the warehouse"],
  ["Relay with a filter", { type: "order.created", data: { id: 1 } }, "Pass it on"],
  ["Form to ticket", { email: " A@B.example ", topic: "Hello", message: "Where is it?" }, "Answer"],
  ["Nightly sync of two systems", undefined, "Tell the shop"],
  ["Reminder of open approvals", undefined, "Remind"],
];

test("every template makes an integration that runs at once", async ({ browser }) => {
  test.setTimeout(240_000);
  const server = await Server.start("", ["--demo"]);
  try {
    const admin = new Api(server.url);
    await admin.call("sign_in", { email: "admin@demo.example", password: "look-around-freely" });
    const context = await contextOf(browser, admin);
    const page = watched(await context.newPage());
    const builder = new Builder(page);
    for (const [number, [name, body, ran]] of templates.entries()) {
      await page.goto("/new");
      await page.getByRole("radio", { name: new RegExp(`^${name}`) }).check();
      await expect(page.getByRole("textbox", { name: "Name" })).toHaveValue(name);
      if (number === 0) await expectAccessible(page, "a new integration from a template");
      await page.getByRole("button", { name: "Create integration" }).click();
      await expect(builder.flow).toBeVisible();
      await expect(page.getByRole("button", { name: "No problems" })).toBeVisible();
      // As it is, and with what it is made for.
      await builder.test();
      await expect(builder.testDrawer.getByText("Succeeded").first(), `${name}, as it is`).toBeVisible();
      if (body !== undefined) {
        await builder.test({ body });
        await expect(builder.testDrawer.getByText("Succeeded").first(), name).toBeVisible();
      }
      await expect(builder.card(ran), name).toHaveAccessibleName(/Succeeded/);
    }
    await context.close();
  } finally {
    await server.remove();
  }
});
