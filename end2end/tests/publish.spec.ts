// From a draft to a version: reviews asked for, checks, conflicts with what went live meanwhile,
// publishing without approval, rolling back, the policy, and the inbox.
import type { Page } from "@playwright/test";

import type { Api } from "../fixtures/api.ts";
import { create, document, publish, save, setField, step, type Step } from "../fixtures/document.ts";
import { expect, test } from "../fixtures/test.ts";

/** An integration that is live, with two steps. */
interface Live {
  integration: string;
  first: Step;
  second: Step;
}

async function live(admin: Api, name: string): Promise<Live> {
  const first = step("First", "log", { message: "one" });
  const second = step("Second", "log", { message: "two" });
  const draft = await create(admin, name, document("webhook", [first, second]));
  const { integration } = await publish(admin, draft);
  return { integration, first, second };
}

const start = (api: Api, { integration }: Live, title: string) => api.call<string>("start_draft", { integration, title });

const message = async (api: Api, integration: string, number: number, step: Step) =>
  (await api.call("read_version", { integration, number })).document.steps[step.id].config.message;

/** Makes an approval necessary for one integration, as it is everywhere by default. */
const needApproval = (admin: Api, { integration }: Live) => admin.call("set_policy", { integration, policy: {} });

test("two drafts go live one after the other, and the second takes over what the first changed", async ({
  organization,
  openDraft,
}) => {
  const { admin, collaborator } = organization.as;
  const it = await live(admin, "Merged by itself");
  const [one, two] = [await start(admin, it, "Change the first"), await start(collaborator, it, "Change the second")];
  await save(admin, one, [setField(it.first, "message", "one, better")]);
  const builder = await openDraft(two);
  await builder.select("Second");
  await builder.field("Message").fill("two, better");
  await builder.saved();
  await publish(admin, one);

  await expect(builder.page.getByText("Started from version 1, live is 2; 1 change here")).toBeVisible();
  const publishing = await builder.publishing();
  const check = publishing.getByRole("listitem").filter({ hasText: "Up to date with live" });
  await expect(check).toContainText("Not met");
  await expect(publishing.getByRole("button", { name: "Publish now" })).toBeDisabled();
  await publishing.getByRole("button", { name: "Bring up to date…" }).click();

  const dialog = builder.merging();
  await expect(dialog).toContainText("Nothing conflicts: everything merges by itself.");
  await expect(dialog).toContainText("1 step modified");
  await dialog.getByRole("button", { name: "Bring up to date", exact: true }).click();
  await expect(dialog).toBeHidden();
  await expect(builder.page.getByText("Live is version 2; 1 change here")).toBeVisible();
  await builder.select("First");
  await expect(builder.field("Message")).toHaveValue("one, better");
  await builder.select("Second");
  await expect(builder.field("Message")).toHaveValue("two, better");

  await builder.publish("Both are better");
  await expect(builder.page.getByRole("main")).toContainText("Both are better");
  expect(await message(admin, it.integration, 3, it.first)).toBe("one, better");
  expect(await message(admin, it.integration, 3, it.second)).toBe("two, better");
});

test("what both drafts changed is decided side by side, with the keyboard", async ({ organization, openDraft }) => {
  const { admin, collaborator } = organization.as;
  const it = await live(admin, "Merged by hand");
  const [one, two] = [await start(admin, it, "Theirs"), await start(collaborator, it, "Mine")];
  await save(admin, one, [setField(it.first, "message", "their words"), setField(it.second, "message", "their two")]);
  await save(collaborator, two, [setField(it.first, "message", "my words"), setField(it.second, "message", "my two")]);
  await publish(admin, one);
  const builder = await openDraft(two);
  await builder.page.getByRole("button", { name: "Bring up to date…" }).click();

  const dialog = builder.merging();
  const conflicts = dialog.getByRole("listitem").filter({ has: builder.page.getByRole("region") });
  await expect(conflicts).toHaveCount(2);
  const first = dialog.getByRole("region", { name: /First.*Message/ });
  const second = dialog.getByRole("region", { name: /Second.*Message/ });
  await expect(first.getByRole("group")).toContainText("their words");
  await expect(first.getByRole("group")).toContainText("my words");
  await expect(first).toContainText("To decide");
  const ready = dialog.getByRole("button", { name: "Bring up to date", exact: true });
  await expect(ready).toBeDisabled();
  await expect(ready).toHaveAccessibleDescription("2 conflicts are still to be decided.");

  await first.getByRole("radio", { name: "Take live's" }).focus();
  await builder.page.keyboard.press("Space");
  await expect(first).toContainText("Decided");
  await expect(ready).toHaveAccessibleDescription("1 conflict is still to be decided.");
  await builder.page.keyboard.press("j");
  await expect(second.getByRole("radio", { name: "Take live's" })).toBeFocused();
  await builder.page.keyboard.press("ArrowUp");
  await expect(second.getByRole("radio", { name: "Write another" })).toBeChecked();
  await second.getByRole("textbox", { name: "Write another" }).fill("our two");
  await expect(dialog.getByRole("status").filter({ hasText: "decided" })).toHaveText("2 of 2 decided");
  await ready.click();
  await expect(dialog).toBeHidden();
  await builder.select("First");
  await expect(builder.field("Message")).toHaveValue("their words");
  await builder.select("Second");
  await expect(builder.field("Message")).toHaveValue("our two");
});

test("what is typed while live moves on is saved before it is merged", async ({ organization, openDraft }) => {
  const { admin, collaborator } = organization.as;
  const it = await live(admin, "Merged while typing");
  const [one, two] = [await start(admin, it, "Theirs"), await start(collaborator, it, "Mine")];
  await save(admin, one, [setField(it.first, "message", "theirs")]);
  await publish(admin, one);
  const builder = await openDraft(two);
  await builder.select("Second");
  await builder.field("Message").pressSequentially(" and more");
  await builder.page.getByRole("button", { name: "Bring up to date…" }).click();
  const dialog = builder.merging();
  await dialog.getByRole("button", { name: "Bring up to date", exact: true }).click();
  await expect(dialog).toBeHidden();
  await builder.select("First");
  await expect(builder.field("Message")).toHaveValue("theirs");
  await builder.select("Second");
  await expect(builder.field("Message")).toHaveValue("two and more");
});

test("an Admin publishes without approval, and everyone reads why", async ({ organization, openDraft, signedIn }) => {
  const { admin, collaborator } = organization.as;
  const it = await live(admin, "Without approval");
  await needApproval(admin, it);
  const draft = await start(collaborator, it, "Urgent");
  await save(collaborator, draft, [setField(it.first, "message", "urgent")]);

  const theirs = await openDraft(draft);
  const refused = await theirs.publishing();
  await expect(refused.getByRole("listitem").filter({ hasText: "Approvals" })).toContainText("Not met");
  await expect(refused.getByRole("button", { name: "Publish now" })).toBeDisabled();
  await expect(refused.getByRole("button", { name: "Publish without approval…" })).toHaveCount(0);
  const { summary } = await collaborator.call("read_draft", { id: draft });
  for (const reason of [null, "Because"]) {
    const answer = await collaborator.ask("publish", { id: draft, revision: summary.revision, note: "", reason });
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(answer.body.refused.message).not.toBe("");
  }

  const builder = await openDraft(draft, "admin");
  const dialog = await builder.publishing();
  await dialog.getByRole("button", { name: "Publish without approval…" }).click();
  await expect(dialog.getByRole("textbox", { name: "Reason" })).toBeFocused();
  const go = dialog.getByRole("button", { name: "Publish without approval", exact: true });
  await expect(go).toBeDisabled();
  await expect(go).toHaveAccessibleDescription("Give a reason first.");
  await dialog.getByRole("textbox", { name: "Reason" }).fill("The warehouse **stands still**");
  await go.click();
  await expect(builder.page).toHaveURL(/\/integrations\//);

  const page = await signedIn("reader");
  await page.goto(`/integrations/${it.integration}`);
  const versions = page.getByRole("region", { name: "Versions" });
  await expect(versions).toContainText("Published without approval by Test Admin");
  await expect(versions.getByText("stands still")).toHaveCSS("font-weight", /[6-9]00/);
  await versions.getByRole("link", { name: /Version 2/ }).first().click();
  await expect(page.getByRole("main")).toContainText("The warehouse stands still");
});

test("a review is asked for from the builder, seen there, and withdrawn", async ({ organization, openDraft }) => {
  const { admin, collaborator } = organization.as;
  const it = await live(admin, "Asked for");
  await needApproval(admin, it);
  const draft = await start(collaborator, it, "Say it better");
  const builder = await openDraft(draft);
  const ask = builder.page.getByRole("button", { name: "Create review" });
  await expect(ask).toBeDisabled();
  await expect(ask).toHaveAccessibleDescription("Nothing is changed yet.");
  await builder.select("First");
  await builder.field("Message").fill("one, better");
  await expect(ask).toBeEnabled();
  await ask.click();

  const dialog = builder.page.getByRole("dialog", { name: "Create a review" });
  await expect(dialog.getByRole("textbox", { name: "Title" })).toHaveValue("Say it better");
  await expect(dialog).toContainText("1 step modified");
  const description = dialog.getByRole("textbox", { name: /^Description/ });
  await description.fill("It is better. ");
  await description.press("Control+b");
  await builder.page.keyboard.type("Really");
  await description.press("End");
  await builder.page.keyboard.type(" @ad");
  await expect(dialog.getByRole("option", { name: "Test Admin" })).toBeVisible();
  await builder.page.keyboard.press("Enter");
  await expect(description).toHaveValue("It is better. **Really** @Test Admin ");
  await expect(dialog.getByRole("region", { name: "Preview" }).locator("strong")).toHaveText("Really");
  const people = dialog.getByRole("combobox", { name: /^Reviewers/ });
  await people.fill("adm");
  await people.press("Enter");
  await expect(dialog.getByRole("button", { name: "Remove Test Admin" })).toBeVisible();
  await dialog.getByRole("button", { name: "Create review" }).click();

  const done = builder.page.getByRole("dialog", { name: "The draft is in review" });
  const link = (await done.getByRole("code").textContent())!;
  await done.getByRole("button", { name: "Copy the link" }).click();
  expect(await builder.page.evaluate(() => navigator.clipboard.readText())).toBe(link);
  await expect(done.getByRole("link", { name: "Open review" })).toHaveAttribute("href", new URL(link).pathname);
  await done.getByRole("button", { name: "Go on editing" }).click();
  const badge = builder.page.getByRole("link", { name: "In review" });
  await expect(badge).toHaveAttribute("href", new URL(link).pathname);
  await expect(builder.page.getByRole("status").filter({ hasText: "This draft is in review." })).toBeVisible();

  const review = new URL(link).pathname.split("/").at(-1)!;
  const { summary } = await admin.call("read_review", { id: review });
  await admin.call("submit_review", { id: review, revision: summary.revision, verdict: "approve", message: "" });
  await expect(builder.page.getByRole("link", { name: "Approved" })).toBeVisible();
  await expect(builder.page.getByRole("status").filter({ hasText: "This draft is approved." })).toBeVisible();
  await builder.field("Message").fill("one, still better");
  await expect(builder.page.getByRole("link", { name: "In review" })).toBeVisible();

  await builder.page.getByRole("button", { name: "Review of this draft" }).click();
  await builder.page.getByRole("menuitem", { name: "Withdraw…" }).click();
  const question = builder.page.getByRole("dialog", { name: "Withdraw this review?" });
  await question.getByRole("button", { name: "Withdraw", exact: true }).click();
  await expect(ask).toBeEnabled();
});

test("an approved draft is published from its dialog", async ({ organization, openDraft }) => {
  const { admin, collaborator } = organization.as;
  const it = await live(admin, "Approved");
  await needApproval(admin, it);
  const draft = await start(collaborator, it, "Approved change");
  await save(collaborator, draft, [setField(it.first, "message", "approved")]);
  const review = await collaborator.call<string>("create_review", { draft, title: "Approved change", description: "", reviewers: [] });
  const builder = await openDraft(draft);
  const dialog = await builder.publishing();
  const approvals = dialog.getByRole("listitem").filter({ hasText: "Approvals" });
  await expect(approvals).toContainText("Not met");
  const { summary } = await admin.call("read_review", { id: review });
  await admin.call("submit_review", { id: review, revision: summary.revision, verdict: "approve", message: "" });
  await expect(approvals).toContainText("Met");
  await dialog.getByRole("button", { name: "Publish now" }).click();
  await expect(builder.page).toHaveURL(/\/integrations\//);
  const versions = builder.page.getByRole("region", { name: "Versions" });
  await expect(versions.getByRole("link", { name: "Review of version 2" })).toHaveAttribute("href", `/reviews/${review}`);
});

test("an old version comes back as a draft, or at once with a reason", async ({ organization, signedIn }) => {
  const { admin } = organization.as;
  const it = await live(admin, "Rolled back");
  await needApproval(admin, it);
  const draft = await start(admin, it, "A mistake");
  await save(admin, draft, [setField(it.first, "message", "mistaken")]);
  const { summary } = await admin.call("read_draft", { id: draft });
  await admin.call("publish", { id: draft, revision: summary.revision, note: "", reason: "For the test" });

  const page = await signedIn("collaborator");
  await page.goto(`/integrations/${it.integration}/versions/1`);
  await page.getByRole("button", { name: "Roll back to it…" }).click();
  const dialog = page.getByRole("dialog", { name: "Roll back to version 1" });
  await expect(dialog).toContainText("1 step modified");
  await dialog.getByRole("button", { name: "Start the draft" }).click();
  await expect(page).toHaveURL(/\/drafts\//);
  await expect(page.getByText("Live is version 2; 1 change here")).toBeVisible();
  await expect(page.getByRole("button", { name: "Create review" })).toBeEnabled();

  const menu = async (page: Page) => {
    await page.goto(`/integrations/${it.integration}`);
    await page.getByRole("button", { name: "More about version 1" }).click();
    await page.getByRole("menuitem", { name: "Roll back to it…" }).click();
    return page.getByRole("dialog", { name: "Roll back to version 1" });
  };
  const theirs = (await menu(page)).getByRole("radio", { name: "At once" });
  await expect(theirs).toBeDisabled();
  await expect(theirs).toHaveAccessibleDescription(/only Admins can put a version live without it/);
  const ours = await signedIn("admin");
  const rolling = await menu(ours);
  await rolling.getByRole("radio", { name: "At once" }).check();
  await rolling.getByRole("button", { name: "Roll back now" }).click();
  await expect(rolling.getByRole("textbox", { name: "Reason" })).toHaveAccessibleDescription(/Say why\./);
  await rolling.getByRole("textbox", { name: "Reason" }).fill("Orders were lost");
  await rolling.getByRole("button", { name: "Roll back now" }).click();
  const versions = ours.getByRole("region", { name: "Versions" });
  await expect(versions).toContainText("Version 3");
  await expect(versions).toContainText("Rolled back to version 1");
  await expect(versions.getByText("Orders were lost")).toHaveCount(1);
  expect(await message(admin, it.integration, 3, it.first)).toBe("one");
});

test("any two versions are compared word by word", async ({ organization, signedIn }) => {
  const { admin } = organization.as;
  const it = await live(admin, "Compared");
  for (const words of ["one and two", "one and three"]) {
    const draft = await start(admin, it, words);
    await save(admin, draft, [setField(it.first, "message", words)]);
    await publish(admin, draft);
  }
  const page = await signedIn("reader");
  await page.goto(`/integrations/${it.integration}`);
  await page.getByRole("region", { name: "Versions" }).getByRole("link", { name: "Compare" }).click();
  await expect(page).toHaveURL(/\/compare\/2\/3$/);
  const differs = page.getByRole("region", { name: "What differs" });
  await expect(differs.locator("del")).toHaveText("two");
  await expect(differs.locator("ins")).toHaveText("three");
  await expect(differs).toContainText("Modified");
  await page.getByRole("combobox", { name: "Before" }).selectOption({ label: "Version 1: First version" });
  await expect(page).toHaveURL(/\/compare\/1\/3$/);
  await expect(differs.locator("ins")).toContainText("and three");
  await page.getByRole("button", { name: "Change places" }).click();
  await expect(page).toHaveURL(/\/compare\/3\/1$/);
  await expect(differs.locator("del")).toContainText("and three");
});

test("Admins set the policy, and others read it with the reason why they cannot", async ({ organization, signedIn }) => {
  const { admin } = organization.as;
  const it = await live(admin, "Ruled apart");
  const page = await signedIn("admin");
  await page.goto("/settings/review");
  const integrations = page.getByRole("region", { name: "For one integration" });
  const line = integrations.getByRole("listitem").filter({ hasText: "Ruled apart" }).first();
  await integrations.getByText(/integrations have the organization's policy$/).click();
  await line.getByRole("button", { name: "Change the policy of Ruled apart" }).click();
  const dialog = page.getByRole("dialog", { name: "Review policy of Ruled apart" });
  await dialog.getByRole("radio", { name: "Its own" }).check();
  await dialog.getByRole("combobox", { name: "Approvals needed" }).selectOption({ label: "2 people" });
  await dialog.getByRole("checkbox", { name: "A test must have passed" }).check();
  await dialog.getByRole("button", { name: "Save" }).click();
  await expect(line).toContainText("2 approvals");
  await expect(line).toContainText("tested");

  await page.getByRole("button", { name: "Name owners" }).click();
  const owners = page.getByRole("dialog", { name: "Name owners" });
  await owners.getByRole("combobox", { name: "What they own" }).selectOption({ label: "Ruled apart" });
  await owners.getByRole("button", { name: "Save" }).click();
  await expect(owners.getByRole("alert")).toHaveText("Pick at least one person.");
  await owners.getByRole("combobox", { name: "Owners" }).fill("coll");
  await owners.getByRole("option", { name: "Test Collaborator" }).click();
  await owners.getByRole("button", { name: "Save" }).click();
  const owned = page.getByRole("region", { name: "Owners" });
  await expect(owned.getByRole("listitem").filter({ hasText: "Ruled apart" })).toContainText("Approved by Test Collaborator");

  const draft = await start(admin, it, "Owned");
  await save(admin, draft, [setField(it.first, "message", "owned")]);
  const plan = await admin.call("publish_plan", { id: draft });
  const unmet = plan.checks.filter((check: any) => check.state.unsatisfied).map((check: any) => Object.keys(check.rule)[0] ?? check.rule);
  expect(unmet.length).toBeGreaterThanOrEqual(3);
  await owned.getByRole("button", { name: "Remove the owners of Ruled apart" }).click();
  await expect(owned.getByRole("listitem").filter({ hasText: "Ruled apart" })).toHaveCount(0);

  const crm = { name: "Owned CRM", kind: "bearer", names: [], origins: ["https://crm.example.com"], live: { set: ["only-for-this-test"] }, test: "keep" };
  const connection = await admin.call("create_connection", { form: crm });
  await page.getByRole("button", { name: "Name owners" }).click();
  await owners.getByRole("combobox", { name: "What they own" }).selectOption({ label: "Owned CRM" });
  await owners.getByRole("combobox", { name: "Owners" }).fill("coll");
  await owners.getByRole("option", { name: "Test Collaborator" }).click();
  await owners.getByRole("button", { name: "Save" }).click();
  await expect(owned.getByRole("listitem").filter({ hasText: "Owned CRM" })).toContainText("Approved by Test Collaborator");
  const request = step("Ask the CRM", "http.request", { method: "GET", url: "https://crm.example.com/", connection });
  const asking = await create(admin, "Asks the CRM", document("webhook", [request]));
  const { checks } = await admin.call("publish_plan", { id: asking });
  const missing = checks.map((check: any) => check.state.unsatisfied).filter((why: any) => JSON.stringify(why ?? "").includes("who owns the connection “Owned CRM”"));
  expect(missing).toHaveLength(1);
  await owned.getByRole("button", { name: "Remove the owners of Owned CRM" }).click();
  await expect(owned.getByRole("listitem").filter({ hasText: "Owned CRM" })).toHaveCount(0);

  const reading = await signedIn("reader");
  await reading.goto("/settings/review");
  await expect(reading.getByText(/Only Admins can change the review policy\./)).toBeVisible();
  await expect(reading.getByRole("combobox", { name: "Approvals needed" })).toBeDisabled();
  await expect(reading.getByRole("checkbox", { name: "All threads must be resolved" })).toBeDisabled();
  await expect(reading.getByRole("button", { name: /^(Change|Save|Name owners)/ })).toHaveCount(0);
});

test("the inbox tells whose turn it is, and is used with the keyboard alone", async ({ organization, signedIn }) => {
  const { admin, collaborator } = organization.as;
  const it = await live(admin, "In the inbox");
  await needApproval(admin, it);
  const draft = await start(collaborator, it, "Look at this");
  await save(collaborator, draft, [setField(it.first, "message", "looked at")]);
  const me = await admin.call("who_am_i");
  const page = await signedIn("admin");
  await page.goto("/");
  const bell = page.getByRole("link", { name: /^Inbox/ });
  await expect(bell).toBeVisible();
  await admin.call("read_notifications", { ids: [] });
  await expect(bell).toHaveAccessibleName("Inbox");

  const review = await collaborator.call<string>("create_review", { draft, title: "Look at this", description: "", reviewers: [me.account] });
  await expect(bell).toHaveAccessibleName("Inbox, 1 unread");
  await expect(page.getByRole("link", { name: /reviews? waits? for you/ })).toBeVisible();
  await tabTo(page, "Inbox, 1 unread");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Your turn");
  const waiting = page.getByRole("region", { name: "Waiting for you" });
  const line = waiting.getByRole("listitem").filter({ hasText: "Look at this" });
  await expect(line).toContainText("You were asked to review it");
  const told = page.getByRole("region", { name: "Notifications" });
  await expect(told.getByRole("listitem").first()).toContainText("Unread: Test Collaborator asks you to review Look at this");
  await tabTo(page, /^Mark as read: Test Collaborator asks you to review Look at this$/);
  await page.keyboard.press("Enter");
  await expect(told.getByText("Unread:")).toHaveCount(0);
  await expect(bell).toHaveAccessibleName("Inbox");

  await page.keyboard.press("Shift+Tab");
  await waiting.getByRole("link").first().focus();
  await page.keyboard.press("j");
  await page.keyboard.press("k");
  await expect(waiting.getByRole("link").first()).toBeFocused();
  await line.getByRole("link", { name: "Look at this" }).focus();
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(new RegExp(`/reviews/${review}`));

  await collaborator.call("withdraw_review", { id: review });
  await page.goto("/inbox");
  await expect(page.getByRole("region", { name: "Ended" })).toContainText("Look at this");
});

/** Presses Tab until the link or button of that name has the focus. */
async function tabTo(page: Page, name: string | RegExp): Promise<void> {
  const goal = page.getByRole("link", { name, exact: true }).or(page.getByRole("button", { name, exact: true }));
  await expect(goal).toBeVisible();
  for (let presses = 0; presses < 80; presses += 1) {
    await page.keyboard.press("Tab");
    if (await goal.evaluate((element) => element === document.activeElement)) return;
  }
  throw new Error(`Tab does not reach ${name}`);
}
