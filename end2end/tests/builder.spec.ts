// The builder: its forms, problems, lanes, tests and keys.
import type { Locator, Page } from "@playwright/test";

import { Builder } from "../fixtures/builder.ts";
import { create, document, publish, step } from "../fixtures/document.ts";
import { expect, test } from "../fixtures/test.ts";

test("every kind of field can be filled, and a reload shows the same", async ({ organization, openDraft }) => {
  const request = step("Call", "http.request", { method: "GET", body_type: "none" });
  const draft = await create(organization.as.admin, "Kinds of fields", document("webhook", [request]));
  const builder = await openDraft(draft);
  await builder.select("Call");

  await builder.field("Method").selectOption("PUT");
  await builder.field("URL").fill("https://api.example.com/{{ trigger.body.id }}");
  await builder.addRow("Query parameters", 1, "page", "2");
  await builder.addRow("Headers", 1, "x-source", "{{ trigger.method }}");
  await builder.addRow("Headers", 2, "accept", "application/json");
  await builder.field("Body").selectOption({ label: "JSON" });
  await builder.field("JSON body").fill('{"id": "{{ trigger.body.id }}"}');
  await builder.field("Time-out in seconds").fill("7.5");
  await builder.field("Expected status").fill("2xx, 404");

  await builder.addAt("Add a step after Call", "filter");
  await builder.field("Go on when").fill("steps.call.status == 200");
  await builder.add("log", "Filter");
  await builder.field("Level").selectOption({ label: "Warning" });
  await builder.field("Message").fill("Two lines\n{{ steps.call.body.name | default('none') }}");
  await builder.add("loop", "Log");
  await builder.field("List to go through").fill("{{ steps.call.body.rows }}");
  await builder.panel.getByText("When it fails").click();
  await builder.field("Retries").fill("3");
  await builder.field("Retries").press("Tab");
  await builder.field("After the last attempt").selectOption({ label: "The run goes on; the output is { error }" });
  await builder.panel.getByText("Notes", { exact: true }).click();
  await builder.field("For the next reader, in Markdown").fill("Rows come **sorted**.");
  await builder.add("delay", "Loop");
  await builder.field("How long").fill("{{ trigger.body.minutes }}");
  await builder.field("Unit").selectOption({ label: "Expression…" });
  await builder.field("Unit").fill("{{ trigger.body.unit }}");
  await builder.saved();

  await builder.page.reload();
  await expect(builder.flow).toBeVisible();
  expect(await builder.order()).toEqual(["Call", "Filter", "Log", "Loop", "Delay"]);
  await builder.select("Call");
  await expect(builder.field("Method")).toHaveValue("PUT");
  await expect(builder.field("URL")).toHaveValue("https://api.example.com/{{ trigger.body.id }}");
  await expect(builder.panel.getByRole("textbox", { name: "Query parameters, value 1" })).toHaveValue("2");
  await expect(builder.panel.getByRole("textbox", { name: "Headers, name 1" })).toHaveValue("accept");
  await expect(builder.panel.getByRole("textbox", { name: "Headers, value 2" })).toHaveValue("{{ trigger.method }}");
  await expect(builder.field("JSON body")).toHaveValue('{"id": "{{ trigger.body.id }}"}');
  await expect(builder.field("Time-out in seconds")).toHaveValue("7.5");
  await expect(builder.field("Expected status")).toHaveValue("2xx, 404");
  await builder.select("Filter");
  await expect(builder.field("Go on when")).toHaveValue("steps.call.status == 200");
  await builder.select("Log");
  await expect(builder.field("Level")).toHaveValue("warning");
  await expect(builder.field("Message")).toHaveValue("Two lines\n{{ steps.call.body.name | default('none') }}");
  await builder.select("Loop");
  await expect(builder.field("List to go through")).toHaveValue("{{ steps.call.body.rows }}");
  await expect(builder.field("For the next reader, in Markdown")).toHaveValue("Rows come **sorted**.");
  await builder.panel.getByText("When it fails").click();
  await expect(builder.field("Retries")).toHaveValue("3");
  await expect(builder.field("After the last attempt")).toHaveValue("continue");
  await builder.select("Delay");
  await expect(builder.field("How long")).toHaveValue("{{ trigger.body.minutes }}");
  await expect(builder.field("Unit")).toHaveValue("{{ trigger.body.unit }}");
});

test("problems appear while one types, and the list of problems jumps to the step", async ({
  organization,
  openDraft,
}) => {
  const steps = [step("First", "log", { message: "a" }), step("Second", "log", { message: "b" })];
  const draft = await create(organization.as.admin, "Problems", document("webhook", steps));
  const builder = await openDraft(draft);
  const problems = builder.page.getByRole("button", { name: /^(No problems|\d+ problems?)$/ });
  const publish = builder.page.getByRole("button", { name: "Publish", exact: true });
  await expect(problems).toHaveText("No problems");
  await expect(publish).toBeEnabled();

  await builder.select("Second");
  await builder.field("Message").pressSequentially(" {{ steps.third.message }}");
  await expect(builder.field("Message")).toHaveAttribute("aria-invalid", "true");
  await expect(builder.field("Message")).toHaveAccessibleDescription(/There is no step called `third`\./);
  await expect(builder.card("Second")).toHaveAccessibleName(/1 problem/);
  await expect(problems).toHaveText("1 problem");
  await expect(publish).toBeDisabled();
  await expect(publish).toHaveAccessibleDescription("Mend the problem first.");

  await builder.select("First");
  await problems.click();
  const dialog = builder.page.getByRole("dialog", { name: "Problems" });
  await dialog.getByRole("button", { name: /Second.*no step called `third`/ }).click();
  await expect(dialog).toBeHidden();
  await expect(builder.field("Message")).toBeFocused();
  await expect(builder.field("Name")).toHaveValue("Second");

  await builder.field("Message").fill("{{ steps.first.message }}");
  await expect(problems).toHaveText("No problems");
  await expect(publish).toBeEnabled();
});

test("rows of names and values are added, checked and removed", async ({ organization, openDraft }) => {
  const draft = await create(organization.as.admin, "Rows", document("webhook", [step("Values", "set", {})]));
  const builder = await openDraft(draft);
  await builder.select("Values");
  const value = (row: number) => builder.panel.getByRole("textbox", { name: `Values, value ${row}` });
  const group = builder.panel.getByRole("group", { name: "Values", exact: true });

  await builder.panel.getByRole("button", { name: "Add to values" }).click();
  await expect(builder.panel.getByRole("textbox", { name: "Values, name 1" })).toBeFocused();
  await builder.panel.getByRole("textbox", { name: "Values, name 1" }).fill("total");
  await value(1).fill("{{ trigger.body.total }}");
  await builder.addRow("Values", 2, "total", "twice");
  await expect(group).toContainText("This name is used above. Give it another one.");
  await builder.panel.getByRole("textbox", { name: "Values, name 2" }).fill("broken");
  await value(2).fill("{{ trigger.body. }}");
  await expect(value(2)).toHaveAttribute("aria-invalid", "true");
  await expect(group).toContainText("A name is missing after `.`");
  await builder.panel.getByRole("button", { name: "Remove entry 2 of Values" }).click();
  await expect(value(2)).toBeHidden();
  await builder.saved();

  const saved = await organization.as.admin.call("read_draft", { id: draft });
  const [only] = Object.values<any>(saved.document.steps);
  expect(only.config).toEqual({ values: { total: "{{ trigger.body.total }}" } });
});

test("lanes of a branch are added, moved and deleted", async ({ organization, openDraft }) => {
  const draft = await create(organization.as.admin, "Lanes", document("webhook", []));
  const builder = await openDraft(draft);
  await builder.add("branch");
  const lanes = builder.panel.getByRole("region", { name: "Lanes" });
  const names = lanes.getByRole("textbox", { name: "Name of the lane" });
  const conditions = lanes.getByRole("textbox", { name: "Runs when" });
  const before = await names.count();

  await lanes.getByRole("button", { name: "Add lane" }).click();
  await expect(names).toHaveCount(before + 1);
  await names.nth(0).fill("Large");
  await expect(builder.lane("Large")).toBeVisible();
  await expect(builder.steps("Large")).toBeVisible();
  await conditions.nth(0).fill("trigger.body.total > 100");
  await names.nth(1).fill("Small");
  await conditions.nth(1).fill("trigger.body.total > 1");
  await expect(builder.flow).toContainText("trigger.body.total > 100");

  await lanes.getByRole("button", { name: "Move lane Small up" }).click();
  await expect(names.nth(0)).toHaveValue("Small");
  await expect(conditions.nth(0)).toHaveValue("trigger.body.total > 1");
  await lanes.getByRole("button", { name: "Move lane Small down" }).click();
  await expect(names.nth(0)).toHaveValue("Large");

  await builder.addAt("Add a step at the start of Large", "stop");
  await builder.field("Message").fill("Too large");
  await expect(builder.lane("Large").getByRole("button", { name: /^Stop with error/ })).toBeVisible();
  await builder.card("Branch").click();
  await lanes.getByRole("button", { name: "Delete lane Large" }).click();
  await expect(builder.card("Stop with error")).toBeHidden();
  await expect(names.nth(0)).toHaveValue("Small");
  await builder.page.getByRole("button", { name: "Undo" }).click();
  await expect(builder.lane("Large").getByRole("button", { name: /^Stop with error/ })).toBeVisible();
  await builder.saved();
});

test("steps inside a loop run once for each item", async ({ organization, openDraft, target }) => {
  const draft = await create(organization.as.admin, "Loop", document("webhook", []));
  const builder = await openDraft(draft);
  await builder.add("each");
  await builder.field("List to go through").fill("{{ trigger.body.lines }}");
  await builder.flow.getByRole("button", { name: /^Add a step at the start of / }).last().click();
  await builder.page.getByRole("combobox", { name: "Search for a step" }).fill("http");
  await builder.page.keyboard.press("Enter");
  await builder.field("Method").selectOption("POST");
  await builder.field("URL").fill(target.url("/lines"));
  await builder.field("Body").selectOption({ label: "JSON" });
  await builder.field("JSON body").fill('{"sku": "{{ item.sku }}", "place": {{ index }}}');
  await builder.test({ method: "POST", headers: {}, query: {}, body: { lines: [{ sku: "A" }, { sku: "B" }] } });
  await expect(builder.testDrawer).toContainText("Succeeded");
  expect(target.at("/lines").map((call) => call.body)).toEqual([
    { sku: "A", place: 0 },
    { sku: "B", place: 1 },
  ]);
});

test("a deleted step comes back with undo, with everything in it", async ({ organization, openDraft }) => {
  const steps = [step("First", "log", { message: "one" }), step("Second", "log", { message: "two" })];
  const draft = await create(organization.as.admin, "Delete", document("webhook", steps));
  const builder = await openDraft(draft);
  await builder.select("First");
  await builder.panel.getByRole("button", { name: "Delete step" }).click();
  await expect(builder.card("First")).toBeHidden();
  expect(await builder.order()).toEqual(["Second"]);
  await builder.saved();
  await expect(builder.card("Second")).toBeFocused();
  await builder.page.keyboard.press("Control+z");
  await builder.select("First");
  await expect(builder.field("Message")).toHaveValue("one");
  expect(await builder.order()).toEqual(["First", "Second"]);
  await builder.page.keyboard.press("Escape");
  await builder.page.getByRole("button", { name: "Redo" }).click();
  await expect(builder.card("First")).toBeHidden();
  await builder.page.getByRole("button", { name: "Undo" }).click();
  await builder.saved();
  await builder.page.reload();
  await expect(builder.card("First")).toBeVisible();
});

test("a step is duplicated, moved and deleted with keys", async ({ organization, openDraft }) => {
  const steps = ["One", "Two", "Three"].map((name) => step(name, "log", { message: name }));
  const draft = await create(organization.as.admin, "Keys", document("webhook", steps));
  const builder = await openDraft(draft);
  const { keyboard } = builder.page;
  await builder.select("One");
  await builder.card("One").focus();
  await keyboard.press("Alt+ArrowDown");
  await expect.poll(() => builder.order()).toEqual(["Two", "One", "Three"]);
  await expect(builder.card("One")).toBeFocused();
  await keyboard.press("Alt+ArrowDown");
  await expect.poll(() => builder.order()).toEqual(["Two", "Three", "One"]);
  await keyboard.press("ArrowUp");
  await expect(builder.card("Three")).toBeFocused();
  await keyboard.press("Control+d");
  await expect.poll(() => builder.order()).toHaveLength(4);
  await keyboard.press("Delete");
  await expect.poll(() => builder.order()).toEqual(["Two", "Three", "One"]);
  await keyboard.press("Control+z");
  await expect.poll(() => builder.order()).toHaveLength(4);
  await keyboard.press("Control+z");
  await expect.poll(() => builder.order()).toEqual(["Two", "Three", "One"]);
  await builder.saved();
});

test("the flow is one stop of Tab, and arrows reach its cards and the places between them", async ({
  organization,
  openDraft,
}) => {
  const steps = ["One", "Two", "Three"].map((name) => step(name, "log", { message: name }));
  const draft = await create(organization.as.admin, "Arrows", document("webhook", steps));
  const builder = await openDraft(draft);
  const { keyboard } = builder.page;
  const focused = builder.flow.locator("button:focus");
  const gap = (name: string) => builder.flow.getByRole("button", { name, exact: true });
  await builder.trigger().focus();
  await keyboard.press("ArrowRight");
  await expect(gap("Add a step at the start")).toBeFocused();
  await keyboard.press("ArrowRight");
  await expect(builder.card("One")).toBeFocused();
  await expect(builder.field("Name")).toHaveValue("One");
  await keyboard.press("ArrowRight");
  await expect(gap("Add a step after One")).toBeFocused();
  await keyboard.press("ArrowDown");
  await expect(builder.card("Two")).toBeFocused();
  await keyboard.press("ArrowLeft");
  await keyboard.press("ArrowUp");
  await expect(builder.card("One")).toBeFocused();
  await keyboard.press("End");
  await expect(builder.card("Three")).toBeFocused();

  await keyboard.press("Tab");
  await expect(focused, "one Tab leaves the flow").toHaveCount(0);
  await keyboard.press("Shift+Tab");
  await expect(builder.card("Three"), "and one comes back to what is selected").toBeFocused();
  await keyboard.press("Shift+Tab");
  await expect(focused).toHaveCount(0);

  await builder.card("Three").focus();
  await keyboard.press("ArrowRight");
  await keyboard.press("Enter");
  await expect(builder.page.getByRole("combobox", { name: "Search for a step" })).toBeFocused();
  await keyboard.type("log");
  await keyboard.press("Enter");
  await expect(builder.card("Log")).toBeFocused();
  expect(await builder.order()).toEqual(["One", "Two", "Three", "Log"]);
});

test("an event caught at the test address is used for a test, and starts nothing", async ({
  organization,
  openDraft,
}) => {
  const admin = organization.as.admin;
  const set = step("Pick", "set", { values: { id: "{{ trigger.body.id }}", from: "{{ trigger.query.from }}" } });
  const draft = await create(admin, "Catch", document("webhook", [set]));
  const builder = await openDraft(draft);
  await builder.page.getByRole("button", { name: "Test", exact: true }).click();
  const caught = builder.testDrawer.getByRole("region", { name: "Caught events" });
  await expect(caught).toContainText("Nothing caught yet");
  const address = await caught.getByRole("code").textContent();
  const answer = await fetch(`${address}?from=shop`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ id: "caught-1" }),
  });
  expect(answer.ok).toBe(true);
  await caught.getByRole("button", { name: "Use" }).click();
  await expect(builder.testDrawer.getByRole("textbox", { name: "Payload" })).toHaveValue(/"id": "caught-1"/);
  await builder.test();
  await builder.card("Pick").click();
  await expect(builder.panel.getByRole("region", { name: "Test of this step" })).toContainText('"caught-1"');
  await expect(builder.panel.getByRole("region", { name: "Test of this step" })).toContainText('"shop"');
  const runs = await admin.call<any[]>("runs", { integration: null, state: null, before: null });
  expect(runs.filter((run) => run.integration_name === "Catch")).toEqual([]);
});

test("a second press of the button while the server has not answered starts no second test", async ({
  organization,
  openDraft,
}) => {
  const note = document("webhook", [step("Note", "log", { message: "m" })]);
  const draft = await create(organization.as.admin, "Twice", note);
  const builder = await openDraft(draft);
  let answer = () => {};
  const answered = new Promise<void>((done) => (answer = done));
  let asked = 0;
  await builder.page.route("**/api/start_test", async (route) => {
    asked += 1;
    await answered;
    await route.continue();
  });
  await builder.page.getByRole("button", { name: "Test", exact: true }).click();
  await builder.ended(async () => {
    await builder.testDrawer.getByRole("button", { name: "Run test" }).dblclick();
    await expect(builder.testDrawer.getByRole("button", { name: "Running…" })).toBeDisabled();
    answer();
  });
  expect(asked).toBe(1);
  await expect(builder.testDrawer.getByRole("button", { name: "Run test" })).toBeEnabled();
});

test("one step is tested alone, with what the steps before it gave last", async ({
  organization,
  openDraft,
  target,
}) => {
  const steps = [
    step("Count", "http.request", { method: "POST", url: target.url("/count"), body_type: "none" }),
    step("Tell", "set", { values: { said: "call {{ steps.count.body.number }}" } }),
  ];
  const draft = await create(organization.as.admin, "Alone", document("webhook", steps));
  const builder = await openDraft(draft);
  await builder.test();
  expect(target.at("/count")).toHaveLength(1);
  await builder.select("Tell");
  await builder.panel.getByRole("textbox", { name: "Values, value 1" }).fill("once more {{ steps.count.body.number }}");
  const alone = builder.panel.getByRole("region", { name: "Test of this step" });
  await builder.ended(() => alone.getByRole("button", { name: "Test this step" }).click());
  await expect(alone).toContainText('"once more 1"');
  expect(target.at("/count"), "the step before was not run again").toHaveLength(1);
});

test("a schedule shows its next fires in a time zone found by searching", async ({ organization, openDraft }) => {
  const daily = document("schedule", [step("Note", "log", { message: "{{ trigger.scheduled_at }}" })]);
  const draft = await create(organization.as.admin, "Schedule", daily);
  const builder = await openDraft(draft);
  await builder.trigger().click();
  const zone = builder.field("Time zone");
  await zone.fill("auckl");
  await builder.page.getByRole("option", { name: "Pacific/Auckland" }).click();
  await expect(zone).toHaveValue("Pacific/Auckland");
  await builder.panel.getByRole("button", { name: "Weekdays at 6:00" }).click();
  await expect(builder.field("When")).toHaveValue("0 6 * * MON-FRI");
  const times = builder.panel.getByRole("time");
  const there = () =>
    times.evaluateAll((times) =>
      times.map((time) =>
        new Date((time as HTMLTimeElement).dateTime).toLocaleString("en-GB", {
          timeZone: "Pacific/Auckland",
          weekday: "short",
          hour: "2-digit",
          minute: "2-digit",
        }),
      ),
    );
  const weekday = expect.stringMatching(/^(Mon|Tue|Wed|Thu|Fri),? 06:00$/);
  await expect.poll(there).toEqual([weekday, weekday, weekday, weekday, weekday]);
  await builder.field("When").fill("61 * * * *");
  await expect(builder.field("When")).toHaveAccessibleDescription(/`61` is not a minute/);
  await expect(times).toHaveCount(0);
  await builder.field("When").fill("*/5 * * * *");
  await zone.fill("Middle/Earth");
  await expect(zone).toHaveAccessibleDescription(/`Middle\/Earth` is not a time zone\./);
});

test("the answer of a webhook comes from the Respond step", async ({ organization, openDraft }) => {
  const admin = organization.as.admin;
  const draft = await create(admin, "Respond", document("webhook", []));
  const builder = await openDraft(draft);
  await builder.add("respond");
  await builder.field("Status").fill("201");
  await builder.addRow("Headers", 1, "x-answered-by", "sluice");
  await builder.field("JSON body").fill('{"hello": "{{ trigger.body.name }}"}');
  await builder.saved();
  const { webhookPath } = await publish(admin, draft);
  const answer = await fetch(`${admin.url}${webhookPath}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ name: "caller" }),
  });
  expect(answer.status).toBe(201);
  expect(answer.headers.get("x-answered-by")).toBe("sluice");
  expect(await answer.json()).toEqual({ hello: "caller" });
});

test("a manual trigger runs with the payload that one types", async ({ organization, signedIn }) => {
  const { admin } = organization.as;
  const set = step("Echo", "set", { values: { said: "{{ trigger.body.word }}" } });
  const { integration } = await publish(admin, await create(admin, "By hand", document("manual", [set])));
  const page = await signedIn("collaborator");
  await page.goto(`/integrations/${integration}`);
  await page.getByRole("button", { name: "Run now" }).click();
  const dialog = page.getByRole("dialog", { name: "Run now" });
  const payload = dialog.getByRole("textbox", { name: "Payload" });
  await payload.fill('{"word": ');
  await expect(payload).toHaveAccessibleDescription(/This is not JSON/);
  await expect(dialog.getByRole("button", { name: "Run", exact: true })).toBeDisabled();
  await payload.fill('{"word": "typed by hand"}');
  await dialog.getByRole("button", { name: "Run", exact: true }).click();
  await expect(page).toHaveURL(/\/runs\//);
  await expect(page.getByRole("main")).toContainText("Succeeded");
  await page.getByRole("button", { name: /^Echo/ }).click();
  await expect(page.getByRole("main")).toContainText('said: "typed by hand"');
});

test("an integration is made, built and published with the keyboard alone", async ({ signedIn }) => {
  const page = await signedIn("collaborator");
  const { keyboard } = page;
  await page.goto("/");
  await tabTo(page, page.getByRole("button", { name: "New integration" }).first());
  await keyboard.press("Enter");
  await expect(page.getByRole("textbox", { name: "Name" })).toBeFocused();
  await keyboard.type("By keyboard");
  await tabTo(page, page.getByRole("radio", { name: /Webhook|Schedule|Manual/ }).first());
  await keyboard.press("Space");
  await tabTo(page, page.getByRole("button", { name: "Create integration" }));
  await keyboard.press("Enter");

  await expect(page).toHaveURL(/\/drafts\//);
  const builder = new Builder(page);
  await tabTo(page, builder.trigger());
  await keyboard.press("+");
  await expect(page.getByRole("combobox", { name: "Search for a step" })).toBeFocused();
  await keyboard.type("lo");
  await expect(page.getByRole("listbox", { name: "Steps" }).getByRole("option").first()).toBeVisible();
  await keyboard.press("ArrowDown");
  await keyboard.press("ArrowUp");
  await keyboard.type("g");
  await keyboard.press("Enter");
  await expect(builder.card("Log")).toBeFocused();
  await keyboard.press("Enter");
  await expect(builder.field("Name")).toBeFocused();
  await tabTo(page, builder.field("Message"));
  await keyboard.type("Came in");
  await builder.saved();
  await tabTo(page, page.getByRole("button", { name: "Publish", exact: true }));
  await keyboard.press("Enter");
  const dialog = page.getByRole("dialog", { name: "Publish this draft" });
  await expect(dialog).toBeVisible();
  await expect(dialog.getByRole("button", { name: "Publish now" })).toBeEnabled();
  await tabTo(page, dialog.getByRole("button", { name: "Publish now" }));
  await keyboard.press("Enter");
  await expect(page).toHaveURL(/\/integrations\//);
  await expect(page.getByRole("main")).toContainText("Version 1");
});

/** Presses Tab until something has the focus. */
async function tabTo(page: Page, goal: Locator): Promise<void> {
  await expect(goal).toBeVisible();
  for (let presses = 0; presses < 80; presses += 1) {
    await page.keyboard.press("Tab");
    if (await goal.evaluate((element) => element === document.activeElement)) return;
  }
  throw new Error(`Tab does not reach ${goal}`);
}
