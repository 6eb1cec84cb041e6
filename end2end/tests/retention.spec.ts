// How long runs are kept: an Admin sets it, others read it.
import { expectAccessible } from "../fixtures/axe.ts";
import { expect, test } from "../fixtures/test.ts";

test("an Admin sets how long runs are kept, and is asked before older ones go", async ({ organization, signedIn }) => {
  const page = await signedIn("admin");
  await page.goto("/");
  await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Retention" }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Retention");
  const kept = page.getByRole("main").getByRole("status");
  await expect(kept).toHaveText("Runs are kept for 30 days after they ended.");
  const days = page.getByRole("textbox", { name: /^Days to keep runs/ });
  await expect(days).toHaveValue("30");
  await days.fill("0");
  await page.keyboard.press("Enter");
  await expect(days).toHaveAccessibleDescription(/Write a number of days from 1 to 3650\./);
  await expectAccessible(page, "retention-refused");

  await days.fill("90");
  await page.keyboard.press("Enter");
  await expect(kept).toHaveText("Runs are kept for 90 days after they ended.");

  await days.fill("1");
  await page.getByRole("button", { name: "Save" }).click();
  const asking = page.getByRole("dialog", { name: "Keep runs for 1 day?" });
  await expect(asking).toContainText("cannot be brought back");
  await expectAccessible(page, "retention-asking");
  await asking.getByRole("button", { name: "Cancel" }).click();
  await expect(kept).toHaveText("Runs are kept for 90 days after they ended.");
  await days.fill("30");
  await page.keyboard.press("Enter");
  await page.getByRole("dialog", { name: "Keep runs for 30 days?" }).getByRole("button", { name: "Delete older runs" }).click();
  await expect(kept).toHaveText("Runs are kept for 30 days after they ended.");
  expect(await organization.as.admin.call("read_retention")).toBe(30);
});

test("who is no Admin reads how long runs are kept, and why it cannot be changed", async ({ organization, signedIn }) => {
  for (const role of ["collaborator", "reader"] as const) {
    const page = await signedIn(role);
    await page.goto("/settings/retention");
    await expect(page.getByRole("main")).toContainText("Runs are kept for 30 days after they ended.");
    await expect(page.getByRole("main")).toContainText("Only Admins can change how long runs are kept.");
    await expect(page.getByRole("button", { name: "Save" })).toHaveCount(0);
    await expectAccessible(page, `retention-${role}`);
    const answer = await organization.as[role].ask("set_retention", { days: 5 });
    expect(answer.status).toBe(403);
  }
});
