// Servers that steps log in to: a mail server and a database, each kept by an Admin, tried out, and
// used by its own step.
import type { Locator, Page } from "@playwright/test";

import { expectAccessible } from "../fixtures/axe.ts";
import { Database } from "../fixtures/database.ts";
import { create, document } from "../fixtures/document.ts";
import { PostOffice } from "../fixtures/post_office.ts";
import { expect, test } from "../fixtures/test.ts";

const password = "planted-password-of-the-server";

/** Opens the dialog of a new connection, and chooses a name and a kind. */
async function begin(page: Page, name: string, kind: string): Promise<Locator> {
  await page.goto("/settings/connections");
  await page.getByRole("button", { name: "New connection" }).click();
  const dialog = page.getByRole("dialog", { name: "New connection" });
  await dialog.getByLabel("Name", { exact: true }).fill(name);
  await dialog.getByLabel("Kind").selectOption(kind);
  return dialog;
}

/** Tries a connection out, and returns what is said of it. */
async function tried(page: Page, name: string): Promise<Locator> {
  await page.getByRole("button", { name: `Test connection “${name}”` }).click();
  const dialog = page.getByRole("dialog", { name: `Test connection “${name}”` });
  await expect(dialog).toContainText("It logs in to the server");
  await expect(dialog.getByLabel("Path")).toHaveCount(0);
  await dialog.getByRole("button", { name: "Log in" }).click();
  return dialog.getByRole("status");
}

test("an Admin keeps a mail server, and a step sends an e-mail through it", async ({ organization, openDraft, signedIn }) => {
  const office = await PostOffice.open();
  try {
    const port = office.address.split(":")[1]!;
    const page = await signedIn("admin");
    const dialog = await begin(page, "The office", "E-mail server (SMTP)");
    await expect(dialog.getByLabel("Origins")).toHaveCount(0);
    await expect(dialog.getByLabel("Port")).toHaveValue("587");
    await dialog.getByLabel("Host").fill("mail.example.com");
    await dialog.getByLabel("Port").fill(port);
    await dialog.getByLabel("Sender").fill("shop@example.com");
    await dialog.getByLabel("Encryption").selectOption("Not encrypted");
    await dialog.getByLabel("User name").fill("shop");
    await dialog.getByLabel(/^Password( optional)?$/).fill(password);
    await dialog.getByRole("button", { name: "Keep the connection" }).click();
    await expect(dialog.getByRole("alert")).toContainText("Without one, a password is sent to an IP address or localhost only.");
    await expectAccessible(page, "new-mail-server");
    await dialog.getByLabel("Host").fill("127.0.0.1");
    await dialog.getByRole("button", { name: "Keep the connection" }).click();
    await expect(dialog).toBeHidden();
    const line = page.getByRole("listitem").filter({ has: page.getByRole("heading", { name: "The office" }) });
    await expect(line).toContainText(`smtp://127.0.0.1:${port}`);
    await expect(await tried(page, "The office")).toHaveText("The connection works: the server let it in.");

    const draft = await create(organization.as.admin, "Tell the customer", document("webhook", []));
    const builder = await openDraft(draft);
    await builder.add("send e-mail");
    await builder.field("Connection").selectOption("The office");
    await expect(builder.page.getByText(`It may be sent to smtp://127.0.0.1:${port}.`)).toBeVisible();
    await builder.field("To").fill("{{ trigger.body.email }}");
    await builder.field("Subject").fill("Your order {{ trigger.body.id }}");
    await builder.field("Text").fill("Thank you, {{ trigger.body.name }}.");
    await builder.saved();
    await expectAccessible(builder.page, "step-that-sends-an-email");
    const body = { email: "ada@example.com", id: 7, name: "Ada" };
    await builder.test({ method: "POST", headers: {}, query: {}, body });
    await expect(builder.testDrawer).toContainText("Succeeded");
    expect(office.letters("ada@example.com")).toHaveLength(1);
    const letter = office.letters("ada@example.com")[0]!;
    expect(letter).toContain("From: shop@example.com");
    expect(letter).toContain("Subject: Your order 7");
    expect(letter).toContain("Thank you, Ada.");

    // What is no address is told, and nothing is sent.
    await builder.test({ method: "POST", headers: {}, query: {}, body: { ...body, email: "ada@example.com\r\nBcc: evil@example.com" } });
    await expect(builder.page.getByText(/To: `ada@example.com.* is no e-mail address/).first()).toBeVisible();
    expect(await builder.page.content()).not.toContain(password);
  } finally {
    await office.close();
  }
});

test("an Admin keeps a database, and a step asks it with parameters, reading only", async ({ organization, openDraft, signedIn }) => {
  const database = await Database.open(organization.server.postgres);
  try {
    const page = await signedIn("admin");
    const dialog = await begin(page, "The warehouse", "PostgreSQL database");
    await expect(dialog.getByLabel("Port")).toHaveValue("5432");
    await dialog.getByLabel("Host").fill("127.0.0.1");
    await dialog.getByLabel("Port").fill(String(database.port));
    await dialog.getByLabel("Encryption").selectOption("Not encrypted");
    await dialog.getByLabel("User name").fill("sluice");
    await dialog.getByLabel(/^Password( optional)?$/).fill(password);
    await dialog.getByRole("button", { name: "Keep the connection" }).click();
    await expect(dialog.getByRole("alert")).toContainText("Give the name of the database");
    await dialog.getByLabel("Database").fill("sluice");
    await dialog.getByRole("button", { name: "Keep the connection" }).click();
    await expect(dialog).toBeHidden();
    await expect(await tried(page, "The warehouse")).toHaveText("The connection works: the server let it in.");

    const draft = await create(organization.as.admin, "Stock", document("webhook", []));
    const builder = await openDraft(draft);
    await builder.add("query postgresql");
    await builder.field("Connection").selectOption("The warehouse");
    // Mail servers and web services are of no use here.
    await expect(builder.field("Connection").getByRole("option", { name: "The office" })).toHaveCount(0);
    await builder.field("SQL").fill("select item, '{{ 1 }}' as braces from unnest($1::text[]) as item");
    await builder.field("Parameters").fill("[{{ trigger.body.items }}]");
    await builder.saved();
    await expectAccessible(builder.page, "step-that-asks-a-database");
    await builder.test({ method: "POST", headers: {}, query: {}, body: { items: ["a", "'); drop table run; --"] } });
    await expect(builder.testDrawer).toContainText("Succeeded");
    await builder.card("Query PostgreSQL").click();
    await expect(builder.page.getByText(/drop table run; --/).first()).toBeVisible();

    await builder.field("SQL").fill("create table stock (id int) -- {{ $1 }}");
    await builder.field("Parameters").fill("[]");
    await builder.saved();
    await builder.test();
    await expect(builder.page.getByText(/cannot execute CREATE TABLE in a read-only transaction/).first()).toBeVisible();
  } finally {
    await database.close();
  }
});
