// What holds the runs of an integration back: a pause, and how many go on at once.
import { expectAccessible } from "../fixtures/axe.ts";
import { create, document, publish, step } from "../fixtures/document.ts";
import { expect, test } from "../fixtures/test.ts";

const hook = () => document("webhook", [step("Note", "log", { message: "came" })]);

/** Calls a webhook; returns the run that its event became. */
async function call(address: string): Promise<string> {
  const response = await fetch(address, { method: "POST", body: "{}", headers: { "content-type": "application/json" } });
  expect(response.status).toBe(202);
  return (await response.json()).run;
}

test("a paused integration keeps what comes in, says how much waits, and continues with it", async ({
  organization,
  signedIn,
}) => {
  const { admin } = organization.as;
  const { integration, webhookPath } = await publish(admin, await create(admin, "Paused for a while", hook()));
  const address = `${admin.url}${webhookPath}`;
  const page = await signedIn("collaborator");
  await page.goto(`/integrations/${integration}`);
  const section = page.getByRole("region", { name: "Order of runs" });
  await expect(section.getByRole("status")).toHaveText("No run waits or is under way.");
  await section.getByRole("button", { name: "Pause" }).click();
  await expect(section).toContainText("Events are accepted and its schedule fires, but their runs wait");
  await expect(page.getByRole("banner").or(page.getByRole("main")).getByText("Paused", { exact: true }).first()).toBeVisible();

  const runs = [await call(address), await call(address)];
  await expect(section.getByRole("status")).toHaveText("2 runs wait.");
  await expectAccessible(page, "paused-integration");
  await page.goto(`/runs/${runs[0]}`);
  await expect(page.getByRole("main")).toContainText("It waits because the integration is paused.");
  await expectAccessible(page, "run-of-paused-integration");
  await page.goto("/");
  const line = page.getByRole("row", { name: /Paused for a while/ });
  await expect(line.getByText("Paused", { exact: true })).toBeVisible();
  await line.getByRole("link", { name: "Paused for a while" }).click();

  const button = section.getByRole("button", { name: "Continue" });
  await button.focus();
  await page.keyboard.press("Enter");
  await expect(section.getByRole("status")).toHaveText("No run waits or is under way.");
  for (const run of runs) {
    await expect.poll(async () => (await admin.call("read_run", { id: run })).summary.state).toBe("succeeded");
  }
  await expect(section.getByRole("button", { name: "Pause" })).toBeVisible();
});

test("a Collaborator sets by keyboard how many runs go on at once, and a Reader reads it", async ({
  organization,
  signedIn,
}) => {
  const { admin } = organization.as;
  const { integration } = await publish(admin, await create(admin, "In the order of events", hook()));
  const page = await signedIn("collaborator");
  await page.goto(`/integrations/${integration}`);
  const section = page.getByRole("region", { name: "Order of runs" });
  await expect(section).toContainText("As many runs as there is room for");
  await section.getByRole("button", { name: "Change" }).focus();
  await page.keyboard.press("Enter");
  const dialog = page.getByRole("dialog", { name: "Order of runs" });
  const choice = dialog.getByLabel("Runs at once");
  await choice.selectOption("At most a number");
  const number = dialog.getByLabel("Number of runs");
  await number.fill("0");
  await page.keyboard.press("Enter");
  await expect(dialog).toContainText("Write a number from 1 to 1000.");
  await expectAccessible(page, "order-of-runs");
  await number.fill("3");
  await page.keyboard.press("Enter");
  await expect(dialog).toBeHidden();
  await expect(section).toContainText("At most 3 runs, begun in the order of their events");

  await section.getByRole("button", { name: "Change" }).click();
  await expect(choice).toHaveValue("at-most");
  await choice.selectOption("One after another, in the order of their events");
  await dialog.getByRole("button", { name: "Set" }).click();
  await expect(section).toContainText("One run after another, in the order of their events");

  const reader = await signedIn("reader");
  await reader.goto(`/integrations/${integration}`);
  const shown = reader.getByRole("region", { name: "Order of runs" });
  await expect(shown).toContainText("One run after another, in the order of their events");
  await expect(shown.getByRole("button", { name: "Pause" })).toHaveAttribute("aria-disabled", "true");
  await expect(shown.getByRole("button", { name: "Change" })).toHaveAttribute("aria-disabled", "true");
});

test("while an answer is awaited nothing can be changed, and one that is late closes no dialog opened after it", async ({
  organization,
  signedIn,
}) => {
  const { admin } = organization.as;
  const { integration } = await publish(admin, await create(admin, "Over a slow line", hook()));
  const page = await signedIn("collaborator");
  let answer = () => {};
  const answered = new Promise<void>((done) => (answer = done));
  let asked = 0;
  await page.route("**/api/set_at_once", async (route) => {
    asked += 1;
    await answered;
    await route.continue();
  });
  await page.goto(`/integrations/${integration}`);
  const section = page.getByRole("region", { name: "Order of runs" });
  const dialog = page.getByRole("dialog", { name: "Order of runs" });
  const number = dialog.getByLabel("Number of runs");
  const set = dialog.getByRole("button", { name: "Set", exact: true });
  const choose = async (count: string) => {
    await section.getByRole("button", { name: "Change" }).click();
    await dialog.getByLabel("Runs at once").selectOption("At most a number");
    await number.fill(count);
  };

  await choose("5");
  await page.keyboard.press("Enter");
  await expect(set).toHaveAttribute("aria-disabled", "true");
  await expect(set).toBeFocused();
  await page.keyboard.type("7");
  await page.keyboard.press("Enter");
  await expect(number).toHaveValue("5");
  await expectAccessible(page, "order-of-runs-awaited");
  await page.keyboard.press("Escape");
  await expect(dialog).toBeHidden();

  await choose("2");
  expect(asked).toBe(1);
  answer();
  await expect(page.getByText("The order of runs is set.")).toBeVisible();
  await expect(section).toContainText("At most 5 runs");
  await expect(number).toHaveValue("2");
  await set.click();
  await expect(dialog).toBeHidden();
  await expect(section).toContainText("At most 2 runs");
  expect(asked).toBe(2);
});
