// A change goes from the inbox to live without a mouse.
import type { Locator, Page } from "@playwright/test";

import { accountOf, ReviewPage, underReview } from "../fixtures/review.ts";
import { expect, test } from "../fixtures/test.ts";

/** Most presses of one key until what is wanted has the focus. */
const MOST = 60;

/** Presses a key until something has the focus. */
async function pressTo(page: Page, key: string, wanted: Locator): Promise<void> {
  await expect(wanted).toBeVisible();
  for (let press = 0; press < MOST; press += 1) {
    if (await wanted.evaluate((element) => element === document.activeElement)) return;
    await page.keyboard.press(key);
  }
  await expect(wanted).toBeFocused();
}

/** Opens the inbox, and from there the review of an integration. */
async function openFromInbox(page: Page, integration: string): Promise<void> {
  await page.goto("/");
  await pressTo(page, "Tab", page.getByRole("link", { name: /^Inbox/ }));
  await page.keyboard.press("Enter");
  const waiting = page.getByRole("region", { name: "Waiting for you" });
  const line = waiting.getByRole("listitem").filter({ hasText: integration });
  await pressTo(page, "j", line.getByRole("link").first());
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/\/reviews\//);
}

test("a change goes from the inbox to live with the keyboard alone", async ({ organization, signedIn }) => {
  const { admin, collaborator } = organization.as;
  await underReview(admin, collaborator, "Without a mouse", [await accountOf(admin)]);

  const reviewer = new ReviewPage(await signedIn("admin"));
  const { keyboard } = reviewer.page;
  await openFromInbox(reviewer.page, "Without a mouse");
  await expect(reviewer.card("Thank")).toBeVisible();
  for (const name of ["Greet", "Wait", "Thank"]) {
    await keyboard.press("j");
    await expect(reviewer.card(name)).toBeFocused();
    await keyboard.press("v");
    await expect(reviewer.card(name).getByRole("checkbox", { name: "Viewed" })).toBeChecked();
  }
  await expect(reviewer.page.getByRole("status").filter({ hasText: "viewed" })).toHaveText("3 of 3 viewed");
  await keyboard.press("k");
  await expect(reviewer.card("Wait")).toBeFocused();
  await keyboard.press("c");
  await expect(reviewer.writing("Wait")).toBeFocused();
  await keyboard.type("It was needed once.");
  await keyboard.press("Control+Enter");
  await expect(reviewer.thread("Wait")).toContainText("It was needed once.");
  await keyboard.press("k");
  await keyboard.press("a");
  const finishing = reviewer.page.getByRole("dialog", { name: "Finish your review" });
  await expect(finishing.getByRole("textbox", { name: /^Message/ })).toBeFocused();
  await keyboard.type("Good to go.");
  await pressTo(reviewer.page, "Tab", finishing.getByRole("radio", { name: "Comment" }));
  await pressTo(reviewer.page, "ArrowDown", finishing.getByRole("radio", { name: "Approve" }));
  await keyboard.press("Enter");
  await expect(finishing).toBeHidden();
  await expect(reviewer.state("Approved")).toBeVisible();
  await pressTo(reviewer.page, "n", reviewer.thread("Wait"));
  await pressTo(reviewer.page, "Tab", reviewer.thread("Wait").getByRole("button", { name: "Resolve" }));
  await keyboard.press("Enter");
  await expect(reviewer.thread("Wait")).toContainText("Resolved by Test Admin");

  const author = new ReviewPage(await signedIn("collaborator"));
  await openFromInbox(author.page, "Without a mouse");
  await pressTo(author.page, "Tab", author.page.getByRole("button", { name: "Publish", exact: true }));
  await author.page.keyboard.press("Enter");
  const publishing = author.page.getByRole("dialog", { name: "Publish this draft" });
  await pressTo(author.page, "Tab", publishing.getByRole("textbox", { name: /^What changed, and why/ }));
  await author.page.keyboard.type("Says it better");
  const now = publishing.getByRole("button", { name: "Publish now" });
  await expect(now).toBeEnabled();
  await pressTo(author.page, "Tab", now);
  await author.page.keyboard.press("Enter");
  await expect(author.page).toHaveURL(/\/integrations\//);
  await expect(author.page.getByRole("main")).toContainText("Says it better");
  await expect(reviewer.state("Published")).toBeVisible();
});
