// The addresses that people pass on: those at which others reach the server.
import { Builder } from "../fixtures/builder.ts";
import { create, document, publish, step } from "../fixtures/document.ts";
import { Server } from "../fixtures/server.ts";
import { contextOf, expect, setUp, test, watched } from "../fixtures/test.ts";

const PUBLIC = "http://sluice.example.com";

test("addresses are shown as others reach them, wherever the page itself is open", async ({ browser }) => {
  const server = await Server.start(PUBLIC);
  try {
    const api = (await setUp(server)).as.admin;
    await api.call("set_policy", { integration: null, policy: { approvals: 0 } });
    const note = document("webhook", [step("Note", "log", { message: "m" })]);
    const draft = await create(api, "Addresses", note);
    const context = await contextOf(browser, api);
    const page = watched(await context.newPage());

    const builder = new Builder(page);
    await builder.open(draft);
    await page.getByRole("button", { name: "Test", exact: true }).click();
    const caught = builder.testDrawer.getByRole("region", { name: "Caught events" });
    await expect(caught.getByRole("code")).toHaveText(new RegExp(`^${PUBLIC}/catch/`));

    const { integration } = await publish(api, draft);
    await page.goto(`/integrations/${integration}`);
    await expect(page.getByText(new RegExp(`^${PUBLIC}/hooks/`))).toBeVisible();

    await page.goto("/settings/members");
    await page.getByRole("button", { name: "Invite" }).click();
    const dialog = page.getByRole("dialog", { name: "Invite someone" });
    await dialog.getByRole("button", { name: "Make a link" }).click();
    await expect(dialog.getByRole("code")).toHaveText(new RegExp(`^${PUBLIC}/invitation/`));
    await context.close();
  } finally {
    await server.remove();
  }
});
