// A connection from the first secret to the run that used it: kept by an Admin, chosen in a step by
// a Collaborator, sent to its service and shown nowhere.
import { expectAccessible } from "../fixtures/axe.ts";
import { create, document, publish, save, setField, step } from "../fixtures/document.ts";
import { ReviewPage } from "../fixtures/review.ts";
import { expect, test } from "../fixtures/test.ts";

const secret = "planted-token-of-the-shop";

test("an Admin keeps a connection, a step uses it, its service gets the secret, and no page shows it", async ({
  organization,
  openDraft,
  signedIn,
  target,
}) => {
  const { admin } = organization.as;
  const origin = new URL(target.url("/")).origin;
  // As a careless service does.
  target.answer("/shop/orders", 200, { you_sent: `Bearer ${secret}` });
  target.answer("/shop/no", 403, { you_sent: secret });
  const page = await signedIn("admin");
  await page.goto("/settings/connections");
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Connections");

  await page.getByRole("button", { name: "New connection" }).click();
  const dialog = page.getByRole("dialog", { name: "New connection" });
  await dialog.getByLabel("Name", { exact: true }).fill("The shop");
  await dialog.getByLabel("Kind").selectOption("Bearer token");
  await dialog.getByLabel("Token", { exact: true }).fill("short");
  await dialog.getByLabel("Origins").fill(`${origin}/shop`);
  await dialog.getByRole("button", { name: "Keep the connection" }).click();
  await expect(dialog.getByRole("alert")).toContainText("is not an origin");
  await dialog.getByLabel("Origins").fill(origin);
  await dialog.getByRole("button", { name: "Keep the connection" }).click();
  await expect(dialog.getByRole("alert")).toContainText("A secret has 8 to");
  await expectAccessible(page, "new-connection");
  await dialog.getByLabel("Token", { exact: true }).fill(secret);
  await dialog.getByLabel("Token", { exact: true }).press("Enter");
  await expect(dialog).toBeHidden();

  const line = page.getByRole("listitem").filter({ has: page.getByRole("heading", { name: "The shop" }) });
  await expect(line).toContainText("Bearer token");
  await expect(line).toContainText(origin);
  await line.getByRole("button", { name: "Test connection “The shop”" }).click();
  const trying = page.getByRole("dialog", { name: "Test connection “The shop”" });
  await trying.getByLabel("Path").fill("/shop/no");
  await trying.getByRole("button", { name: "Send" }).click();
  await expect(trying.getByRole("status")).toContainText("The service answered 403.");
  await trying.getByLabel("Path").fill("/shop/orders");
  await trying.getByRole("button", { name: "Send" }).click();
  await expect(trying.getByRole("status")).toContainText("The connection works.");
  await expectAccessible(page, "test-connection");
  await trying.getByRole("button", { name: "Close", exact: true }).last().click();
  expect(target.at("/shop/orders")[0]!.headers["authorization"]).toBe(`Bearer ${secret}`);

  const call = step("Call the shop", "http.request", { method: "POST", url: target.url("/shop/orders") });
  const draft = await create(admin, "Orders to the shop", document("webhook", [call]));
  const builder = await openDraft(draft);
  await builder.select("Call the shop");
  await builder.field("Connection").selectOption("The shop");
  await expect(builder.page.getByText(`It may be sent to ${origin}.`)).toBeVisible();
  await builder.saved();
  await expectAccessible(builder.page, "step-with-connection");
  const { webhookPath } = await publish(admin, draft);
  const answer = await fetch(`${admin.url}${webhookPath}`, { method: "POST", body: "{}", headers: { "content-type": "application/json" } });
  const { run } = await answer.json();
  await expect.poll(() => target.at("/shop/orders").length).toBe(2);
  expect(target.at("/shop/orders")[1]!.headers["authorization"]).toBe(`Bearer ${secret}`);

  await page.goto(`/runs/${run}`);
  await expect(page.getByRole("main")).toContainText("Succeeded");
  await page.getByRole("button", { name: /Call the shop/ }).first().click();
  await expect(page.getByRole("main")).toContainText("[hidden]");
  expect(await page.content()).not.toContain(secret);

  await page.goto("/settings/connections");
  await expect(line.getByRole("link", { name: "Orders to the shop" })).toBeVisible();
  await line.getByRole("button", { name: "Delete “The shop”" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await expect(page.getByText(/It is in use, so it cannot be deleted: “Orders to the shop” \(live\)/)).toBeVisible();
  await expectAccessible(page, "connections");

  const reader = await signedIn("reader");
  await reader.goto("/settings/connections");
  await expect(reader.getByRole("heading", { name: "The shop" })).toBeVisible();
  await expect(reader.getByRole("main")).not.toContainText(origin);
});

test("a rebound connection is shown, suggested and decided on by name, with what it means", async ({
  organization,
  openDraft,
  signedIn,
  target,
}) => {
  const { admin, collaborator } = organization.as;
  const form = (name: string) => ({
    form: { name, kind: "bearer", names: [], origins: [new URL(target.url("/")).origin], live: { set: [secret] }, test: "keep" },
  });
  const [read, write] = [
    await admin.call<string>("create_connection", form("CRM, read only")),
    await admin.call<string>("create_connection", form("CRM, may write")),
  ];
  const call = step("Call the CRM", "http.request", { method: "GET", url: target.url("/crm"), connection: read });
  const draft = await create(admin, "CRM", document("webhook", [call]));
  const { integration } = await publish(admin, draft);
  const next = await admin.call<string>("start_draft", { integration, title: "May write" });
  await save(admin, next, [setField(call, "connection", write)]);
  const review = await admin.call<string>("create_review", { draft: next, title: "May write", description: "", reviewers: [] });
  const page = await signedIn("collaborator");
  await page.goto(`/reviews/${review}`);
  const main = page.getByRole("main");
  await expect(main).toContainText("Connection rebound: “Call the CRM” sends the credentials of another connection to");
  await expect(main).toContainText("CRM, read only");
  await expect(main).toContainText("CRM, may write");
  expect(await collaborator.ask("delete_connection", { id: read })).toMatchObject({ status: 403 });

  // Another one is suggested, and decided on, by its name.
  const third = await admin.call<string>("create_connection", form("CRM, of the team"));
  const reviewing = new ReviewPage(page);
  await reviewing.commentOn("Call the CRM", "Connection").click();
  await reviewing.writing("Connection of Call the CRM").fill("Ours will do.");
  await page.getByRole("button", { name: "Suggest a value" }).click();
  await page.getByRole("combobox", { name: "Suggested value of Connection" }).selectOption("CRM, of the team");
  await page.getByRole("button", { name: "Comment now" }).click();
  const thread = reviewing.thread("Connection of Call the CRM");
  await expect(thread).toContainText("CRM, of the team");
  await thread.getByRole("button", { name: "Apply" }).click();
  await expect(thread).toContainText("Applied by Test Collaborator in revision 3");
  const { document: applied } = await admin.call("read_draft", { id: next });
  expect(applied.steps[call.id].config.connection).toBe(third);

  const other = await admin.call<string>("start_draft", { integration, title: "Writes, too" });
  await save(admin, other, [setField(call, "connection", write)]);
  const builder = await openDraft(next, "collaborator");
  const conflict = (await builder.bringingIn("Writes, too")).getByRole("region", { name: /Call the CRM/ });
  for (const name of ["CRM, read only", "CRM, may write", "CRM, of the team"]) await expect(conflict).toContainText(name);
  await expect(conflict.getByRole("radio")).toHaveCount(2);
});
