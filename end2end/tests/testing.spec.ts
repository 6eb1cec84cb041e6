// Testing in place: up to a step, with pinned outputs, from past events, one test beside another.
import { expectAccessible } from "../fixtures/axe.ts";
import { create, document, publish, save, setField, step } from "../fixtures/document.ts";
import { expect, test } from "../fixtures/test.ts";

test("a pinned output is used instead of the step, in tests only, and everybody sees it", async ({
  organization,
  openDraft,
  target,
}) => {
  const { admin } = organization.as;
  const call = step("Call", "http.request", { method: "POST", url: target.url("/orders"), body_type: "none" });
  const say = step("Say", "set", { values: { said: "{{ steps.call.body.id }}" } });
  const draft = await create(admin, "Pinned", document("webhook", [call, say]));
  const builder = await openDraft(draft);
  const watching = await openDraft(draft, "admin");
  await builder.test({ body: {} });
  const before = target.calls.length;
  expect(before).toBe(1);

  await builder.select("Call");
  const pinned = builder.panel.getByRole("region", { name: "Pinned output" });
  await builder.panel.getByRole("button", { name: "Pin this output" }).click();
  await expect(pinned).toContainText("Tests use this output and do not run the step.");
  await pinned.getByText("Change the pinned output").click();
  await pinned.getByRole("textbox", { name: "Output" }).fill("{");
  await expect(pinned.getByRole("button", { name: "Pin", exact: true })).toBeDisabled();
  await pinned.getByRole("textbox", { name: "Output" }).fill('{"body": {"id": "by hand"}}');
  await pinned.getByRole("button", { name: "Pin", exact: true }).click();
  await expect(pinned).toContainText("by hand");
  await expectAccessible(builder.page, "a step with a pinned output");
  const card = builder.steps().getByRole("listitem").filter({ hasText: "Call" });
  await expect(card).toContainText("Pinned");
  await expect(watching.steps().getByRole("listitem").filter({ hasText: "Call" })).toContainText("Pinned");

  await builder.test();
  expect(target.calls).toHaveLength(before);
  await expect(builder.testDrawer).toContainText("1 output is pinned: its step is not run.");
  await builder.select("Say");
  await expect(builder.panel.getByRole("region", { name: "Test of this step" })).toContainText("by hand");
  // The draft is as it was, and its test is none of the whole.
  expect(await builder.revision()).toBe(1);

  await builder.select("Call");
  await pinned.getByRole("button", { name: "Take the pin off" }).click();
  await expect(pinned).toBeHidden();
  await builder.test();
  expect(target.calls).toHaveLength(before + 1);
});

test("a test runs up to a step, and one test is compared with another", async ({ organization, openDraft }) => {
  const steps = [
    step("First", "set", { values: { total: "{{ trigger.body.total }}" } }),
    step("Second", "set", { values: { twice: "{{ trigger.body.total * 2 }}", same: "x" } }),
    step("Third", "stop", { message: "must not run" }),
  ];
  const builder = await openDraft(await create(organization.as.admin, "Up to here", document("webhook", steps)));
  await builder.page.getByRole("button", { name: "Test", exact: true }).click();
  const payload = builder.testDrawer.getByRole("textbox", { name: "Payload" });
  await payload.fill('{"body": {"total": 1}}');
  await builder.select("First");
  const runTo = builder.panel.getByRole("button", { name: "Run to here" });
  await builder.ended(() => runTo.click());
  await expect(builder.card("First")).toHaveAccessibleName(/Succeeded/);
  await expect(builder.card("Second")).not.toHaveAccessibleName(/Succeeded|Failed/);
  await payload.fill('{"body": {"total": 2}}');
  await builder.select("Second");
  await builder.ended(() => runTo.click());
  await expect(builder.card("Second")).toHaveAccessibleName(/Succeeded/);
  await expect(builder.card("Third")).not.toHaveAccessibleName(/Failed/);

  const compare = builder.testDrawer.getByRole("region", { name: "Compare tests" });
  await compare.getByRole("combobox", { name: "Compare with" }).selectOption({ index: 1 });
  await expect(compare).toContainText("2 differ, 0 are the same.");
  await expect(compare.getByRole("listitem").filter({ hasText: "First" })).toContainText("did something else");
  await expect(compare.getByRole("listitem").filter({ hasText: "First" }).locator("ins").first()).toContainText("2");
  await expect(compare.getByRole("listitem").filter({ hasText: "Second" })).toContainText("did not before");
  await expectAccessible(builder.page, "two tests compared");
  await builder.ended(() => builder.page.keyboard.press("ControlOrMeta+Enter"));
  await expect(builder.testDrawer).toContainText("must not run");
});

test("a past event of what is live becomes the payload of a test", async ({ organization, openDraft }) => {
  const { admin } = organization.as;
  const say = step("Say", "set", { values: { said: "{{ trigger.body.word }}" } });
  const first = await create(admin, "Past events", document("webhook", [say]));
  const { integration, webhookPath } = await publish(admin, first);
  const answer = await fetch(`${organization.server.url}${webhookPath}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ word: "from outside" }),
  });
  expect(answer.status).toBe(202);
  const draft = await admin.call<string>("start_draft", { integration, title: "Next" });
  await save(admin, draft, [setField(say, "values", { said: "{{ trigger.body.word | upper }}" })]);
  const builder = await openDraft(draft);
  await builder.page.getByRole("button", { name: "Test", exact: true }).click();
  await builder.testDrawer.getByText("Events of past runs").click();
  const past = builder.testDrawer.getByRole("list", { name: "Past runs" }).getByRole("listitem");
  await expect(past).toHaveCount(1);
  await past.getByRole("button", { name: "Use" }).click();
  await expect(builder.testDrawer.getByRole("textbox", { name: "Payload" })).toHaveValue(/from outside/);
  await builder.test();
  await builder.select("Say");
  await expect(builder.panel.getByRole("region", { name: "Test of this step" })).toContainText("FROM OUTSIDE");
});
