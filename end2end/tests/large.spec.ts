// The largest document that is kept.
import { create, document, step } from "../fixtures/document.ts";
import { expect, test } from "../fixtures/test.ts";

// A trace copies the page's elements at every act, and a page of 5,000 steps has 130,000.
test.use({ trace: "off" });

test("a document with 5,000 steps opens and can be edited, and takes no more", async ({ organization, signedIn }) => {
  const { admin } = organization.as;
  const steps = Array.from({ length: 5000 }, (_, at) => step(`Step ${at + 1}`, "log", { message: `m${at}` }));
  const draft = await create(admin, "Very large", document("webhook", steps));
  const page = await signedIn("collaborator");
  await page.goto(`/drafts/${draft}`);

  // By selectors, unlike elsewhere: to find one by its role, Playwright works out the names of all
  // elements, which here takes it minutes.
  const card = (at: number) => page.locator(`#step-${steps[at]!.id}`);
  const panel = page.locator("#panel");
  await card(0).waitFor({ timeout: 60_000 });
  await page.locator('[aria-label="Add a step after Step 1"]').click();
  await page.keyboard.type("log");
  await page.keyboard.press("Enter");
  await page.locator(".toast", { hasText: "An integration holds at most 5000 steps." }).waitFor();
  await card(1).click();
  await panel.getByRole("textbox", { name: "Message" }).fill("changed {{ steps.step_1.message }}");
  await card(2).focus();
  await page.keyboard.press("Delete");
  await card(2).waitFor({ state: "detached" });
  await page.locator("[data-revision]", { hasText: /^Saved, revision/ }).waitFor();
  const saved = await admin.call("read_draft", { id: draft });
  expect(saved.document.flow).toHaveLength(4999);
  expect(saved.document.steps[steps[1]!.id].config.message).toBe("changed {{ steps.step_1.message }}");

  const more = steps.concat(step("One more", "log", { message: "m" }));
  const refused = await admin.ask("create_integration", { name: "Too large", document: document("webhook", more) });
  expect(refused.status).toBe(422);
  expect(refused.body.refused.message).toMatch(/5001 steps.* At most .* 5000 steps/);
});
