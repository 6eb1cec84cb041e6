// Reviews, as the guide tells it: a link is opened, changes are read and commented, the draft is
// sent back, edited, looked at again, approved and published.
import { expectAccessible } from "../fixtures/axe.ts";
import { save, setField } from "../fixtures/document.ts";
import { accountOf, ReviewPage, underReview } from "../fixtures/review.ts";
import { expect, test, watched } from "../fixtures/test.ts";

test("a draft is sent back with a comment, edited, looked at again, approved and published", async ({
  organization,
  signedIn,
}) => {
  const { admin, collaborator } = organization.as;
  const it = await underReview(admin, collaborator, "From review to live", [await accountOf(admin)]);
  const [reviewer, author] = [new ReviewPage(await signedIn("admin")), new ReviewPage(await signedIn("collaborator"))];

  await reviewer.open(it.review);
  await expect(reviewer.page.getByRole("heading", { level: 1 })).toHaveText("Say it better");
  await expect(reviewer.state("In review")).toBeVisible();
  await expect(reviewer.page.getByRole("main")).toContainText("1 step added, 1 deleted, 1 modified");
  await expect(reviewer.page.getByRole("main")).toContainText("Live is version 1; this draft is 3 changes ahead");
  await expect(reviewer.card("Greet")).toContainText("Modified");
  await expect(reviewer.card("Thank")).toContainText("New");
  await expect(reviewer.card("Wait")).toContainText("Deleted");
  await expect(reviewer.field("Greet", "Message").locator("del")).toHaveText("Hello");
  await expect(reviewer.field("Greet", "Message").locator("ins")).toHaveText("Good morning");
  await expect(reviewer.page.getByRole("button", { name: /^\d unchanged steps$/ })).toBeVisible();

  await reviewer.commentOn("Greet", "Message").click();
  await reviewer.writing("Message of Greet").fill("What about the **evening**?");
  await reviewer.page.getByRole("button", { name: "Start review" }).click();
  await expect(reviewer.thread("Message of Greet")).toContainText("Pending: only you see it");
  await author.open(it.review);
  await expect(author.card("Greet")).toContainText("Modified");
  await expect(author.thread("Message of Greet")).toHaveCount(0);

  const dialog = await reviewer.finishing();
  await expect(dialog).toContainText("1 pending comment is sent along");
  await dialog.getByRole("radio", { name: "Reject" }).check();
  await dialog.getByRole("button", { name: "Reject", exact: true }).click();
  await expect(dialog.getByRole("alert").last()).toHaveText("Say what must change. A rejection needs a message.");
  await dialog.getByRole("textbox", { name: /^Message/ }).fill("Mind the evening.");
  await dialog.getByRole("button", { name: "Reject", exact: true }).click();
  await expect(dialog).toBeHidden();
  await expect(reviewer.state("Changes requested")).toBeVisible();

  await expect(author.state("Changes requested")).toBeVisible();
  await expect(author.thread("Message of Greet")).toContainText("What about the evening?");
  await expect(author.rail).toContainText("You have changes to make");
  await author.page.getByRole("link", { name: /^Conversation/ }).click();
  await expect(author.page.getByRole("main")).toContainText("Mind the evening.");
  await save(collaborator, it.draft, [setField(it.greet, "message", "Good day {{ trigger.body.name }}, welcome.")]);
  await author.page.getByRole("link", { name: /^Changes/ }).click();
  const thread = author.thread("Message of Greet");
  await expect(thread).toContainText("Written on revision 2; the text has changed since.");
  await thread.getByRole("button", { name: "Resolve" }).click();
  await expect(thread).toContainText("Resolved by Test Collaborator");

  await reviewer.page.reload();
  await reviewer.page.getByRole("link", { name: /Changed since you last looked \(revision 2\)/ }).click();
  await expect(reviewer.page.getByRole("main")).toContainText("1 step modified");
  await expect(reviewer.field("Greet", "Message").locator("ins")).toHaveText("day");
  await expect(reviewer.page.getByRole("button", { name: "Publish", exact: true })).toHaveAttribute("aria-disabled", "true");
  await reviewer.finish("Approve", "Better.");
  await expect(reviewer.state("Approved")).toBeVisible();

  await expect(author.state("Approved")).toBeVisible();
  await expect(author.rail).toContainText("You can publish it");
  await author.page.getByRole("button", { name: "Publish", exact: true }).click();
  const publishing = author.page.getByRole("dialog", { name: "Publish this draft" });
  await publishing.getByRole("button", { name: "Publish now" }).click();
  await expect(author.page).toHaveURL(/\/integrations\//);

  await expect(reviewer.state("Published")).toBeVisible();
  await expect(reviewer.page.getByRole("link", { name: "See version 2" })).toBeVisible();
  await reviewer.page.getByRole("link", { name: "All changes" }).click();
  await expect(reviewer.card("Thank")).toContainText("New");
  await expect(reviewer.page.getByRole("button", { name: /^Finish review/ })).toHaveCount(0);
});

test("an author cannot approve what was edited by oneself, and reads why", async ({ organization, signedIn }) => {
  const { admin, collaborator } = organization.as;
  const it = await underReview(admin, collaborator, "Own work");
  const author = new ReviewPage(await signedIn("collaborator"));
  await author.open(it.review);
  const dialog = await author.finishing();
  const approve = dialog.getByRole("radio", { name: "Approve" });
  await expect(approve).toBeDisabled();
  await expect(approve).toHaveAccessibleDescription("You edited this draft, so you cannot approve it. Ask someone else.");
  await expect(dialog.getByRole("radio", { name: "Reject" })).toBeDisabled();
  const answer = await collaborator.ask("submit_review", { id: it.review, revision: 2, verdict: "approve", message: "" });
  expect(answer.status).toBe(403);
});

test("a Reader comments but does not approve", async ({ organization, signedIn }) => {
  const { admin, collaborator } = organization.as;
  const it = await underReview(admin, collaborator, "For readers");
  const reader = new ReviewPage(await signedIn("reader"));
  await reader.open(it.review);
  await reader.comment("Thank", "Message", "Whom do we thank?");
  const dialog = await reader.finishing();
  await expect(dialog.getByRole("radio", { name: "Approve" })).toBeDisabled();
  await expect(dialog).toContainText("Readers decide only when they are asked by name");
  await dialog.getByRole("button", { name: "Cancel" }).click();
  await expect(reader.page.getByRole("button", { name: "Publish", exact: true })).toHaveAccessibleDescription(
    /^Only Admins and Collaborators can publish\./,
  );
});

test("a suggested value is applied with one click and names both", async ({ organization, signedIn }) => {
  const { admin, collaborator } = organization.as;
  const it = await underReview(admin, collaborator, "Suggested");
  const [reviewer, author] = [new ReviewPage(await signedIn("admin")), new ReviewPage(await signedIn("collaborator"))];
  await reviewer.open(it.review);
  await author.open(it.review);
  await reviewer.commentOn("Thank", "Message").click();
  await reviewer.page.getByRole("button", { name: "Suggest a value" }).click();
  const value = reviewer.page.getByRole("textbox", { name: "Suggested value of Message" });
  await expect(value).toHaveValue("Thank you");
  await value.fill("Thank you, {{ trigger.body.");
  await reviewer.page.getByRole("button", { name: "Comment now" }).click();
  await expect(reviewer.page.getByRole("alert").filter({ hasText: "suggestion" })).toBeVisible();
  await value.fill("Thank you, {{ trigger.body.name }}");
  await reviewer.page.getByRole("button", { name: "Comment now" }).click();

  const thread = author.thread("Message of Thank");
  await expect(thread).toContainText("Thank you, {{ trigger.body.name }}");
  await thread.getByRole("button", { name: "Apply" }).click();
  await expect(thread).toContainText("Applied by Test Collaborator in revision 3, suggested by Test Admin");
  await expect(author.field("Thank", "Message").locator(".field-value")).toHaveText("Thank you, {{ trigger.body.name }}");
  await author.page.getByRole("link", { name: "Revisions" }).click();
  await expect(author.page.getByRole("row", { name: /Revision 3/ })).toContainText("suggested by Test Admin");
});

test("what is half written survives a reload, and what others do meanwhile", async ({ organization, signedIn }) => {
  const { admin, collaborator } = organization.as;
  const it = await underReview(admin, collaborator, "Half written");
  const reviewer = new ReviewPage(await signedIn("admin"));
  await reviewer.open(it.review);
  await reviewer.commentOn("Greet", "Message").click();
  const writing = reviewer.writing("Message of Greet");
  await writing.fill("I was about to say");
  await save(collaborator, it.draft, [setField(it.greet, "message", "Good evening {{ trigger.body.name }}.")]);
  await expect(reviewer.page.getByRole("main")).toContainText("Draft at revision 3");
  await expect(writing).toBeFocused();
  await writing.pressSequentially(" something");
  await reviewer.page.reload();
  await expect(writing).toHaveValue("I was about to say something");
  await reviewer.page.getByRole("button", { name: "Comment now" }).click();
  await expect(reviewer.thread("Message of Greet")).toContainText("I was about to say something");
  await expect(writing).toHaveCount(0);
});

test("a tick holds until what was ticked changes", async ({ organization, signedIn }) => {
  const { admin, collaborator } = organization.as;
  const it = await underReview(admin, collaborator, "Ticked");
  const reviewer = new ReviewPage(await signedIn("admin"));
  await reviewer.open(it.review);
  const progress = reviewer.page.getByRole("status").filter({ hasText: "viewed" });
  await expect(progress).toHaveText("0 of 3 viewed");
  await reviewer.card("Greet").getByRole("checkbox", { name: "Viewed" }).check();
  await reviewer.card("Thank").getByRole("checkbox", { name: "Viewed" }).check();
  await expect(progress).toHaveText("2 of 3 viewed");
  await expect(reviewer.field("Greet", "Message")).toHaveCount(0);
  await reviewer.page.reload();
  await expect(progress).toHaveText("2 of 3 viewed");
  await save(collaborator, it.draft, [setField(it.greet, "message", "Good evening.")]);
  await expect(progress).toHaveText("1 of 3 viewed");
  await expect(reviewer.field("Greet", "Message")).toBeVisible();
  await expect(reviewer.card("Thank").getByRole("checkbox", { name: "Viewed" })).toBeChecked();
});

test("a verdict on what has changed meanwhile is not taken, and the way to the change is offered", async ({
  organization,
  signedIn,
}) => {
  const { admin, collaborator } = organization.as;
  const it = await underReview(admin, collaborator, "Moved meanwhile");
  const reviewer = new ReviewPage(await signedIn("admin"));
  await reviewer.open(it.review);
  const dialog = await reviewer.finishing();
  await dialog.getByRole("radio", { name: "Approve" }).check();
  await dialog.getByRole("textbox", { name: /^Message/ }).fill("Fine.");
  await save(collaborator, it.draft, [setField(it.thank, "message", "Thanks")]);
  await dialog.getByRole("button", { name: "Approve", exact: true }).click();
  await expect(dialog).toContainText("The draft was edited since revision 2");
  await dialog.getByRole("button", { name: "Show what changed" }).click();
  await expect(reviewer.page.getByRole("main")).toContainText("1 step modified");
  const again = await reviewer.finishing();
  await expect(again.getByRole("textbox", { name: /^Message/ })).toHaveValue("Fine.");
});

test("a part of a text is commented, and the thread says when the text has changed", async ({ organization, signedIn }) => {
  const { admin, collaborator } = organization.as;
  const it = await underReview(admin, collaborator, "Part of a text");
  const reviewer = new ReviewPage(await signedIn("admin"));
  await reviewer.open(it.review);
  await reviewer.field("Greet", "Message").locator("ins").selectText();
  await reviewer.page.mouse.move(5, 5);
  await reviewer.page.keyboard.press("c");
  const writing = reviewer.writing("Message of Greet");
  await writing.fill("Says who?");
  await reviewer.page.getByRole("button", { name: "Comment now" }).click();
  const thread = reviewer.thread("Message of Greet");
  await expect(thread.locator("blockquote")).toHaveText("Good morning");
  await save(collaborator, it.draft, [setField(it.greet, "message", "Hi")]);
  await expect(thread).toContainText("the text has changed since");
  await thread.getByRole("button", { name: "Show then and now" }).click();
  await expect(thread).toContainText("Good morning {{ trigger.body.name }}, welcome.");
});

test("a review is read, commented and approved with the keyboard alone", async ({ organization, signedIn }) => {
  const { admin, collaborator } = organization.as;
  const it = await underReview(admin, collaborator, "By keyboard");
  const reviewer = new ReviewPage(await signedIn("admin"));
  await reviewer.open(it.review);
  const { keyboard } = reviewer.page;
  await expect(reviewer.card("Thank")).toBeVisible();
  await keyboard.press("j");
  await expect(reviewer.card("Greet")).toBeFocused();
  await keyboard.press("j");
  await expect(reviewer.card("Wait")).toBeFocused();
  await keyboard.press("j");
  await expect(reviewer.card("Thank")).toBeFocused();
  await keyboard.press("k");
  await expect(reviewer.card("Wait")).toBeFocused();
  await keyboard.press("v");
  await expect(reviewer.card("Wait").getByRole("checkbox", { name: "Viewed" })).toBeChecked();
  await expect(reviewer.card("Wait")).toBeFocused();
  await keyboard.press("c");
  await expect(reviewer.writing("Wait")).toBeFocused();
  await keyboard.type("Why not?");
  await keyboard.press("Control+Enter");
  await expect(reviewer.thread("Wait")).toContainText("Why not?");
  await keyboard.press("n");
  await expect(reviewer.thread("Wait")).toBeFocused();
  await keyboard.press("?");
  const keys = reviewer.page.getByRole("dialog", { name: "Keys" });
  await expect(keys).toContainText("Next change");
  await keyboard.press("Escape");
  await expect(keys).toBeHidden();
  await keyboard.press("a");
  const dialog = reviewer.page.getByRole("dialog", { name: "Finish your review" });
  await expect(dialog.getByRole("textbox", { name: /^Message/ })).toBeFocused();
  await keyboard.type("Good.");
  await dialog.getByRole("radio", { name: "Comment" }).focus();
  await keyboard.press("ArrowDown");
  await expect(dialog.getByRole("radio", { name: "Approve" })).toBeChecked();
  await keyboard.press("Enter");
  await expect(dialog).toBeHidden();
  await expect(reviewer.state("Approved")).toBeVisible();
});

test("a review that is withdrawn stays readable and takes no comments", async ({ organization, signedIn }) => {
  const { admin, collaborator } = organization.as;
  const it = await underReview(admin, collaborator, "Withdrawn");
  const author = new ReviewPage(await signedIn("collaborator"));
  await author.open(it.review);
  await author.comment("Thank", "Message", "Never mind.");
  await author.page.getByRole("button", { name: "More about this review" }).click();
  await author.page.getByRole("menuitem", { name: "Withdraw" }).click();
  await author.page.getByRole("dialog", { name: "Withdraw this review?" }).getByRole("button", { name: "Withdraw" }).click();
  await expect(author.state("Withdrawn")).toBeVisible();
  await expect(author.thread("Message of Thank")).toContainText("Never mind.");
  await expect(author.commentOn("Greet", "Message")).toHaveCount(0);
});

test("a review that is not there says so", async ({ signedIn }) => {
  const page = await signedIn("reader");
  await page.goto("/reviews/00000000-0000-7000-8000-000000000000");
  await expect(page.getByRole("alert")).toContainText("not there");
});

for (const theme of ["light", "dark"] as const) {
  test(`a review is accessible in the ${theme} theme, also at 390 px`, async ({ organization, browser }) => {
    const { admin, collaborator } = organization.as;
    const it = await underReview(admin, collaborator, `Accessible, ${theme}`, [await accountOf(admin)]);
    const anchor = { target: { step: it.greet.id }, field: "config.message", range: [0, 4] };
    const thread = { id: it.review, anchor, on_base: false, revision: 2, body: "@Test Admin look", suggestion: "Hi", pending: false };
    await collaborator.call("start_thread", thread);
    for (const width of [1440, 390]) {
      const context = await browser.newContext({
        baseURL: admin.url,
        colorScheme: theme,
        viewport: { width, height: 900 },
        reducedMotion: "reduce",
      });
      await context.addCookies(admin.cookies());
      const reviewer = new ReviewPage(watched(await context.newPage()));
      await reviewer.open(it.review);
      await expect(reviewer.thread("Message of Greet")).toBeVisible();
      await reviewer.commentOn("Thank", "Message").click();
      await expectAccessible(reviewer.page, `review, ${theme}, ${width} px`);
      await reviewer.page.getByRole("button", { name: "Cancel" }).click();
      await reviewer.page.getByRole("button", { name: "Side by side" }).click();
      await expectAccessible(reviewer.page, `side by side, ${theme}, ${width} px`);
      await reviewer.page.getByRole("button", { name: "Canvas" }).click();
      await expectAccessible(reviewer.page, `canvas, ${theme}, ${width} px`);
      await reviewer.page.getByRole("button", { name: "Outline" }).click();
      await reviewer.finishing();
      await expectAccessible(reviewer.page, `finish dialog, ${theme}, ${width} px`);
      await reviewer.page.keyboard.press("Escape");
      for (const tab of [/^Conversation/, /^Revisions/]) {
        await reviewer.page.getByRole("link", { name: tab }).click();
        await expect(reviewer.page.getByRole("link", { name: tab })).toHaveAttribute("aria-current", "page");
        await expectAccessible(reviewer.page, `${tab.source}, ${theme}, ${width} px`);
      }
      const overflow = await reviewer.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      expect(overflow, "nothing is wider than the window").toBeLessThanOrEqual(0);
      await context.close();
    }
  });
}
