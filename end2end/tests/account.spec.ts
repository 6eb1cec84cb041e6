// Signing in and out, sessions, invitations.
import { Builder } from "../fixtures/builder.ts";
import { create, document, step } from "../fixtures/document.ts";
import { emailOf, expect, join, PASSWORD, test } from "../fixtures/test.ts";

test("a wrong password is refused in the same words as an unknown address", async ({ page, organization }) => {
  await page.goto(`${organization.server.url}/sign-in`);
  const form = page.getByRole("main");
  await form.getByLabel("E-mail").fill(emailOf("reader"));
  await form.getByLabel("Password").fill("not the password");
  await form.getByRole("button", { name: "Sign in" }).click();
  const said = form.getByRole("alert");
  await expect(said).toHaveText(/password/i);
  const words = await said.textContent();
  await expect(form.getByLabel("E-mail"), "what was typed stays").toHaveValue(emailOf("reader"));
  await form.getByLabel("E-mail").fill("nobody@example.com");
  await form.getByRole("button", { name: "Sign in" }).click();
  await expect(form.getByRole("button", { name: "Sign in" })).toBeEnabled();
  await expect(said).toHaveText(words!);
});

test("signing in leads to the page that was asked for, and signing out ends the session", async ({
  page,
  organization,
}) => {
  const { url } = organization.server;
  await page.goto(`${url}/settings/members`);
  await expect(page).toHaveURL(/\/sign-in/);
  await page.getByLabel("E-mail").fill(emailOf("collaborator"));
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page).toHaveURL(`${url}/settings/members`);
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Members");
  const [session] = await page.context().cookies();
  expect(session).toMatchObject({ name: "sluice_session", httpOnly: true, sameSite: "Lax" });

  await page.getByRole("button", { name: /^Account of/ }).click();
  await page.getByRole("menuitem", { name: "Sign out" }).click();
  await expect(page).toHaveURL(/\/sign-in/);
  await page.goto(`${url}/runs`);
  await expect(page).toHaveURL(/\/sign-in/);
  const old = await fetch(`${url}/api/who_am_i`, {
    method: "POST",
    body: "{}",
    headers: { "content-type": "application/json", cookie: `sluice_session=${session!.value}` },
  });
  expect(old.status, "the session itself has ended").toBe(401);
});

test("a session that ends while one types is renewed over the page, and nothing is lost", async ({
  page,
  organization,
}) => {
  const { url } = organization.server;
  const email = "typist@example.com";
  await join(organization.as.admin, "collaborator", "Test Typist", email);
  await page.goto(`${url}/sign-in`);
  await page.getByLabel("E-mail").fill(email);
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page, "leaving the page sooner would take back the request").not.toHaveURL(/\/sign-in/);
  const draft = await create(organization.as.admin, "Session", document("webhook", [step("One", "log", { message: "" })]));
  await page.goto(`${url}/drafts/${draft}`);
  const builder = new Builder(page);
  await builder.select("One");
  await page.context().clearCookies();
  await builder.field("Message").fill("typed without a session");
  const dialog = page.getByRole("dialog", { name: "Sign in again" });
  await dialog.getByLabel("Password").fill(PASSWORD);
  await dialog.getByRole("button", { name: "Sign in" }).click();
  await expect(dialog).toBeHidden();
  await builder.saved();
  const saved = await organization.as.admin.call("read_draft", { id: draft });
  expect(Object.values<any>(saved.document.steps)[0].config.message).toBe("typed without a session");
});

test("an invitation works once, and a withdrawn one not at all", async ({ page, organization }) => {
  const { admin } = organization.as;
  const token = await admin.call<string>("invite", { role: "reader" });
  await page.goto(`${admin.url}/invitation/${token}`);
  await expect(page.getByRole("main")).toContainText("Test Admin invites you to join Test organization as Reader.");
  await page.getByLabel("Your name").fill("Test Guest");
  await page.getByLabel("E-mail").fill("guest@example.com");
  await page.getByLabel("Password").fill("short");
  await page.getByRole("button", { name: "Join" }).click();
  await expect(page.getByLabel("Password")).toHaveAccessibleDescription(/shorter than 12 characters/);
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByRole("button", { name: "Join" }).click();
  await expect(page).toHaveURL(`${admin.url}/`);
  await page.context().clearCookies();
  await page.goto(`${admin.url}/invitation/${token}`);
  await expect(page.getByRole("alert").first()).toBeVisible();
  await expect(page.getByRole("button", { name: "Join" })).toBeHidden();

  const withdrawn = await admin.call<string>("invite", { role: "admin" });
  const [invitation] = await admin.call<any[]>("invitations");
  await admin.call("withdraw_invitation", { invitation: invitation.id });
  await page.goto(`${admin.url}/invitation/${withdrawn}`);
  await expect(page.getByRole("alert").first()).toBeVisible();
});
