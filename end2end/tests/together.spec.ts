// Two people in one draft: each sees the other, and what the other does.
import { Builder } from "../fixtures/builder.ts";
import { expectAccessible } from "../fixtures/axe.ts";
import { create, document, step } from "../fixtures/document.ts";
import { expect, test } from "../fixtures/test.ts";

/** What shows within a moment shows within this time, also on a busy machine. */
const SOON = { timeout: 5_000 };

const here = (builder: Builder) => builder.page.getByRole("list", { name: "Here now" });

test("two people edit one draft: names, selections and edits appear by themselves", async ({
  organization,
  openDraft,
}) => {
  const steps = [step("First", "log", { message: "a" }), step("Second", "log", { message: "b" })];
  const draft = await create(organization.as.admin, "Together", document("webhook", steps));
  const ours = await openDraft(draft, "admin");
  await ours.select("First");
  await expect(here(ours)).toBeHidden();
  const theirs = await openDraft(draft, "collaborator");
  await expect(here(ours)).toContainText("Test Collaborator", SOON);
  // Who comes later is told by those who are here.
  await expect(here(theirs)).toContainText("Test Admin", SOON);
  await expect(theirs.flow).toContainText("Test Admin at this step", SOON);
  await expect(theirs.card("First")).toBeVisible();
  await expectAccessible(theirs.page, "a draft with company");

  await theirs.select("Second");
  const second = ours.steps().getByRole("listitem").filter({ hasText: "Second" });
  await expect(second).toContainText("Test Collaborator at this step", SOON);

  // Ours has the caret in a field and types nothing while theirs saves.
  await ours.field("Message").focus();
  await theirs.field("Message").fill("said by them");
  await expect(ours.page.getByText("Test Collaborator changed “Second”.")).toBeVisible(SOON);
  await expect(ours.field("Message")).toBeFocused();
  await ours.page.keyboard.press("End");
  await ours.page.keyboard.type(" and more");
  await ours.saved();
  await expect(theirs.page.getByText("Test Admin changed “First”.")).toBeVisible(SOON);
  await ours.card("Second").click();
  await expect(ours.field("Message")).toHaveValue("said by them");
  await theirs.card("First").click();
  await expect(theirs.field("Message")).toHaveValue("a and more");

  const saved = await organization.as.admin.call("read_draft", { id: draft });
  const messages = Object.values<any>(saved.document.steps).map((step) => step.config.message);
  expect(messages.sort()).toEqual(["a and more", "said by them"]);
  expect(await ours.revision()).toBe(await theirs.revision());

  await theirs.page.getByRole("link", { name: "Together" }).click();
  await expect(here(ours)).toBeHidden(SOON);
  await expect(ours.flow).not.toContainText("at this step");
});

test("who is in a field is named at that field, and goes from there with the caret", async ({
  organization,
  openDraft,
}) => {
  const send = step("Send", "http.request", { method: "GET", url: "https://example.com", headers: { Accept: "*/*" } });
  const lanes = [
    { id: crypto.randomUUID(), name: "Yes", when: "run.test", steps: [] },
    { id: crypto.randomUUID(), name: "Otherwise", steps: [] },
  ];
  const choose = { ...step("Choose", "branch", {}), lanes };
  const draft = await create(organization.as.admin, "In fields", document("schedule", [send, choose]));
  const ours = await openDraft(draft, "admin");
  const theirs = await openDraft(draft, "collaborator");
  for (const builder of [ours, theirs]) await builder.select("Send");
  const at = (field: string) => ours.panel.locator(`[data-field="${field}"]`).getByText("Test Collaborator is in this field");
  await theirs.field("URL").focus();
  await expect(at("url")).toBeVisible(SOON);
  await expect(ours.panel.getByText("is in this field")).toHaveCount(1);
  await expectAccessible(ours.page, "a field with company");
  await theirs.panel.getByRole("textbox", { name: "Headers, value 1" }).focus();
  await expect(at("headers")).toBeVisible(SOON);
  await expect(at("url")).toHaveCount(0);
  await theirs.field("Name").focus();
  await expect(at("@name")).toBeVisible(SOON);
  for (const builder of [ours, theirs]) await builder.panel.getByText("When it fails").click();
  await theirs.field("Retries").focus();
  await expect(at("@retries")).toBeVisible(SOON);
  // Who writes notes is named beside them, also where they are closed.
  await theirs.panel.getByText("Notes", { exact: true }).click();
  await theirs.field("For the next reader, in Markdown").focus();
  await expect(at("@notes")).toBeVisible(SOON);
  for (const builder of [ours, theirs]) await builder.select("Choose");
  await theirs.panel.getByRole("textbox", { name: "Name of the lane" }).first().focus();
  await expect(ours.panel.locator(".panel-lane").first().getByText("Test Collaborator is in this field")).toBeVisible(SOON);
  // The trigger has fields, too, and those of a step are another form's.
  await theirs.trigger().click();
  await theirs.field("When").focus();
  await expect(ours.panel.getByText("is in this field")).toHaveCount(0, SOON);
  await ours.trigger().click();
  await expect(at("cron")).toBeVisible(SOON);
  await theirs.page.getByRole("link", { name: "In fields" }).click();
  await expect(ours.panel.getByText("is in this field")).toHaveCount(0, SOON);
});

test("undo takes back one's own work, not another person's", async ({ organization, openDraft }) => {
  const steps = [step("First", "log", { message: "a" }), step("Second", "log", { message: "b" })];
  const draft = await create(organization.as.admin, "Undo together", document("webhook", steps));
  const ours = await openDraft(draft, "admin");
  await ours.select("First");
  await ours.field("Message").fill("ours");
  await ours.select("Second");
  await ours.field("Message").fill("ours as well");
  await ours.saved();

  const theirs = await openDraft(draft, "collaborator");
  await theirs.select("Second");
  await theirs.field("Message").fill("theirs");
  await theirs.add("log", "Second");
  await theirs.saved();
  await expect(ours.field("Message")).toHaveValue("theirs", SOON);
  await expect(ours.card("Log")).toBeVisible(SOON);
  expect(await ours.order()).toEqual(["First", "Second", "Log"]);

  // What was typed into Second is replaced: the next act to take back is the one before.
  await ours.page.getByRole("button", { name: "Undo" }).click();
  await expect(ours.field("Message")).toHaveValue("theirs");
  await ours.select("First");
  await expect(ours.field("Message")).toHaveValue("a");
  await expect(ours.page.getByRole("button", { name: "Undo" })).toBeDisabled();
  await ours.saved();

  // A step that someone deletes is not selected any more.
  await ours.select("Log");
  await theirs.card("Log").click();
  await theirs.page.keyboard.press("Delete");
  await expect(ours.card("Log")).toHaveCount(0, SOON);
  await expect(ours.panel.getByRole("heading", { name: "Trigger" })).toBeVisible();
  await expect(ours.trigger()).toBeVisible();
});

test("edits of two people to one field: the later one stays, nobody reloads", async ({ organization, openDraft }) => {
  const draft = await create(
    organization.as.admin,
    "One field",
    document("webhook", [step("Only", "log", { message: "a" })]),
  );
  const ours = await openDraft(draft, "admin");
  const theirs = await openDraft(draft, "collaborator");
  for (const builder of [ours, theirs]) await builder.select("Only");
  for (const [number, builder] of [ours, theirs, ours, theirs].entries()) {
    await builder.field("Message").fill(`text ${number}`);
    for (const reader of [ours, theirs]) {
      await expect(reader.field("Message")).toHaveValue(`text ${number}`, SOON);
    }
  }
  await ours.saved();
  await theirs.saved();
  const saved = await organization.as.admin.call("read_draft", { id: draft });
  const [only] = Object.values<any>(saved.document.steps);
  expect(only.config.message).toBe("text 3");
});

/** Random numbers that are the same in every run, so that a failure can be looked into. */
function dice(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 1_664_525 + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** Works in a draft for a while as a person does, with what comes to hand; returns what was typed last where. */
async function work(builder: Builder, name: string, until: number, roll: (below: number) => number) {
  const { page } = builder;
  const own = `Of ${name}`;
  let acts = 0;
  const focusCard = async (card: string) => {
    // A card that the other one moves just then loses the focus: whoever wants it clicks again.
    await expect(async () => {
      await builder.card(card).click({ timeout: 2_000 });
      await expect(builder.card(card)).toBeFocused({ timeout: 1_000 });
    }).toPass();
  };
  await builder.select(own);
  let typed = "";
  while (Date.now() < until) {
    acts += 1;
    switch (roll(8)) {
      case 0:
      case 1:
      case 2:
        // Into the own step, a letter after the other, as it is typed.
        if ((await builder.field("Name").inputValue()) !== own) await builder.select(own);
        typed = `${name} ${acts} ${"abc".repeat(roll(4))}`;
        await builder.field("Message").fill("");
        await builder.field("Message").pressSequentially(typed);
        await expect(builder.field("Message"), "no key went elsewhere").toHaveValue(typed);
        break;
      case 3:
        // A step of one's own, which nobody else touches.
        await focusCard(own);
        await page.keyboard.press("ControlOrMeta+d");
        await expect(builder.card(own)).toHaveCount(2);
        await expect(builder.card(own).and(page.locator("[aria-current]"))).toBeFocused();
        await builder.rename(`Copy ${acts} by ${name}`);
        await expect(builder.card(own)).toHaveCount(1);
        break;
      case 4:
        await focusCard(own);
        await page.keyboard.press(roll(2) ? "Alt+ArrowDown" : "Alt+ArrowUp");
        break;
      case 5:
        // The step that both write to: the later one stays.
        await focusCard("Shared");
        await expect(builder.field("Name")).toHaveValue("Shared");
        await builder.field("Message").fill(`${name} ${acts}`);
        break;
      default:
        await focusCard("Shared");
        await page.keyboard.press(roll(2) ? "Alt+ArrowDown" : "Alt+ArrowUp");
    }
  }
  await builder.select(own);
  await builder.field("Message").fill(`${name} is done`);
  await builder.saved();
  return acts;
}

test("two people edit one draft at once for a minute, and end with equal documents and no lost edit", async ({
  organization,
  openDraft,
}) => {
  test.setTimeout(240_000);
  const { admin } = organization.as;
  const steps = ["Of ours", "Shared", "Of theirs"].map((name) => step(name, "log", { message: "-" }));
  const draft = await create(admin, "A minute together", document("webhook", steps));
  const ours = await openDraft(draft, "admin");
  const theirs = await openDraft(draft, "collaborator");
  // Only cards in view are in the page: in so tall a window all are, however many are added.
  for (const builder of [ours, theirs]) await builder.page.setViewportSize({ width: 1440, height: 6_000 });
  const until = Date.now() + 60_000;
  const acts = await Promise.all([work(ours, "ours", until, dice(1)), work(theirs, "theirs", until, dice(2))]);
  expect(Math.min(...acts)).toBeGreaterThan(5);

  // Both hear of the last save; then what they show is what the server has.
  await expect
    .poll(
      async () => {
        const { summary } = await admin.call("read_draft", { id: draft });
        return [await ours.revision(), await theirs.revision()].every((revision) => revision === summary.revision);
      },
      { timeout: 20_000 },
    )
    .toBe(true);
  for (const builder of [ours, theirs]) {
    await expect(builder.page.getByText("Changes that do not fit any more")).toHaveCount(0);
  }
  const { document: saved } = await admin.call("read_draft", { id: draft });
  const kept: any[] = saved.flow.map((id: string) => saved.steps[id]);
  expect(kept.length).toBe(Object.keys(saved.steps).length);
  const order = kept.map((step) => step.name);
  expect(await ours.order()).toEqual(order);
  expect(await theirs.order()).toEqual(order);
  for (const name of ["ours", "theirs"]) {
    const own = kept.find((step) => step.name === `Of ${name}` && step.slug === `of_${name}`);
    expect(own.config.message).toBe(`${name} is done`);
  }
  // What each page shows of each step is what is saved of it.
  for (const builder of [ours, theirs]) {
    for (const step of kept) {
      await builder.card(step.name).click();
      await expect(builder.field("Message")).toHaveValue(step.config.message);
    }
  }
});

test("who is offline for half a minute goes on working, and nothing is lost when they are back", async ({
  organization,
  openDraft,
}) => {
  test.setTimeout(180_000);
  const { admin } = organization.as;
  const steps = ["One", "Two", "Three"].map((name) => step(name, "log", { message: name }));
  const draft = await create(admin, "Offline", document("webhook", steps));
  const ours = await openDraft(draft, "admin");
  const theirs = await openDraft(draft, "collaborator");
  await ours.page.context().setOffline(true);
  const back = Date.now() + 30_000;

  await ours.select("One");
  await ours.field("Message").fill("written offline");
  await expect(ours.saveState).toHaveText(/^Not saved/);
  await ours.add("delay", "One");
  await ours.card("Three").click();
  await ours.page.keyboard.press("Delete");
  await theirs.select("Two");
  await theirs.field("Message").fill("written meanwhile");
  await theirs.add("log", "Three");
  await theirs.saved();
  // The half minute that the connection is away is what is tested here.
  await expect.poll(() => Date.now() > back, { timeout: 40_000 }).toBe(true);
  await expect(ours.saveState).toHaveText(/^Not saved/);

  await ours.page.context().setOffline(false);
  await expect(ours.saveState).toHaveText(/^Saved, revision/, { timeout: 40_000 });
  for (const builder of [ours, theirs]) {
    await expect.poll(() => builder.order(), { timeout: 20_000 }).toEqual(["One", "Delay", "Two", "Log"]);
  }
  const { document: saved } = await admin.call("read_draft", { id: draft });
  const messages = saved.flow.map((id: string) => saved.steps[id].config.message);
  expect(messages).toEqual(["written offline", undefined, "written meanwhile", saved.steps[saved.flow[3]].config.message]);
  await expect.poll(() => theirs.revision()).toBe(await ours.revision());
});

test("what changes before a page listens is shown all the same", async ({ organization, signedIn }) => {
  const { admin } = organization.as;
  await create(admin, "There before", document("webhook", []));
  const page = await signedIn("collaborator");
  let listen = () => {};
  const held = new Promise<void>((resolve) => {
    listen = resolve;
  });
  await page.route("**/live", async (route) => {
    await held;
    await route.continue();
  });
  await page.goto("/");
  await expect(page.getByRole("link", { name: "There before" })).toBeVisible();
  await create(admin, "Made meanwhile", document("webhook", []));
  listen();
  await expect(page.getByRole("link", { name: "Made meanwhile" })).toBeVisible();
});
