// What calls an integration: on its page, before it is disabled, and before it starts by something
// else.
import { expectAccessible } from "../fixtures/axe.ts";
import { create, document, publish, step } from "../fixtures/document.ts";
import { expect, test } from "../fixtures/test.ts";

test("an integration shows what calls it, and asks before its callers would fail", async ({
  organization,
  openDraft,
  signedIn,
}) => {
  const { admin } = organization.as;
  const note = () => step("Note", "log", { message: "came" });
  const called = await publish(admin, await create(admin, "Invoices", document("call", [note()])));
  const page = await signedIn("collaborator");
  await page.goto(`/integrations/${called.integration}`);
  await expect(page.getByText("Nothing calls it, neither live nor in a draft.")).toBeVisible();

  const call = () => step("Call", "integration.call", { integration: called.integration, wait: "result" });
  await publish(admin, await create(admin, "Orders", document("webhook", [call()])));
  await create(admin, "Returns", document("webhook", [call()]));
  const callers = page.getByRole("region", { name: "Called by" });
  await expect(callers.getByRole("listitem")).toHaveText([/Orders live/, /Returns in the draft/]);
  await expectAccessible(page, "called-by");

  await page.getByRole("switch", { name: "Enabled" }).click();
  const question = page.getByRole("dialog", { name: "Disable what others call?" });
  await expect(question).toContainText("“Orders” calls this integration");
  await question.getByRole("button", { name: "Cancel" }).click();
  await expect(page.getByRole("switch", { name: "Enabled" })).toBeChecked();
  await page.getByRole("switch", { name: "Enabled" }).click();
  await question.getByRole("button", { name: "Disable" }).click();
  await expect(page.getByRole("switch", { name: "Enabled" })).not.toBeChecked();

  const next = await admin.call("start_draft", { integration: called.integration, title: "By hand" });
  const builder = await openDraft(next);
  await builder.page.getByRole("button", { name: /^Trigger/ }).click();
  await builder.page.getByLabel("Starts by").selectOption("Manual");
  const dialog = await builder.publishing();
  await expect(dialog).toContainText("It cannot be called any more, but “Orders” still does");
});
