// Going on with runs that ended early: with one from its page, with all of a state from the list.
import { expectAccessible } from "../fixtures/axe.ts";
import { create, document, publish, step } from "../fixtures/document.ts";
import { expect, test } from "../fixtures/test.ts";
import type { Api } from "../fixtures/api.ts";
import type { Target } from "../fixtures/target.ts";

/** Publishes an integration that asks a service once; returns it and what calls it. */
async function asking(admin: Api, name: string, target: Target) {
  const ask = step("Ask the service", "http.request", { method: "GET", url: target.url("/ask") });
  const asks = document("manual", [step("Note", "log", { message: "came" }), ask]);
  const { integration } = await publish(admin, await create(admin, name, asks));
  const start = () => admin.call<string>("start_manual", { id: integration, payload: {} });
  return { integration, start };
}

async function becomes(admin: Api, run: string, state: string): Promise<void> {
  await expect.poll(async () => (await admin.call("read_run", { id: run })).summary.state).toBe(state);
}

test("a failed run is resumed from its page and goes on at the step that failed", async ({
  organization,
  signedIn,
  target,
}) => {
  const { admin } = organization.as;
  target.answer("/ask", 400, { error: "not now" });
  const { start } = await asking(admin, "Asked again", target);
  const run = await start();
  await becomes(admin, run, "failed");
  const page = await signedIn("collaborator");
  await page.goto(`/runs/${run}`);
  await expect(page.getByRole("heading", { name: "Run of Asked again" })).toBeVisible();
  target.answer("/ask", 200, { ok: true });
  const resume = page.getByRole("button", { name: "Resume", exact: true });
  await expect(page.getByRole("button", { name: "Resume on live version" })).toBeVisible();
  await expectAccessible(page, "failed-run");
  await resume.focus();
  await page.keyboard.press("Enter");
  const question = page.getByRole("dialog", { name: "Resume this run?" });
  await expect(question).toContainText("Steps that succeeded are not done again.");
  await expectAccessible(page, "resume-a-run");
  await question.getByRole("button", { name: "Resume", exact: true }).click();
  await expect(page.getByText("The run goes on.")).toBeVisible();
  await becomes(admin, run, "succeeded");
  await expect(page.getByText("Succeeded").first()).toBeVisible();
  await expect(resume).toBeHidden();
  expect(target.at("/ask")).toHaveLength(2);
});

test("all failed runs of an integration are resumed from the list", async ({ organization, signedIn, target }) => {
  const { admin } = organization.as;
  target.answer("/ask", 400, { error: "not now" });
  const { integration, start } = await asking(admin, "Asked by many", target);
  const runs = [await start(), await start(), await start()];
  for (const run of runs) await becomes(admin, run, "failed");
  const page = await signedIn("collaborator");
  await page.goto(`/runs?integration=${integration}`);
  const all = page.getByRole("button", { name: "Resume all" });
  await expect(page.getByRole("table").getByText("Failed").first()).toBeVisible();
  // Which ones are meant is chosen first.
  await expect(all).toBeHidden();
  await page.goto(`/runs?integration=${integration}&state=failed`);
  await expect(all).toBeVisible();
  target.answer("/ask", 200, { ok: true });
  await expectAccessible(page, "failed-runs");
  await all.click();
  const question = page.getByRole("dialog", { name: "Resume all of them?" });
  await question.getByRole("button", { name: "Resume all" }).click();
  await expect(page.getByText("3 runs go on.")).toBeVisible();
  for (const run of runs) await becomes(admin, run, "succeeded");
  await expect(page.getByRole("link", { name: /Asked by many/ })).toHaveCount(0);
});

test("a Reader sees that a run failed, and who may resume it", async ({ organization, signedIn, target }) => {
  const { admin } = organization.as;
  target.answer("/ask", 400, { error: "not now" });
  const { start } = await asking(admin, "Asked in vain", target);
  const run = await start();
  await becomes(admin, run, "failed");
  const page = await signedIn("reader");
  await page.goto(`/runs/${run}`);
  const resume = page.getByRole("button", { name: "Resume", exact: true });
  await expect(resume).toHaveAttribute("aria-disabled", "true");
  await expect(resume).toHaveAccessibleDescription(/Admins and Collaborators/);
});
