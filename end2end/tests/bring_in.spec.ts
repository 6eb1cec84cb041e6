// Another draft of the same integration is brought into a draft: by itself, and with a conflict.
import type { Api } from "../fixtures/api.ts";
import { expectAccessible } from "../fixtures/axe.ts";
import { create, document, publish, save, setField, step, type Step } from "../fixtures/document.ts";
import { expect, test } from "../fixtures/test.ts";

/** Two drafts of an integration that is live. */
interface Two {
  first: Step;
  second: Step;
  mine: string;
  other: string;
}

async function two({ admin, collaborator }: Record<"admin" | "collaborator", Api>, name: string): Promise<Two> {
  const [first, second] = ["First", "Second"].map((name) => step(name, "log", { message: "one" })) as [Step, Step];
  const { integration } = await publish(admin, await create(admin, name, document("webhook", [first, second])));
  const start = (api: Api, title: string) => api.call<string>("start_draft", { integration, title });
  return { first, second, mine: await start(collaborator, "Mine"), other: await start(admin, "Say more") };
}

test("what another draft changed comes in, and what it changes later is no conflict", async ({
  organization,
  openDraft,
}) => {
  const { admin } = organization.as;
  const it = await two(organization.as, "Brought in");
  const builder = await openDraft(it.mine, "collaborator");
  await builder.select("First");
  await builder.field("Message").fill("mine");
  await builder.saved();

  let dialog = await builder.bringingIn("Say more");
  await expect(dialog).toContainText("The draft holds everything that “Say more” has.");
  await dialog.getByRole("button", { name: "Close", exact: true }).last().click();
  await expect(dialog).toBeHidden();

  await save(admin, it.other, [setField(it.second, "message", "theirs")]);
  dialog = await builder.bringingIn("Say more");
  await expect(dialog).toContainText("Nothing conflicts: everything merges by itself.");
  await expect(dialog).toContainText("1 step modified");
  await expectAccessible(builder.page, "bringing in a draft");
  await dialog.getByRole("button", { name: "Bring in", exact: true }).click();
  await expect(dialog).toBeHidden();
  await builder.select("Second");
  await expect(builder.field("Message")).toHaveValue("theirs");
  await builder.select("First");
  await expect(builder.field("Message")).toHaveValue("mine");

  await save(admin, it.other, [setField(it.second, "message", "theirs, later")]);
  dialog = await builder.bringingIn("Say more");
  await expect(dialog).toContainText("Nothing conflicts: everything merges by itself.");
  await dialog.getByRole("button", { name: "Bring in", exact: true }).click();
  await builder.select("Second");
  await expect(builder.field("Message")).toHaveValue("theirs, later");
});

test("what both drafts changed is decided, in words: values, a deleted step, a step in two places", async ({
  organization,
  openDraft,
}) => {
  const { admin, collaborator } = organization.as;
  const [said, gone, moved] = ["Said", "Gone", "Moved"].map((name) => step(name, "log", { message: "one" }));
  const lanes = ["Large", "Small"].map((name) => ({ id: crypto.randomUUID(), name, when: "true", steps: [] }));
  const branch: Step = { ...step("By size", "branch", {}), lanes };
  const content = document("webhook", [said!, gone!, moved!, branch]);
  const { integration } = await publish(admin, await create(admin, "Conflicts of structure", content));
  const start = (api: Api, title: string) => api.call<string>("start_draft", { integration, title });
  const [mine, other] = [await start(collaborator, "Mine"), await start(admin, "Say more")];
  const into = (lane: number) => ({
    move: { step: moved!.id, to: { list: { lane: [branch.id, lanes[lane]!.id] }, index: 0 } },
  });
  await save(collaborator, mine, [
    setField(said!, "message", "mine"),
    setField(gone!, "message", "still needed"),
    into(0),
  ]);
  await save(admin, other, [setField(said!, "message", "theirs"), { delete: { step: gone!.id } }, into(1)]);

  const builder = await openDraft(mine, "collaborator");
  const dialog = await builder.bringingIn("Say more");
  await expect(dialog.getByRole("heading", { name: "3 conflicts to decide" })).toBeVisible();
  const ready = dialog.getByRole("button", { name: "Bring in", exact: true });
  await expect(ready).toBeDisabled();
  const of = (name: RegExp) => dialog.getByRole("region", { name });
  await expect(of(/Said/)).toContainText("It was changed in this draft and, differently, in “Say more”.");
  await expect(of(/Gone/)).toContainText("“Gone” was deleted in “Say more” and changed in this draft: Message.");
  await expect(of(/Moved/)).toContainText(
    "It stands in the lane “Large” of “By size” in this draft, and in the lane “Small” of “By size” in “Say more”.",
  );
  await expectAccessible(builder.page, "conflicts with a draft");
  await of(/Said/).getByRole("radio", { name: "Take that of “Say more”" }).check();
  await of(/Gone/).getByRole("radio", { name: "Keep it, as it is in this draft" }).check();
  await of(/Moved/).getByRole("radio", { name: "Put it where “Say more” has it" }).check();
  await ready.click();
  await expect(dialog).toBeHidden();
  await builder.select("Said");
  await expect(builder.field("Message")).toHaveValue("theirs");
  await builder.select("Gone");
  await expect(builder.field("Message")).toHaveValue("still needed");
  await expect(builder.lane("Small")).toContainText("Moved");
});

test("what both drafts changed of the flow itself is decided: an order, a lane, steps moved into each other, the trigger", async ({
  organization,
  openDraft,
}) => {
  const { admin, collaborator } = organization.as;
  const [one, two, three, inside] = ["One", "Two", "Three", "Inside"].map((name) => step(name, "log", { message: "-" })) as [Step, Step, Step, Step];
  const container = (name: string, lanes: string[], steps: string[] = []): Step => ({
    ...step(name, "branch", {}),
    lanes: lanes.map((lane) => ({ id: crypto.randomUUID(), name: lane, when: "true", steps })),
  });
  const [left, right] = [container("Left", ["In left"]), container("Right", ["In right"])];
  const sizes = container("By size", ["Large"], [inside.id]);
  const content = document("webhook", [one, two, three, left, right, sizes]);
  content.steps[inside.id] = inside;
  const { integration } = await publish(admin, await create(admin, "Conflicts of the flow", content));
  const start = (api: Api, title: string) => api.call<string>("start_draft", { integration, title });
  const [mine, other] = [await start(collaborator, "Mine"), await start(admin, "Say more")];
  const move = (step: Step, index: number) => ({ move: { step: step.id, to: { list: "flow", index } } });
  const into = (step: Step, at: Step) => ({ move: { step: step.id, to: { list: { lane: [at.id, at.lanes![0]!.id] }, index: 0 } } });
  const lane = { step: sizes.id, lane: sizes.lanes![0]!.id };
  const schedule = { kind: "schedule", config: { cron: "0 6 * * *", time_zone: "UTC" } };
  await save(collaborator, mine, [
    move(two, 0),
    into(left, right),
    { set_lane: { ...lane, name: "Large", when: "2 > 1" } },
    { set_trigger: { trigger: { kind: "manual", config: {} } } },
  ]);
  await save(admin, other, [move(three, 1), into(right, left), { delete_lane: lane }, { set_trigger: { trigger: schedule } }]);

  const builder = await openDraft(mine, "collaborator");
  const dialog = await builder.bringingIn("Say more");
  await expect(dialog.getByRole("heading", { name: "4 conflicts to decide" })).toBeVisible();
  const of = (name: string | RegExp) => dialog.getByRole("region", { name });
  const circle = of(/^Steps “(Left|Right)”, “(Left|Right)”: moved into each other$/);
  await expect(of("Order of the steps")).toContainText(
    "It was changed in this draft and in “Say more”, and both orders together are not possible.",
  );
  await expect(circle).toContainText(
    "Together, the moves in this draft and in “Say more” would put these steps into each other.",
  );
  await expect(of("Lane “Large” of “By size”: deleted or kept")).toContainText(
    "“Large” of “By size” was deleted in “Say more” and changed in this draft",
  );
  await expect(of("Trigger: kind")).toContainText("It was changed in this draft and, differently, in “Say more”.");
  await of("Order of the steps").getByRole("radio", { name: "Take that of “Say more”" }).check();
  await circle.getByRole("radio", { name: "Put them where “Say more” has them" }).check();
  await of("Lane “Large” of “By size”: deleted or kept").getByRole("radio", { name: "Keep it, as it is in this draft" }).check();
  await of("Trigger: kind").getByRole("radio", { name: "Take that of “Say more”" }).check();
  await dialog.getByRole("button", { name: "Bring in", exact: true }).click();
  await expect(dialog).toBeHidden();

  await expect(builder.trigger()).toHaveAccessibleName(/Schedule/);
  expect(await builder.order()).toEqual(["One", "Three", "Two", "Left", "By size"]);
  await expect(builder.lane("In left")).toContainText("Right");
  await expect(builder.lane("Large")).toContainText("Inside");
  await builder.saved();
});
