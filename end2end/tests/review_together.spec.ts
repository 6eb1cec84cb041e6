// Three people on one review at once, each in a browser of their own: what one does, the others see.
import { Builder } from "../fixtures/builder.ts";
import { accountOf, ReviewPage, underReview } from "../fixtures/review.ts";
import { expect, test } from "../fixtures/test.ts";

/** What shows within a moment shows within this time, also on a busy machine. */
const SOON = { timeout: 10_000 };

test("three people review at once: comments, an approval, an edit that makes it stale, the publish", async ({
  organization,
  signedIn,
}) => {
  const { admin, collaborator } = organization.as;
  const it = await underReview(admin, collaborator, "Three at once", [await accountOf(admin)]);
  const reviewer = new ReviewPage(await signedIn("admin"));
  const author = new ReviewPage(await signedIn("collaborator"));
  const reader = new ReviewPage(await signedIn("reader"));
  for (const one of [reviewer, author, reader]) await one.open(it.review);
  const here = (one: ReviewPage) => one.page.getByRole("list", { name: "Here now" });
  await expect(here(reviewer)).toContainText("Test Collaborator", SOON);
  await expect(here(reviewer)).toContainText("Test Reader", SOON);
  await expect(here(author)).toContainText("Test Reader", SOON);

  // A Reader asks, the author answers, the reviewer reads both without a reload.
  await reader.comment("Thank", "Message", "Whom do we thank?");
  for (const one of [reviewer, author]) {
    await expect(one.thread("Message of Thank")).toContainText("Whom do we thank?", SOON);
  }
  const thread = author.thread("Message of Thank");
  await thread.getByRole("button", { name: "Reply" }).click();
  await thread.getByRole("textbox", { name: "Reply" }).fill("Whoever ordered.");
  await author.page.keyboard.press("Control+Enter");
  for (const one of [reviewer, reader]) {
    await expect(one.thread("Message of Thank")).toContainText("Whoever ordered.", SOON);
  }
  await reader.thread("Message of Thank").getByRole("button", { name: "Resolve" }).click();
  await expect(reviewer.thread("Message of Thank")).toContainText("Resolved by Test Reader", SOON);

  await reviewer.finish("Approve", "Fine.");
  for (const one of [reviewer, author, reader]) await expect(one.state("Approved")).toBeVisible(SOON);

  // The author edits in the builder while the others look at the review.
  const builder = new Builder(await author.page.context().newPage());
  await builder.open(it.draft);
  await builder.select("Thank");
  await builder.field("Message").fill("Thank you very much");
  await builder.saved();
  for (const one of [reviewer, author, reader]) await expect(one.state("In review")).toBeVisible(SOON);
  await expect(reviewer.rail).toContainText("Approved, stale", SOON);
  await expect(reader.field("Thank", "Message").locator(".field-value")).toHaveText("Thank you very much", SOON);
  await expect(author.page.getByRole("button", { name: "Publish", exact: true })).toHaveAttribute("aria-disabled", "true");

  await reviewer.finish("Approve", "Still fine.");
  await expect(author.state("Approved")).toBeVisible(SOON);
  await builder.publish("Thanks everyone");
  for (const one of [reviewer, author, reader]) await expect(one.state("Published")).toBeVisible(SOON);
});
