// Events that their sender sends again: the choice in the trigger, what publishing says of it, and
// the run that shows how often its event came.
import { expectAccessible } from "../fixtures/axe.ts";
import { create, document, publish, step } from "../fixtures/document.ts";
import { expect, test } from "../fixtures/test.ts";

test("a webhook that knows its sender's event ids starts one run of each event", async ({
  organization,
  openDraft,
  signedIn,
}) => {
  const { admin } = organization.as;
  const draft = await create(admin, "Told twice", document("webhook", [step("Note", "log", { message: "came" })]));
  const builder = await openDraft(draft);
  await builder.page.getByRole("button", { name: /^Trigger/ }).click();
  await builder.page.getByLabel("Event id of the sender").selectOption("In a header");
  const header = builder.page.getByRole("textbox", { name: "Header with the event id" });
  await header.fill("Authorization");
  await expect(builder.page.getByText("The header `authorization` is not kept from a call.").first()).toBeVisible();
  await header.fill("X-Request-Id");
  await builder.saved();
  await expectAccessible(builder.page, "event-id-of-the-sender");

  const { integration, webhookPath } = await publish(admin, draft);
  const page = await signedIn("admin");
  await page.goto(`/integrations/${integration}`);
  await expect(page.getByText("The sender's event id is header x-request-id.")).toBeVisible();
  const send = async () => {
    const answer = await fetch(`${admin.url}${webhookPath}`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-request-id": "evt_7" },
      body: "{}",
    });
    expect(answer.status).toBe(202);
    return ((await answer.json()) as { run: string }).run;
  };
  const run = await send();
  expect(await send()).toBe(run);
  expect(await send()).toBe(run);
  await page.goto(`/runs/${run}`);
  await expect(page.getByText("evt_7 · 2 repeated deliveries, which started no run")).toBeVisible();
  await expectAccessible(page, "run-with-repeated-deliveries");
});
