// The whole story, by mouse and keyboard, on real parts: from the first screen of a new
// installation to an integration that runs live, and a second version of it.
import type { Page } from "@playwright/test";

import { Builder } from "../fixtures/builder.ts";
import { expect, PASSWORD, test, watched } from "../fixtures/test.ts";

const order = (id: string, total: number) => ({ id, email: "Buyer@Example.com", total });

test("a team sets up Sluice, builds an integration, tests it, publishes it, and reads what it did", async ({
  browser,
  emptyServer: server,
  target,
}) => {
  test.setTimeout(180_000);
  const { step } = test;
  const adminContext = await browser.newContext({ baseURL: server.url });
  const builderContext = await browser.newContext({ baseURL: server.url });
  await adminContext.grantPermissions(["clipboard-read", "clipboard-write"]);
  const admin = watched(await adminContext.newPage());
  const page = watched(await builderContext.newPage());
  const builder = new Builder(page);
  let webhook = "";
  const callWebhook = (body: object) =>
    fetch(webhook, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });

  await step("the first person sets up the organization and is its Admin", async () => {
    await admin.goto("/");
    await expect(admin).toHaveURL(/\/set-up$/);
    await admin.getByLabel("Organization").fill("Example Ltd");
    await admin.getByLabel("Your name").fill("First Admin");
    await admin.getByLabel("E-mail").fill("admin@example.com");
    await admin.getByLabel("Password").fill(PASSWORD);
    await admin.getByRole("button", { name: "Create organization" }).click();
    await expect(admin.getByRole("heading", { level: 1 })).toHaveText("Integrations");
    await expect(admin.getByRole("banner")).toContainText("Example Ltd");
  });

  await step("who signs out can sign in again", async () => {
    await admin.getByRole("button", { name: /^Account of First Admin/ }).click();
    await admin.getByRole("menuitem", { name: "Sign out" }).click();
    await expect(admin).toHaveURL(/\/sign-in/);
    await admin.getByLabel("E-mail").fill("admin@example.com");
    await admin.getByLabel("Password").fill(PASSWORD);
    await admin.getByRole("button", { name: "Sign in" }).click();
    await expect(admin.getByRole("heading", { level: 1 })).toHaveText("Integrations");
  });

  await step("the Admin invites a Collaborator, who joins in another browser", async () => {
    await admin.getByRole("link", { name: "Members" }).click();
    await admin.getByRole("button", { name: "Invite" }).click();
    const dialog = admin.getByRole("dialog", { name: "Invite someone" });
    await dialog.getByRole("radio", { name: "Collaborator" }).check();
    await dialog.getByRole("button", { name: "Make a link" }).click();
    const link = await dialog.getByRole("code").textContent();
    await dialog.getByRole("button", { name: "Copy the link" }).click();
    expect(await admin.evaluate(() => navigator.clipboard.readText())).toBe(link);
    await dialog.getByRole("button", { name: "Done" }).click();
    await page.goto(link!);
    await expect(page.getByRole("main")).toContainText("First Admin invites you to join Example Ltd as Collaborator.");
    await page.getByLabel("Your name").fill("First Collaborator");
    await page.getByLabel("E-mail").fill("collaborator@example.com");
    await page.getByLabel("Password").fill(PASSWORD);
    await page.getByRole("button", { name: "Join" }).click();
    await expect(page.getByRole("heading", { level: 1 })).toHaveText("Integrations");
  });

  await step("New integration: a name, and a webhook as its trigger", async () => {
    await page.getByRole("button", { name: "New integration" }).first().click();
    await page.getByRole("textbox", { name: "Name" }).fill("Orders to warehouse");
    await page.getByRole("radio", { name: /Webhook/ }).check();
    await page.getByRole("button", { name: "Create integration" }).click();
    await expect(page).toHaveURL(/\/drafts\//);
    await expect(builder.trigger()).toContainText("Webhook");
  });

  await step("steps are found by searching, and configured in forms", async () => {
    await builder.add("http");
    await builder.field("Method").selectOption("POST");
    await builder.field("URL").fill(target.url("/orders/{{ trigger.body.id }}"));
    await builder.field("Body").selectOption({ label: "JSON" });
    await builder
      .field("JSON body")
      .fill('{"email": "{{ trigger.body.email | lower }}", "total": {{ trigger.body.total }}, "version": 1}');

    await builder.add("set", "HTTP request");
    await builder.addRow("Values", 1, "number", "{{ steps.http_request.body.number }}");
    await builder.addRow("Values", 2, "large", "{{ trigger.body.total > 100 }}");

    await builder.add("branch", "Set values");
    const lanes = builder.panel.getByRole("region", { name: "Lanes" });
    await lanes.getByRole("textbox", { name: "Name of the lane" }).nth(0).fill("Large");
    await lanes.getByRole("textbox", { name: "Runs when" }).nth(0).fill("steps.set_values.large");
    await builder.flow.getByRole("button", { name: /^Add a step at the start of Large/ }).click();
    await page.keyboard.type("log");
    await page.keyboard.press("Enter");
    await builder.added();
    await builder.field("Message").fill("Order {{ steps.set_values.number }} is large");
    await builder.rename("Say large");
    await builder.flow.getByRole("button", { name: /^Add a step at the start of / }).last().click();
    await page.keyboard.type("stop");
    await page.keyboard.press("Enter");
    await builder.added();
    await builder.field("Message").fill("Order {{ trigger.body.id }} is too small");
    await builder.rename("Refuse small");
    await expect(page.getByRole("button", { name: "No problems" })).toBeVisible();
    await builder.saved();
  });

  await step("a step is renamed, and what refers to it follows", async () => {
    await builder.select("HTTP request");
    await builder.rename("Place order");
    await builder.select("Set values");
    await expect(builder.panel.getByRole("textbox", { name: "Values, value 1" })).toHaveValue(
      /^\{\{ steps\.place_order\.body\.number \}\}$|true/,
    );
    await expect(page.getByRole("button", { name: "No problems" })).toBeVisible();
  });

  await step("steps are put in another order by drag and by keys, undone and done again", async () => {
    await builder.add("log", "Branch");
    await builder.field("Message").fill("Done");
    const before = ["Place order", "Set values", "Branch", "Log"];
    expect(await builder.order()).toEqual(before);
    await drag(page, builder, "Log", "Add a step after Set values");
    const after = ["Place order", "Set values", "Log", "Branch"];
    await expect.poll(() => builder.order()).toEqual(after);
    await builder.card("Log").focus();
    await page.keyboard.press("Alt+ArrowUp");
    await expect.poll(() => builder.order()).toEqual(["Place order", "Log", "Set values", "Branch"]);
    await page.keyboard.press("Control+z");
    await expect.poll(() => builder.order()).toEqual(after);
    await page.keyboard.press("Control+z");
    await expect.poll(() => builder.order()).toEqual(before);
    await page.getByRole("button", { name: "Redo" }).click();
    await expect.poll(() => builder.order()).toEqual(after);
    await page.getByRole("button", { name: "Undo" }).click();
    await expect.poll(() => builder.order()).toEqual(before);
  });

  await step("everything is saved by itself: a reload shows the same", async () => {
    await builder.saved();
    const url = page.url();
    await page.reload();
    await expect(page).toHaveURL(url);
    await expect(builder.card("Place order")).toBeVisible();
    expect(await builder.order()).toEqual(["Place order", "Set values", "Branch", "Log"]);
    await builder.select("Place order");
    await expect(builder.field("JSON body")).toHaveValue(/"email": "\{\{ trigger\.body\.email \| lower \}\}"/);
    await expect(builder.lane("Large").getByRole("button", { name: /^Log\s*Say large$/ })).toBeVisible();
  });

  const payload = (body: object) => ({ method: "POST", headers: {}, query: {}, body });
  await step("a test may not reach a private address before an Admin allows it", async () => {
    await builder.test(payload(order("A-1", 250)));
    await expect(builder.testDrawer).toContainText("Failed");
    await expect(builder.testDrawer).toContainText(
      "`127.0.0.1` is a private or local address, which integrations may not reach. An Admin can allow it in the network settings.",
    );
    expect(target.calls).toEqual([]);
    await admin.goto("/settings/network");
    await admin.getByRole("textbox", { name: "Allow a range" }).fill("127.0.0.0/8");
    await admin.getByRole("button", { name: "Allow", exact: true }).click();
    await expect(admin.getByRole("button", { name: "Stop allowing 127.0.0.0/8" })).toBeVisible();
  });

  await step("a test shows what each step did, and touches nothing live", async () => {
    await builder.test(payload(order("A-1", 250)));
    await expect(builder.testDrawer).toContainText("Succeeded");
    expect(target.calls).toHaveLength(1);
    expect(target.calls[0]).toMatchObject({
      method: "POST",
      path: "/orders/A-1",
      body: { email: "buyer@example.com", total: 250, version: 1 },
    });
    await builder.card("Set values").click();
    await expect(builder.panel.getByRole("region", { name: "Test of this step" })).toContainText("Succeeded");
    await builder.card("Say large").click();
    await expect(builder.panel.getByRole("region", { name: "Test of this step" })).toContainText("Order 1 is large");
    await expect(builder.card("Refuse small")).not.toHaveAccessibleName(/Succeeded|Failed/);
    await admin.getByRole("link", { name: "Runs" }).click();
    await expect(admin.getByRole("main")).toContainText("its run is listed here");
  });

  await step("the Admin lets drafts be published without a review", async () => {
    await admin.getByRole("link", { name: "Review policy" }).click();
    await admin.getByRole("combobox", { name: "Approvals needed" }).selectOption({ label: "None: no review is needed to publish" });
    await admin.getByRole("button", { name: "Save the policy" }).click();
    await expect(admin.getByRole("button", { name: "Save the policy" })).toBeDisabled();
    await admin.getByRole("link", { name: "Runs" }).click();
  });

  await step("it is published, and its page shows the address of the webhook", async () => {
    await builder.publish("The first version");
    await expect(page.getByRole("main")).toContainText("Version 1");
    await expect(page.getByRole("main")).toContainText("The first version");
    const address = await page.getByRole("code").filter({ hasText: "/hooks/" }).first().textContent();
    webhook = new URL(address!, server.url).href;
  });

  await step("a call from outside is accepted with 202, and its run appears by itself", async () => {
    const answer = await callWebhook(order("B-7", 300));
    expect(answer.status).toBe(202);
    await expect(admin.getByRole("row", { name: /Succeeded Orders to warehouse.* Version 1/ })).toBeVisible();
    await expect.poll(() => target.at("/orders/B-7")).toHaveLength(1);
  });

  await step("the run tells what each step received and gave", async () => {
    await admin.getByRole("link", { name: /^Orders to warehouse\s*, run of/ }).click();
    await expect(admin).toHaveURL(/\/runs\//);
    const main = admin.getByRole("main");
    await expect(main).toContainText("Succeeded");
    await expect(main).toContainText("Version 1");
    await expect(main).toContainText("Place order");
    await main.getByRole("button", { name: /Place order/ }).first().click();
    await expect(main).toContainText("buyer@example.com");
    await main.getByRole("button", { name: /Say large/ }).first().click();
    await expect(main).toContainText("is large");
  });

  await step("a second draft does not change what runs live before it is published", async () => {
    await page.getByRole("button", { name: "Start a draft" }).click();
    const dialog = page.getByRole("dialog", { name: "Start a draft" });
    await dialog.getByRole("textbox", { name: "Title" }).fill("Send less");
    await dialog.getByRole("button", { name: "Start draft" }).click();
    await expect(page).toHaveURL(/\/drafts\//);
    await builder.select("Place order");
    await builder.field("JSON body").fill('{"version": 2, "id": "{{ trigger.body.id }}"}');
    await builder.saved();
    await callWebhook(order("C-1", 400));
    await expect.poll(() => target.at("/orders/C-1")).toHaveLength(1);
    expect(target.at("/orders/C-1")[0]!.body).toMatchObject({ version: 1 });

    await builder.publish("Less is sent");
    await expect(page.getByRole("main")).toContainText("Version 2");
    await expect(page.getByRole("main")).toContainText("Version 1");
    await callWebhook(order("C-2", 400));
    await expect.poll(() => target.at("/orders/C-2")).toHaveLength(1);
    expect(target.at("/orders/C-2")[0]!.body).toEqual({ version: 2, id: "C-2" });
  });

  await adminContext.close();
  await builderContext.close();
});

/** Drags a step with the mouse to the place of a "+". */
async function drag(page: Page, builder: Builder, name: string, gap: string): Promise<void> {
  const grip = builder.flow.getByRole("button", { name: `Drag ${name}`, exact: true });
  const goal = builder.flow.getByRole("button", { name: gap, exact: true });
  await builder.card(name).hover();
  const from = (await grip.boundingBox())!;
  const to = (await goal.boundingBox())!;
  await page.mouse.move(from.x + from.width / 2, from.y + from.height / 2);
  await page.mouse.down();
  await page.mouse.move(to.x + to.width / 2, to.y + to.height / 2, { steps: 8 });
  await page.mouse.up();
}
