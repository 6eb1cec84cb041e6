// A connector from its file to a run: imported by an Admin, used in a step by a Collaborator, sent
// as it says, imported again, taken over in the builder, and told in the review.
import type { Locator } from "@playwright/test";
import { expectAccessible } from "../fixtures/axe.ts";
import { create, document, publish, step } from "../fixtures/document.ts";
import { expect, test } from "../fixtures/test.ts";

/** A connector as a file; `more` are further fields of its action. */
function file(base: string, version: string, more: Record<string, unknown> = {}): string {
  const places = { city: { in: "body", name: "/address/city" } };
  return JSON.stringify({
    form: 1,
    key: "parcels",
    title: "Parcel desk",
    description: "Sends parcels.",
    version,
    base,
    docs: "Ask the **warehouse** for a token.",
    actions: [
      {
        key: "send",
        title: "Send a parcel",
        description: "Hands a parcel over to the carrier.",
        method: "POST",
        path: "/orders/{order}/parcels",
        body: "json",
        places,
        input: {
          type: "object",
          required: ["order", "city"],
          properties: { order: { type: "string" }, city: { type: "string" }, fast: { type: "boolean" }, ...more },
        },
      },
      { key: "list", title: "List parcels", description: "Returns all parcels.", method: "GET", path: "/parcels" },
    ],
  });
}

/** The middle of something, for the mouse. */
async function middle(of: Locator): Promise<{ x: number; y: number }> {
  const box = (await of.boundingBox())!;
  return { x: box.x + box.width / 2, y: box.y + box.height / 2 };
}

test("a connector is imported, used, imported again, taken over and told in the review", async ({
  organization,
  openDraft,
  signedIn,
  target,
}) => {
  const { admin } = organization.as;
  const base = target.url("/shop").replace(/\/$/, "");
  target.answer("/shop/orders/A%2F7/parcels", 201, { id: "P1" });

  const page = await signedIn("admin");
  await page.goto("/settings/connectors");
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Connectors");
  const begin = async (text: string) => {
    await page.getByRole("button", { name: "Import a connector" }).click();
    const dialog = page.getByRole("dialog", { name: "Import a connector" });
    await dialog.getByLabel("A file or text").check();
    await dialog.getByLabel("Text", { exact: true }).fill(text);
    await dialog.getByRole("button", { name: "Show what it brings" }).click();
    return dialog;
  };

  await test.step("an Admin is told what is wrong, sees what it brings, and imports it", async () => {
    const dialog = await begin(file("http://example.com", "1.0"));
    await expect(dialog.getByRole("alert")).toContainText("base: Use https");
    await dialog.getByLabel("Base address").fill(base);
    await dialog.getByLabel("Text", { exact: true }).fill(file(base, "1.0"));
    await dialog.getByRole("button", { name: "Show what it brings" }).click();
    await expect(dialog.getByRole("list", { name: "Actions (2)" })).toContainText("Send a parcel");
    await expectAccessible(page, "connector-preview");
    await dialog.getByRole("button", { name: "Import", exact: true }).click();
    await expect(dialog).toBeHidden();
    await expect(page.getByRole("list", { name: "Connectors" })).toContainText("2 actions");
    await expectAccessible(page, "connectors");
  });

  await test.step("its page shows its actions", async () => {
    await page.getByRole("link", { name: "Parcel desk" }).click();
    await expect(page.getByRole("heading", { level: 1 })).toHaveText("Parcel desk");
    await page.getByLabel("Search the actions").fill("carrier");
    await expect(page.getByRole("list", { name: "Actions" }).getByRole("listitem")).toHaveCount(1);
    await expect(page.getByRole("list", { name: "Actions" })).toContainText("POST /orders/{order}/parcels");
    await expectAccessible(page, "connector");
  });

  let integration = "";
  const draft = await create(admin, "Parcels", document("webhook", []));
  const builder = await openDraft(draft);
  await test.step("a Collaborator finds the action among the steps and fills in its form", async () => {
    await builder.addAction("Send a parcel");
    await builder.select("Send a parcel");
    await builder.field("Order").fill("A/7");
    await builder.field("City").fill("Bern");
    await builder.field("Fast").selectOption("Yes");
    await expect(builder.page.getByText(`POST ${base}/orders/{order}/parcels`).first()).toBeVisible();
    await builder.saved();
    await expectAccessible(builder.page, "step-of-connector");
  });

  await test.step("a run sends the request that the connector declares, and shows it", async () => {
    const published = await publish(admin, draft);
    integration = published.integration;
    const headers = { "content-type": "application/json" };
    const answer = await fetch(`${admin.url}${published.webhookPath}`, { method: "POST", body: "{}", headers });
    const { run } = await answer.json();
    await expect.poll(() => target.at("/shop/orders/A%2F7/parcels").length).toBe(1);
    const sent = target.at("/shop/orders/A%2F7/parcels")[0]!;
    expect(sent.body).toEqual({ address: { city: "Bern" }, fast: true });
    await page.goto(`/runs/${run}`);
    await expect(page.getByRole("main")).toContainText("Succeeded");
    await page.getByRole("button", { name: /Send a parcel/ }).first().click();
    await expect(page.getByRole("main")).toContainText(`${base}/orders/A%2F7/parcels`);
  });

  await test.step("imported again, it says what changes and whom it touches", async () => {
    await page.goto("/settings/connectors");
    const dialog = await begin(file(base, "2.0", { note: { type: "string" } }));
    await expect(dialog.getByRole("list", { name: "Changed actions" })).toContainText("Send a parcel");
    await expect(dialog.getByRole("link", { name: "Parcels" })).toBeVisible();
    await dialog.getByRole("button", { name: "Import", exact: true }).click();
    await expect(dialog).toBeHidden();
  });

  const next = await admin.call<string>("start_draft", { integration, title: "With a note" });
  const second = await openDraft(next);
  await test.step("the builder offers the newer declaration and takes it", async () => {
    await second.select("Send a parcel");
    await second.page.getByRole("button", { name: "Update the step" }).click();
    await second.select("Send a parcel");
    await second.field("Note").fill("By the door");
    await expect(second.page.getByRole("button", { name: "Update the step" })).toBeHidden();
    await second.saved();
  });

  await test.step("the review tells that the request is declared otherwise", async () => {
    const fields = { draft: next, title: "A note", description: "", reviewers: [] };
    const review = await admin.call<string>("create_review", fields);
    await page.goto(`/reviews/${review}`);
    await expect(page.getByRole("main")).toContainText("Request");
    await expect(page.getByRole("main")).toContainText("By the door");
    await expectAccessible(page, "review-of-connector");
  });
});

test("an action of a connector is dragged out of the picker, and the list is as long as it is useful", async ({
  organization,
  openDraft,
}) => {
  const { admin } = organization.as;
  const bring = async (key: string, titles: string[]) => {
    const actions = titles.map((title) => ({ key: title, title, method: "GET", path: `/${title.length}` }));
    const text = JSON.stringify({ form: 1, key, title: `Desk ${key}`, base: "https://api.example.com", actions });
    const fields = { source: { text: { text, name: "desk.json" } }, base: null };
    const { digest } = await admin.call<{ digest: string }>("preview_connector", fields);
    await admin.call("import_connector", { ...fields, digest });
  };
  await bring("parcels", ["Weigh a parcel", ...Array.from({ length: 80 }, (_, at) => `Letter ${at}`)]);
  const draft = await create(admin, "Dragged", document("webhook", [step("One", "log", { message: "one" })]));
  const builder = await openDraft(draft);
  const { page } = builder;
  const box = page.getByRole("combobox", { name: "Search for a step" });
  const asked: string[] = [];

  await test.step("a step is dropped where it is let go", async () => {
    const to = await middle(builder.flow.getByRole("button", { name: "Add a step after One", exact: true }));
    await builder.flow.getByRole("button", { name: "Add a step at the start", exact: true }).click();
    await box.fill("weigh");
    const from = await middle(page.getByRole("option", { name: /Weigh a parcel/ }));
    await page.mouse.move(from.x, from.y);
    await page.mouse.down();
    await page.mouse.move(from.x + 10, from.y);
    await expect(page.getByRole("dialog", { name: "Add a step" })).toBeHidden();
    await page.mouse.move(to.x, to.y, { steps: 3 });
    await expect(page.locator(".drag-ghost")).toHaveText("Weigh a parcel");
    await page.mouse.up();
    await expect.poll(() => builder.order()).toEqual(["One", "Weigh a parcel"]);
    await expect(builder.card("Weigh a parcel")).toBeFocused();
    await builder.saved();
  });

  await test.step("what is not listed is counted, and nothing is asked for again", async () => {
    page.on("request", (request) => asked.push(request.url()));
    await builder.flow.getByRole("button", { name: "Add a step at the start", exact: true }).click();
    await box.fill("letter");
    await expect(page.getByRole("option", { name: /Letter/ })).toHaveCount(50);
    await expect(page.getByText("… and 30 more. Go on typing.")).toBeVisible();
    await expectAccessible(page, "picker-with-actions");
    await box.fill("letter 79");
    await expect(page.getByText(/more. Go on typing/)).toBeHidden();
    expect(asked.filter((url) => url.endsWith("/api/connector_actions"))).toHaveLength(0);
    await page.keyboard.press("Escape");
  });

  await test.step("what is imported meanwhile is there the next time", async () => {
    await bring("stamps", ["Stamp a letter"]);
    await expect(async () => {
      await builder.flow.getByRole("button", { name: "Add a step at the start", exact: true }).click();
      await box.fill("stamp a");
      const isThere = page.getByRole("option", { name: /Stamp a letter/ });
      await expect(isThere).toBeVisible({ timeout: 1_000 }).finally(() => page.keyboard.press("Escape"));
    }).toPass();
  });
});

test("the connector pages fit a phone and the dark theme", async ({ organization, signedIn }) => {
  const { admin } = organization.as;
  const source = { ours: "github" };
  const preview = await admin.call<{ digest: string }>("preview_connector", { source, base: null });
  await admin.call("import_connector", { source, base: null, digest: preview.digest });
  const page = await signedIn("admin");
  await page.setViewportSize({ width: 390, height: 844 });
  await page.emulateMedia({ colorScheme: "dark" });
  for (const [path, heading] of [["/settings/connectors", "Connectors"], ["/settings/connectors/github", "GitHub"]] as const) {
    await page.goto(path);
    await expect(page.getByRole("heading", { level: 1 })).toHaveText(heading);
    await expect(page.getByRole("main")).toContainText("GitHub");
    const wider = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    expect(wider, path).toBe(0);
    await expectAccessible(page, `dark-${heading}`);
    if (process.env.SLUICE_SHOTS !== undefined) {
      await page.screenshot({ path: `${process.env.SLUICE_SHOTS}/${heading}.png`, fullPage: false });
    }
  }
});

test("a preview that is late does not come into the dialog that was opened after it", async ({ signedIn }) => {
  const page = await signedIn("admin");
  let answer = () => {};
  const answered = new Promise<void>((done) => (answer = done));
  let asked = 0;
  await page.route("**/api/preview_connector", async (route) => {
    asked += 1;
    if (asked === 1) await answered;
    await route.continue();
  });
  await page.goto("/settings/connectors");
  const dialog = page.getByRole("dialog", { name: "Import a connector" });
  const text = dialog.getByLabel("Text", { exact: true });
  const look = async (version: string) => {
    await page.getByRole("button", { name: "Import a connector" }).click();
    await expect(dialog.getByLabel("Sluice: one of ours")).toBeChecked();
    await dialog.getByLabel("A file or text").check();
    await expect(text).toHaveValue("");
    await text.fill(file("https://api.example.com", version));
    await dialog.getByRole("button", { name: "Show what it brings" }).click();
  };

  await look("7.0");
  await expect(dialog.getByRole("button", { name: "Show what it brings" })).toHaveAttribute("aria-disabled", "true");
  await dialog.getByRole("button", { name: "Cancel" }).click();
  await expect(dialog).toBeHidden();
  await look("8.0");
  await expect(dialog.getByRole("heading", { name: "Parcel desk 8.0" })).toBeVisible();

  const late = page.waitForResponse("**/api/preview_connector");
  answer();
  await (await late).finished();
  await dialog.getByRole("button", { name: "Import", exact: true }).click();
  await expect(dialog).toBeHidden();
  await expect(page.getByRole("list", { name: "Connectors" })).toContainText("8.0");
});
