// One integration calls another: built by hand, published, run, and followed from run to run.
import { expectAccessible } from "../fixtures/axe.ts";
import type { Api } from "../fixtures/api.ts";
import type { Builder } from "../fixtures/builder.ts";
import { create, document, publish, step } from "../fixtures/document.ts";
import { expect, test } from "../fixtures/test.ts";

const json = { "content-type": "application/json" };

/** Calls a webhook; returns the id of its run once that has ended, with how it did. */
async function hook(admin: Api, path: string | null, body: object): Promise<{ run: string; state: string }> {
  const answer = await fetch(`${admin.url}${path}`, { method: "POST", body: JSON.stringify(body), headers: json });
  const { run } = await answer.json();
  const state = async () => (await admin.call("read_run", { id: run })).summary.state;
  await expect.poll(state).toMatch(/succeeded|failed|canceled|in_doubt/);
  return { run, state: await state() };
}

/** Makes an integration as a person does, and returns its builder. */
async function begin(builder: Builder, name: string, trigger: RegExp, expects?: string): Promise<void> {
  const { page } = builder;
  await page.goto("/");
  await page.getByRole("button", { name: "New integration" }).first().click();
  await page.getByRole("textbox", { name: "Name" }).fill(name);
  await page.getByRole("radio", { name: trigger }).check();
  if (expects) await page.getByRole("textbox", { name: /^What it expects/ }).fill(expects);
  await page.getByRole("button", { name: "Create integration" }).click();
  await expect(page).toHaveURL(/\/drafts\//);
  await expect(builder.flow).toBeVisible();
}

test("an integration calls another one by name, gets its result, and their runs link to each other", async ({
  organization,
  openDraft,
}) => {
  const { admin } = organization.as;
  const builder = await openDraft(await create(admin, "Somewhere to start", document("manual", [])));
  const { page } = builder;
  await begin(builder, "Price of an order", /^Call/, "An order with a total.");
  await builder.add("respond");
  await builder.field("JSON body").fill('{"gross": {{ trigger.body.total * 2 }}}');
  await builder.publish();
  await expect(page.getByRole("main")).toContainText("Other integrations start it with the step “Call integration”.");

  await begin(builder, "Orders that call", /Webhook/);
  await builder.add("call int");
  await expect(builder.field("Integration")).toBeVisible();
  await expect(builder.card("Call integration")).toContainText("1 problem");
  await expect(builder.field("Integration").getByRole("option", { name: "Somewhere to start (cannot be called now)" })).toBeAttached();
  await builder.field("Integration").selectOption("Orders that call (cannot be called now)");
  await expect(builder.field("Integration")).toHaveAccessibleDescription(/An integration cannot call itself/);
  await builder.field("Integration").selectOption("Price of an order");
  await expect(builder.panel.getByText("An order with a total.")).toBeVisible();
  await expect(builder.panel.getByText(/A test, too, starts a real run of it/)).toBeVisible();
  await builder.field("Input").fill('{"total": {{ trigger.body.total }}}');
  await builder.add("set", "Call integration");
  await builder.addRow("Values", 1, "gross", "{{ steps.call_integration.result.gross }}");
  await expectAccessible(page, "a step that calls an integration");
  await builder.publish();
  const { webhook_path: path } = await admin.call("read_integration", { id: page.url().split("/").at(-1) });

  const { run, state } = await hook(admin, path, { total: 21 });
  expect(state).toBe("succeeded");
  await page.goto(`/runs/${run}`);
  const main = page.getByRole("main");
  await main.getByRole("button", { name: /^Set values/ }).click();
  await expect(main).toContainText("42");
  await expectAccessible(page, "a run that called another one");
  await main.getByRole("link", { name: "Run of Price of an order" }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Run of Price of an order");
  await expect(main).toContainText("Called by");
  await expectAccessible(page, "a run that was called");
  await main.getByRole("link", { name: "Run of Orders that call" }).click();
  await expect(page).toHaveURL(new RegExp(run));
});

test("what fails in the called integration fails the caller with the reason, or is dealt with by a try", async ({
  organization,
  openDraft,
  signedIn,
}) => {
  const { admin } = organization.as;
  const stop = step("No stock", "stop", { message: "Nothing left of {{ trigger.body.sku }}" });
  const { integration: called } = await publish(admin, await create(admin, "Stock", document("call", [stop])));
  const call = step("Ask for stock", "integration.call", { integration: called, input: { sku: "{{ trigger.body.sku }}" } });
  const plain = await publish(admin, await create(admin, "Plain", document("webhook", [call])));
  const failed = await hook(admin, plain.webhookPath, { sku: "X1" });
  expect(failed.state).toBe("failed");
  const page = await signedIn("reader");
  await page.goto(`/runs/${failed.run}`);
  const reason = "The run of “Stock” that was called failed: Nothing left of X1";
  await expect(page.getByRole("note").first()).toContainText(reason);
  await expect(page.getByRole("link", { name: "Run of Stock" })).toBeVisible();
  await expectAccessible(page, "a run whose call failed");

  const builder = await openDraft(await create(admin, "Tried", document("webhook", [])));
  await builder.add("catch");
  await builder.addAt("Add a step at the start of Try", "call int");
  await builder.field("Integration").selectOption("Stock");
  await builder.field("Input").fill('{"sku": "X2"}');
  await builder.addAt("Add a step at the start of If it fails", "log");
  await builder.field("Message").fill("Sorry: {{ steps.try.error.message }}");
  await builder.publish();
  const { webhook_path: path } = await admin.call("read_integration", { id: builder.page.url().split("/").at(-1) });
  const caught = await hook(admin, path, {});
  expect(caught.state).toBe("succeeded");
  await builder.page.goto(`/runs/${caught.run}`);
  await builder.page.getByRole("button", { name: /^Log/ }).click();
  await expect(builder.page.getByRole("main")).toContainText("Sorry: The run of “Stock” that was called failed: Nothing left of X2");

  // What is not published any more with that trigger says so when it is called.
  const next = await admin.call<string>("start_draft", { integration: called, title: "By hand" });
  const manual = { set_trigger: { trigger: { kind: "manual", config: {} } } };
  await admin.call("save_draft", { id: next, save: { id: crypto.randomUUID(), expected: 1, edits: [manual] } });
  await publish(admin, next);
  const refused = await hook(admin, plain.webhookPath, { sku: "X3" });
  await page.goto(`/runs/${refused.run}`);
  await expect(page.getByRole("note").first()).toContainText("“Stock” does not start by a call.");
});
