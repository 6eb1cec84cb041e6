// The canvas of the builder: every gesture by mouse, by finger and by key.
import { randomUUID } from "node:crypto";
import type { CDPSession, Locator } from "@playwright/test";

import { expectAccessible } from "../fixtures/axe.ts";
import { Builder } from "../fixtures/builder.ts";
import { create, document, step, type Document, type Step } from "../fixtures/document.ts";
import { contextOf, expect, test, watched } from "../fixtures/test.ts";

/** One, Two, Choice { Left: Three, Four; Right: Five }, Each { Six }, Seven. */
function nested(): Document {
  const log = (name: string) => step(name, "log", { message: name });
  const [one, two, three, four, five, six, seven] = ["One", "Two", "Three", "Four", "Five", "Six", "Seven"].map(log);
  const lane = (name: string, steps: Step[], when?: string) => ({ id: randomUUID(), name, when, steps: steps.map(({ id }) => id) });
  const choice = step("Choice", "branch", {});
  choice.lanes = [lane("Left", [three!, four!], "trigger.body.left"), lane("Right", [five!])];
  const each = step("Each", "loop", { items: "{{ trigger.body.items }}" });
  each.lanes = [lane("Each item", [six!])];
  const made = document("webhook", [one!, two!, choice, each, seven!]);
  for (const inner of [three!, four!, five!, six!]) made.steps[inner.id] = inner;
  return made;
}

/** A flow of many steps. */
const long = (count: number) =>
  document("webhook", Array.from({ length: count }, (_, at) => step(`Step ${at + 1}`, "log", { message: `m${at}` })));

const gap = (builder: Builder, name: string) => builder.flow.getByRole("button", { name, exact: true });
const marker = (builder: Builder) => builder.flow.locator(".drop-mark");
const spoken = (builder: Builder) => builder.page.locator("[aria-live=assertive]");

/** The middle of something, which must be in view. */
async function middle(of: Locator): Promise<{ x: number; y: number }> {
  const box = (await of.boundingBox())!;
  return { x: box.x + box.width / 2, y: box.y + box.height / 2 };
}

/** Presses the mouse on something and moves it to something else, without letting go. */
async function dragOver(builder: Builder, from: Locator, to: Locator): Promise<void> {
  const { mouse } = builder.page;
  const [start, end] = [await middle(from), await middle(to)];
  await mouse.move(start.x, start.y);
  await mouse.down();
  await mouse.move(start.x + 8, start.y + 8);
  await mouse.move(end.x, end.y, { steps: 4 });
}

const undo = (builder: Builder) => builder.page.getByRole("button", { name: "Undo" });

test("a card is dragged into a lane: the marker shows where, and one undo takes it back", async ({ organization, openDraft }) => {
  const builder = await openDraft(await create(organization.as.admin, "Drag", nested()));
  await dragOver(builder, builder.card("One"), gap(builder, "Add a step after Three"));
  await expect(marker(builder)).toBeVisible();
  await builder.page.mouse.up();
  await expect(marker(builder)).toBeHidden();
  await expect.poll(() => builder.order("Left")).toEqual(["Three", "One", "Four"]);
  expect(await builder.order()).toEqual(["Two", "Choice", "Each", "Seven"]);
  await expect(builder.card("One")).toBeFocused();
  await expect(spoken(builder)).toHaveText("One moved to place 2 of 3.");
  await undo(builder).click();
  await expect.poll(() => builder.order()).toEqual(["One", "Two", "Choice", "Each", "Seven"]);
  await expect(undo(builder)).toBeDisabled();
  await builder.saved();
});

test("Escape cancels a drag, and so does letting go beside the flow", async ({ organization, openDraft }) => {
  const builder = await openDraft(await create(organization.as.admin, "Cancel", nested()));
  const before = await builder.order();
  await dragOver(builder, builder.flow.getByRole("button", { name: "Drag One" }), gap(builder, "Add a step after Two"));
  await expect(marker(builder)).toBeVisible();
  await builder.page.keyboard.press("Escape");
  await expect(marker(builder)).toBeHidden();
  await expect(spoken(builder)).toHaveText("Moving was cancelled.");
  await builder.page.mouse.up();
  await dragOver(builder, builder.card("One"), builder.panel.getByRole("heading").first());
  await expect(marker(builder)).toBeHidden();
  await builder.page.mouse.up();
  expect(await builder.order()).toEqual(before);
  await expect(undo(builder)).toBeDisabled();
});

test("a container does not go into itself, and the page says so", async ({ organization, openDraft }) => {
  const builder = await openDraft(await create(organization.as.admin, "Itself", nested()));
  await dragOver(builder, builder.card("Choice"), gap(builder, "Add a step after Three"));
  await expect(builder.page.locator(".drag-ghost")).toHaveText("Choice cannot go into itself.");
  await expect(spoken(builder)).toHaveText("Choice cannot go into itself.");
  await builder.page.mouse.up();
  await expect(builder.page.locator(".toast")).toContainText("Choice cannot go into itself.");
  expect(await builder.order()).toEqual(["One", "Two", "Choice", "Each", "Seven"]);
});

test("several steps are selected with the mouse, and moved, copied and deleted as one", async ({ organization, openDraft }) => {
  const builder = await openDraft(await create(organization.as.admin, "Several", nested()));
  const { page } = builder;
  const bar = page.getByRole("group", { name: "Selected steps" });
  await builder.card("One").click();
  await builder.card("Five").click({ modifiers: ["Control"] });
  await expect(bar).toContainText("2 steps selected");
  await expect(builder.card("One")).toHaveAttribute("aria-pressed", "true");
  await builder.card("Five").click({ modifiers: ["Control"] });
  await expect(bar).toBeHidden();
  await builder.card("Two").click({ modifiers: ["Shift"] });
  await expect(bar).toContainText("2 steps selected");

  await dragOver(builder, builder.card("Two"), gap(builder, "Add a step at the start of Right"));
  await expect(page.locator(".drag-ghost")).toHaveText("2 steps");
  await page.mouse.up();
  await expect.poll(() => builder.order("Right")).toEqual(["One", "Two", "Five"]);
  await expect(bar, "they stay selected").toContainText("2 steps selected");
  await undo(builder).click();
  await expect.poll(() => builder.order()).toEqual(["One", "Two", "Choice", "Each", "Seven"]);

  await bar.getByRole("button", { name: "Duplicate" }).click();
  await expect.poll(() => builder.order()).toHaveLength(7);
  await undo(builder).click();
  await expect.poll(() => builder.order()).toHaveLength(5);
  await builder.card("One").click();
  await builder.card("Seven").click({ modifiers: ["Control"] });
  await bar.getByRole("button", { name: "Delete" }).click();
  await expect.poll(() => builder.order()).toEqual(["Two", "Choice", "Each"]);
  await undo(builder).click();
  await expect.poll(() => builder.order()).toEqual(["One", "Two", "Choice", "Each", "Seven"]);
  await builder.saved();
});

test("a rectangle drawn with Shift selects the cards in it, and a click beside them ends that", async ({ organization, openDraft }) => {
  const builder = await openDraft(await create(organization.as.admin, "Rectangle", nested()));
  const { mouse, keyboard } = builder.page;
  const bar = builder.page.getByRole("group", { name: "Selected steps" });
  const [one, two] = [await middle(builder.card("One")), await middle(builder.card("Two"))];
  await keyboard.down("Shift");
  await mouse.move(one.x - 220, one.y - 10);
  await mouse.down();
  await mouse.move(one.x, one.y, { steps: 3 });
  await mouse.move(two.x, two.y, { steps: 3 });
  await expect(builder.flow.locator(".marquee")).toBeVisible();
  await mouse.up();
  await keyboard.up("Shift");
  await expect(bar).toContainText("2 steps selected");
  await expect(spoken(builder)).toHaveText("2 steps selected.");
  await mouse.click(one.x - 220, one.y);
  await expect(bar).toBeHidden();
});

test("several steps are selected and moved with keys alone, and a screen reader hears where", async ({ organization, openDraft }) => {
  const builder = await openDraft(await create(organization.as.admin, "Keys of several", nested()));
  const { keyboard } = builder.page;
  await builder.card("One").focus();
  await keyboard.press("Shift+ArrowDown");
  await expect(builder.card("Two")).toBeFocused();
  await expect(builder.page.getByRole("group", { name: "Selected steps" })).toContainText("2 steps selected");
  await keyboard.press("Alt+ArrowDown");
  await expect.poll(() => builder.order()).toEqual(["Choice", "One", "Two", "Each", "Seven"]);
  await expect(spoken(builder)).toHaveText("2 steps moved to place 2 of 5.");
  await keyboard.press("Alt+ArrowUp");
  await keyboard.press("Alt+ArrowUp");
  await expect(spoken(builder)).toHaveText("This is the first step.");
  await expect.poll(() => builder.order()).toEqual(["One", "Two", "Choice", "Each", "Seven"]);
  await keyboard.press("Control+d");
  await expect.poll(() => builder.order()).toHaveLength(7);
  await keyboard.press("Control+z");
  await expect.poll(() => builder.order()).toHaveLength(5);
  await builder.card("One").focus();
  await builder.card("One").press("Shift+ArrowDown");
  await keyboard.press("Delete");
  await expect.poll(() => builder.order()).toEqual(["Choice", "Each", "Seven"]);
  await expect(builder.card("Choice")).toBeFocused();
  await keyboard.press("Control+z");
  await expect.poll(() => builder.order()).toHaveLength(5);
  await builder.card("Seven").focus();
  await keyboard.press("Control+a");
  await expect(builder.page.getByRole("group", { name: "Selected steps" })).toContainText("5 steps selected");
  await keyboard.press("Escape");
  await expect(builder.page.getByRole("group", { name: "Selected steps" })).toBeHidden();
  await builder.saved();
});

test("a card that moves takes no key from whoever is in a field by then, and loses none", async ({ organization, openDraft }) => {
  const steps = ["One", "Two", "Three"].map((name) => step(name, "log", { message: "-" }));
  const draft = await create(organization.as.admin, "Quick keys", document("webhook", steps));
  const builder = await openDraft(draft);
  const { page } = builder;
  await builder.select("One");

  // The next key comes before the browser draws again.
  await builder.card("One").focus();
  const keeps = await builder.card("One").evaluate(async (card) => {
    card.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowDown", altKey: true, bubbles: true }));
    await new Promise((done) => setTimeout(done));
    return document.activeElement?.id === card.id;
  });
  expect(keeps, "the card still hears keys").toBe(true);
  await expect.poll(() => builder.order()).toEqual(["Two", "One", "Three"]);

  const message = await builder.field("Message").elementHandle();
  await builder.card("One").evaluate((card, field) => {
    card.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowDown", altKey: true, bubbles: true }));
    (field as HTMLElement).focus();
  }, message);
  await expect.poll(() => builder.order()).toEqual(["Two", "Three", "One"]);
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  await expect(builder.field("Message")).toBeFocused();
});

test("a new step is dragged out of the picker to where it shall be", async ({ organization, openDraft }) => {
  const builder = await openDraft(await create(organization.as.admin, "Palette", nested()));
  const { page } = builder;
  const to = await middle(gap(builder, "Add a step after Four"));
  await page.getByRole("button", { name: "Add a step behind the selected one" }).click();
  const option = page.getByRole("option", { name: /^Delay/ });
  // The list may be longer than its dialog.
  await option.scrollIntoViewIfNeeded();
  const from = await middle(option);
  await page.mouse.move(from.x, from.y);
  await page.mouse.down();
  await page.mouse.move(from.x + 10, from.y);
  await expect(page.getByRole("dialog", { name: "Add a step" })).toBeHidden();
  await page.mouse.move(to.x, to.y, { steps: 3 });
  await expect(page.locator(".drag-ghost")).toHaveText("Delay");
  await page.mouse.up();
  await expect.poll(() => builder.order("Left")).toEqual(["Three", "Four", "Delay"]);
  await expect(builder.card("Delay")).toBeFocused();
  await undo(builder).click();
  await expect.poll(() => builder.order("Left")).toEqual(["Three", "Four"]);
});

test("a drag scrolls at the edge, through a flow that is longer than the screen", async ({ organization, openDraft }) => {
  const builder = await openDraft(await create(organization.as.admin, "Edge", long(40)));
  const { mouse } = builder.page;
  const box = (await builder.flow.boundingBox())!;
  const from = await middle(builder.card("Step 1"));
  await mouse.move(from.x, from.y);
  await mouse.down();
  await mouse.move(from.x, from.y + 20);
  await mouse.move(from.x, box.y + box.height - 4, { steps: 3 });
  await expect(builder.card("Step 30")).toBeInViewport();
  // Away from the edge it scrolls no further, wherever it is by then.
  await mouse.move(from.x, box.y + box.height / 2, { steps: 2 });
  await expect(builder.page.locator(".drop-mark")).toBeInViewport();
  await mouse.up();
  await builder.saved();
  // Before it is drawn in its new place, the card that is dragged is the first in the page.
  await expect.poll(async () => (await builder.order()).indexOf("Step 1")).toBeGreaterThan(0);
  await expect(builder.card("Step 1")).toBeInViewport();
});

/** A finger, by way of the browser's debugger: Playwright itself can only tap. */
class Finger {
  constructor(private readonly session: CDPSession) {}
  private send(type: string, points: { x: number; y: number }[]) {
    return this.session.send("Input.dispatchTouchEvent", { type: type as any, touchPoints: points.map((point, id) => ({ ...point, id })) });
  }
  down = (...points: { x: number; y: number }[]) => this.send("touchStart", points);
  move = (...points: { x: number; y: number }[]) => this.send("touchMove", points);
  up = () => this.send("touchEnd", []);
}

test("a finger drags by the grip, scrolls on the canvas, and two fingers zoom", async ({ browser, organization }) => {
  const context = await contextOf(browser, organization.as.collaborator, { hasTouch: true });
  const page = watched(await context.newPage());
  const builder = new Builder(page);
  await builder.open(await create(organization.as.admin, "Touch", nested()));
  const finger = new Finger(await context.newCDPSession(page));
  const grip = await middle(builder.flow.getByRole("button", { name: "Drag One" }));
  const goal = await middle(gap(builder, "Add a step after Three"));
  await finger.down(grip);
  await finger.move({ x: grip.x + 8, y: grip.y + 8 });
  await finger.move({ x: (grip.x + goal.x) / 2, y: (grip.y + goal.y) / 2 });
  await finger.move(goal);
  await expect(marker(builder)).toBeVisible();
  await finger.up();
  await expect.poll(() => builder.order("Left")).toEqual(["Three", "One", "Four"]);

  const top = () => builder.flow.evaluate((flow) => flow.scrollTop);
  const before = await top();
  const card = await middle(builder.card("Four"));
  await finger.down(card);
  for (let moved = 20; moved <= 240; moved += 20) await finger.move({ x: card.x, y: card.y - moved });
  await finger.up();
  await expect.poll(top, "a finger on a card scrolls").toBeGreaterThan(before + 50);
  expect(await builder.order("Left")).toEqual(["Three", "One", "Four"]);

  const zoom = page.getByRole("button", { name: /show full size$/ });
  await expect(zoom).toHaveText("100 %");
  const box = (await builder.flow.boundingBox())!;
  const center = { x: box.x + box.width / 2, y: box.y + box.height / 2 };
  const apart = (by: number) => [{ x: center.x - by, y: center.y }, { x: center.x + by, y: center.y }] as const;
  await finger.down(...apart(160));
  for (const by of [140, 120, 100, 90]) await finger.move(...apart(by));
  await finger.up();
  await expect.poll(async () => Number.parseInt((await zoom.textContent())!)).toBeLessThan(75);
  await context.close();
});

test("the canvas is panned and zoomed with wheel, mouse, keys and buttons", async ({ organization, openDraft }) => {
  const builder = await openDraft(await create(organization.as.admin, "Pan", long(60)));
  const { page } = builder;
  const top = () => builder.flow.evaluate((flow) => flow.scrollTop);
  const zoom = page.getByRole("button", { name: /show full size$/ });
  const box = (await builder.flow.boundingBox())!;
  const empty = { x: box.x + 60, y: box.y + 300 };
  await page.mouse.move(empty.x, empty.y);
  await page.mouse.wheel(0, 400);
  await expect.poll(top).toBe(400);
  await page.mouse.down();
  await page.mouse.move(empty.x, empty.y - 100, { steps: 4 });
  await page.mouse.up();
  await expect.poll(top, "dragging the empty canvas").toBe(500);
  const card = await middle(builder.card("Step 8"));
  await page.mouse.move(card.x, card.y);
  await page.mouse.down({ button: "middle" });
  await page.mouse.move(card.x, card.y + 50, { steps: 2 });
  await page.mouse.up({ button: "middle" });
  await expect.poll(top, "the middle button, also on a card").toBe(450);
  await builder.card("Step 8").focus();
  await page.keyboard.down("Space");
  await page.mouse.move(card.x, card.y + 50);
  await page.mouse.down();
  await page.mouse.move(card.x, card.y, { steps: 2 });
  await page.mouse.up();
  await page.keyboard.up("Space");
  const pushed = await top();
  expect(pushed).toBeGreaterThan(450);
  await expect(undo(builder), "nothing was moved").toBeDisabled();

  const at = await middle(builder.card("Step 9"));
  await page.mouse.move(at.x, at.y);
  await page.keyboard.down("Control");
  await page.mouse.wheel(0, -120);
  await page.keyboard.up("Control");
  await expect(zoom).not.toHaveText("100 %");
  const after = await middle(builder.card("Step 9"));
  expect(Math.hypot(after.x - at.x, after.y - at.y), "what is under the pointer stays there").toBeLessThan(30);
  await builder.card("Step 9").focus();
  await page.keyboard.press("Control+0");
  await expect(zoom).toHaveText("100 %");
  await page.keyboard.press("Control+-");
  await expect(zoom).toHaveText("83 %");
  await page.keyboard.press("Control+=");
  await expect(zoom).toHaveText("100 %");
  await page.getByRole("button", { name: "Zoom out" }).click();
  await expect(zoom).toHaveText("83 %");
  await zoom.click();
  await expect(zoom).toHaveText("100 %");
  await page.getByRole("button", { name: "Fit the flow into the view" }).click();
  await expect(zoom).toHaveText("30 %");
});

test("containers fold, by mouse and by key, for this person and for later", async ({ browser, organization, openDraft }) => {
  const draft = await create(organization.as.admin, "Folds", nested());
  const builder = await openDraft(draft);
  await builder.flow.getByRole("button", { name: "Fold Choice" }).click();
  await expect(builder.card("Three")).toBeHidden();
  await expect(builder.card("Choice")).toHaveAttribute("aria-expanded", "false");
  await expect(builder.card("Choice")).toContainText("3 steps inside");
  await builder.card("Each").focus();
  await builder.page.keyboard.press("f");
  await expect(builder.card("Six")).toBeHidden();
  await expect(builder.card("Each")).toBeFocused();
  await builder.page.keyboard.press("ArrowDown");
  await expect(builder.card("Seven"), "arrows pass what is folded").toBeFocused();
  await builder.page.reload();
  await expect(builder.card("Choice")).toHaveAttribute("aria-expanded", "false");
  const other = await contextOf(browser, organization.as.admin);
  const theirs = new Builder(watched(await other.newPage()));
  await theirs.open(draft);
  await expect(theirs.card("Three")).toBeVisible();
  await other.close();
  await builder.page.getByRole("button", { name: "Unfold all" }).click();
  await expect(builder.card("Three")).toBeVisible();
  await expect(builder.card("Six")).toBeVisible();
  await builder.page.getByRole("button", { name: "Fold all" }).click();
  await expect(builder.card("Six")).toBeHidden();
});

test("only what is in view is in the page, and the selected card comes into view", async ({ organization, openDraft }) => {
  const made = long(300);
  const builder = await openDraft(await create(organization.as.admin, "Many", made));
  const cards = builder.flow.getByRole("listitem");
  expect(await cards.count()).toBeLessThan(60);
  await builder.card("Step 1").focus();
  await builder.page.keyboard.press("End");
  await expect(builder.card("Step 300")).toBeFocused();
  await expect(builder.card("Step 300")).toBeInViewport();
  await expect(builder.steps().getByRole("listitem").last()).toHaveAttribute("aria-posinset", "300");
  await expect(builder.steps().getByRole("listitem").last()).toHaveAttribute("aria-setsize", "300");
  await builder.flow.evaluate((flow) => flow.scrollTo(0, 0));
  await expect(builder.card("Step 3")).toBeInViewport();
  await expect(builder.card("Step 300"), "what has the focus keeps it").toBeFocused();
  await builder.page.keyboard.press("ArrowUp");
  await expect(builder.card("Step 299")).toBeFocused();
  await expect(builder.card("Step 299")).toBeInViewport();

  const map = builder.page.locator(".minimap");
  const box = (await map.boundingBox())!;
  await builder.page.mouse.click(box.x + box.width / 2, box.y + box.height / 2);
  await expect(builder.card("Step 150")).toBeInViewport();
});

test("a flow with lanes is accessible in both themes, far and near", async ({ organization, openDraft }) => {
  const builder = await openDraft(await create(organization.as.admin, "Axe", nested()));
  for (const colorScheme of ["light", "dark"] as const) {
    await builder.page.emulateMedia({ colorScheme });
    await expectAccessible(builder.page, `the canvas, ${colorScheme}`);
  }
  await builder.card("One").click();
  await builder.card("Two").click({ modifiers: ["Shift"] });
  await expectAccessible(builder.page, "several selected steps");
  await builder.page.getByRole("button", { name: "Fit the flow into the view" }).click();
  await expectAccessible(builder.page, "the canvas from afar");
});
