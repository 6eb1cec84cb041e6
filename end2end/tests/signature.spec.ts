// Webhooks whose calls are signed: the choice in the trigger, the secrets on the page of the
// integration, and what a sender with and without the secret gets.
import { createHmac } from "node:crypto";

import { expectAccessible } from "../fixtures/axe.ts";
import { create, document, publish, step } from "../fixtures/document.ts";
import { expect, test } from "../fixtures/test.ts";

const body = JSON.stringify({ id: 42 });

/** Calls a webhook as GitHub does, signed with a secret, or not at all. */
async function call(address: string, secret?: string): Promise<number> {
  const headers: Record<string, string> = { "content-type": "application/json" };
  if (secret) headers["x-hub-signature-256"] = `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`;
  return (await fetch(address, { method: "POST", headers, body })).status;
}

test("an Admin adds a signing secret, and only calls signed with it start runs", async ({ organization, signedIn }) => {
  const { admin } = organization.as;
  const signed = document("webhook", [step("Note", "log", { message: "came" })]);
  signed.trigger.config.signature = "github";
  const draft = await create(admin, "Signed by its sender", signed);
  const { integration, webhookPath } = await publish(admin, draft);
  const address = `${admin.url}${webhookPath}`;
  const page = await signedIn("admin");
  await page.goto(`/integrations/${integration}`);
  const section = page.getByRole("region", { name: "Signature GitHub" });
  await expect(section).toContainText("Every call is refused");
  expect(await call(address, "anything at all")).toBe(401);

  await section.getByRole("button", { name: "Add a signing secret" }).click();
  const dialog = page.getByRole("dialog", { name: "Add a signing secret" });
  await dialog.getByLabel("Secret from the sender").fill("short");
  await dialog.getByRole("button", { name: "Keep this secret" }).click();
  await expect(dialog).toContainText("16 to 256 visible characters");
  await expectAccessible(page, "add-a-signing-secret");
  await dialog.getByRole("button", { name: "Make a new secret" }).click();
  const secret = await dialog.getByText(/^whsec_/).innerText();
  await dialog.getByRole("button", { name: "Done" }).click();
  await expect(section.getByRole("listitem")).toHaveText(/Kept by Test Admin/);
  await expect(page.getByText(secret)).toHaveCount(0);
  expect(await call(address, secret)).toBe(202);
  expect(await call(address)).toBe(401);

  await section.getByRole("button", { name: "Remove the signing secret of Test Admin" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
  await expect(section).toContainText("Every call is refused");
  expect(await call(address, secret)).toBe(401);
});

test("a Collaborator chooses the signature in a draft, and learns who keeps the secret", async ({
  organization,
  openDraft,
  signedIn,
}) => {
  const { admin } = organization.as;
  const draft = await create(admin, "To be signed", document("webhook", [step("Note", "log", { message: "came" })]));
  const builder = await openDraft(draft);
  await builder.page.getByRole("button", { name: /^Trigger/ }).click();
  await builder.page.getByLabel("Signature").selectOption("Standard Webhooks");
  await builder.saved();
  const { integration } = await publish(admin, draft);
  const page = await signedIn("collaborator");
  await page.goto(`/integrations/${integration}`);
  const section = page.getByRole("region", { name: "Signature Standard Webhooks" });
  await expect(section.getByRole("button", { name: "Add a signing secret" })).toHaveAccessibleDescription(/Only Admins/);
});
