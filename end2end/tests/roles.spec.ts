// Who may do what: explained in the browser, refused by the server.
import { randomUUID } from "node:crypto";

import { Api } from "../fixtures/api.ts";
import { create, document, publish, step } from "../fixtures/document.ts";
import { contextOf, expect, join, PASSWORD, test } from "../fixtures/test.ts";

const note = () => document("webhook", [step("Note", "log", { message: "in" })]);

test("a Reader sees everything, and is told why nothing can be changed", async ({ organization, signedIn, openDraft }) => {
  const { admin } = organization.as;
  const manual = document("manual", [step("Note", "log", { message: "in" })]);
  const live = await publish(admin, await create(admin, "Seen by Readers", manual));
  const draft = await admin.call<string>("start_draft", { integration: live.integration, title: "Next" });
  const page = await signedIn("reader");

  await page.goto("/");
  await expect(page.getByRole("link", { name: "Seen by Readers" })).toBeVisible();
  const sentence = /Only Admins and Collaborators can create integrations\./;
  const make = page.getByRole("button", { name: "New integration" });
  await expect(make).toBeDisabled();
  await expect(make).toHaveAccessibleDescription(sentence);
  await page.goto("/new");
  await expect(page.getByText(sentence).first()).toBeVisible();

  await page.goto(`/integrations/${live.integration}`);
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Seen by Readers");
  const start = page.getByRole("button", { name: "Start a draft" });
  await expect(start).toBeDisabled();
  await expect(start).toHaveAccessibleDescription(/Only Admins and Collaborators can edit drafts\./);
  const run = page.getByRole("button", { name: "Run now" });
  await expect(run).toBeDisabled();
  await expect(run).toHaveAccessibleDescription(/Only Admins and Collaborators can run, enable or disable integrations\./);

  const builder = await openDraft(draft, "reader");
  await expect(builder.page.getByRole("status").filter({ hasText: "Only Admins and Collaborators can edit drafts." })).toBeVisible();
  await expect(builder.flow.getByRole("button", { name: /^Add a step/ })).toHaveCount(0);
  await builder.card("Note").click();
  await expect(builder.field("Message")).toBeDisabled();
  await builder.card("Note").press("Delete");
  await builder.card("Note").press("Alt+ArrowDown");
  await expect(builder.card("Note")).toBeVisible();
  const publishing = builder.page.getByRole("button", { name: "Publish", exact: true });
  await expect(publishing).toBeDisabled();
  await expect(publishing).toHaveAccessibleDescription("Only Admins and Collaborators can publish. Ask an Admin of your organization.");
  await builder.page.getByRole("button", { name: "Test", exact: true }).click();
  await expect(builder.testDrawer.getByRole("button", { name: "Run test" })).toBeDisabled();
  await expect(builder.testDrawer).toContainText("Only Admins and Collaborators can test drafts.");
});

test("the server refuses a Reader's calls, whatever the browser shows", async ({ organization }) => {
  const { admin, reader } = organization.as;
  const live = await publish(admin, await create(admin, "Guarded", note()));
  const draft = await admin.call<string>("start_draft", { integration: live.integration, title: "Next" });
  const save = { id: randomUUID(), expected: 1, edits: [] };
  const calls: [string, object][] = [
    ["create_integration", { name: "Mine", document: note() }],
    ["rename_integration", { id: live.integration, name: "Mine" }],
    ["set_enabled", { id: live.integration, enabled: false }],
    ["set_at_once", { id: live.integration, at_once: 1 }],
    ["set_paused", { id: live.integration, paused: true }],
    ["start_draft", { integration: live.integration, title: "Mine" }],
    ["save_draft", { id: draft, save }],
    ["rename_draft", { id: draft, title: "Mine" }],
    ["start_test", { id: draft, revision: 1, payload: {}, scope: "whole" }],
    ["publish", { id: draft, revision: 1, note: "", reason: null }],
    ["publish", { id: draft, revision: 1, note: "", reason: "I am in a hurry" }],
    ["create_review", { draft, title: "Mine", description: "", reviewers: [] }],
    ["bring_up_to_date", { id: draft, expected: 1, live: 1, choices: [] }],
    ["bring_in", { id: draft, expected: 1, from: draft, from_revision: 1, choices: [] }],
    ["roll_back_draft", { integration: live.integration, number: 1 }],
    ["roll_back", { integration: live.integration, number: 1, live: 1, reason: "Mine" }],
    ["set_policy", { integration: null, policy: { approvals: 0 } }],
    ["set_owners", { scope: { integration: live.integration }, owners: [] }],
    ["discard_draft", { id: draft }],
    ["invite", { role: "admin" }],
    ["set_network", { allowed: [] }],
  ];
  for (const [name, input] of calls) {
    const answer = await reader.ask(name, input);
    expect(answer.status, name).toBe(403);
    expect(answer.body.refused.message, name).toMatch(/^Only Admins( and Collaborators)? can .* Ask an Admin/);
    const nobody = await new Api(admin.url).ask(name, input);
    expect(nobody.status, `${name}, signed out`).toBe(401);
  }
  const after = await admin.call("read_integration", { id: live.integration });
  expect(after.summary).toMatchObject({ name: "Guarded", enabled: true });
});

test("a Reader sees which steps ran, but not what they received and sent", async ({ organization, signedIn }) => {
  const { admin } = organization.as;
  const set = step("Keep", "set", { values: { secret: "{{ trigger.body.secret }}" } });
  const live = await publish(admin, await create(admin, "Hidden payloads", document("webhook", [set])));
  await fetch(`${admin.url}${live.webhookPath}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: '{"secret": "not for Readers"}',
  });
  const filter = { integration: live.integration, state: "succeeded", before: null };
  await expect.poll(() => admin.call("runs", filter)).toHaveLength(1);
  const [run] = await admin.call<any[]>("runs", filter);
  expect(JSON.stringify(await admin.call("read_run", { id: run.id }))).toContain("not for Readers");
  expect(JSON.stringify(await organization.as.reader.call("read_run", { id: run.id }))).not.toContain("not for Readers");
  const page = await signedIn("reader");
  await page.goto(`/runs/${run.id}`);
  await expect(page.getByRole("main")).toContainText("Keep");
  await expect(page.getByRole("main")).toContainText("Only Admins and Collaborators can see what runs received and sent.");
  await expect(page.getByRole("main")).not.toContainText("not for Readers");
});

test("a Collaborator builds and publishes, but does not manage members or the network", async ({
  organization,
  signedIn,
}) => {
  const page = await signedIn("collaborator");
  await page.goto("/settings/members");
  await expect(page.getByRole("main")).toContainText("reader@example.com");
  const invite = page.getByRole("button", { name: "Invite" });
  await expect(invite).toBeDisabled();
  await expect(invite).toHaveAccessibleDescription(/Only Admins can manage members\./);
  await page.goto("/settings/network");
  await expect(page.getByRole("main")).toContainText("Only Admins can change network rules.");
  const members = await organization.as.collaborator.call<any[]>("members");
  const reader = members.find((member) => member.role === "reader");
  for (const [name, input] of [
    ["invite", { role: "admin" }],
    ["set_role", { account: reader.account, role: "admin" }],
    ["remove_member", { account: reader.account }],
    ["invitations", {}],
    ["set_network", { allowed: [] }],
  ] as const) {
    const answer = await organization.as.collaborator.ask(name, input);
    expect(answer.status, name).toBe(403);
    expect(answer.body.refused.message, name).toMatch(/^Only Admins can /);
  }
});

test("a removed member is signed out at once", async ({ browser, organization, signedIn }) => {
  const { admin } = organization.as;
  const leaver = await join(admin, "collaborator", "Test Leaver", "leaver@example.com");
  const context = await contextOf(browser, leaver);
  const theirs = await context.newPage();
  await theirs.goto("/");
  await expect(theirs.getByRole("heading", { level: 1 })).toBeVisible();

  const ours = await signedIn("admin");
  await ours.goto("/settings/members");
  const row = ours.getByRole("row", { name: /leaver@example\.com/ });
  await row.getByRole("button", { name: "Remove Test Leaver" }).click();
  await ours.getByRole("dialog", { name: "Remove Test Leaver?" }).getByRole("button", { name: "Remove", exact: true }).click();
  await expect(row).toBeHidden();

  expect((await leaver.ask("integrations")).status).toBe(401);
  await expect(theirs.getByRole("dialog", { name: "Sign in again" })).toBeVisible();
  await theirs.reload();
  await expect(theirs).toHaveURL(/\/sign-in/);
  const again = await new Api(admin.url).ask("sign_in", { email: "leaver@example.com", password: PASSWORD });
  expect(again.status).toBe(403);
  expect(again.body.refused.message).toBe("You are not a member of any organization. Ask an Admin for an invitation.");
  await context.close();
});

test("the last Admin stays one", async ({ organization }) => {
  const { admin } = organization.as;
  const me = await admin.call("who_am_i");
  for (const [name, input] of [
    ["set_role", { account: me.account, role: "reader" }],
    ["remove_member", { account: me.account }],
  ] as const) {
    const answer = await admin.ask(name, input);
    expect(answer.status, name).toBeGreaterThanOrEqual(400);
    expect(answer.body.refused.message, name).toMatch(/Admin/);
  }
  expect((await admin.call("who_am_i")).role).toBe("admin");
});
