// What requests keep to, and which hosts are down: an Admin sets the rules, everyone sees what they do.
import net from "node:net";

import { expectAccessible } from "../fixtures/axe.ts";
import { create, document, publish, step } from "../fixtures/document.ts";
import { expect, test } from "../fixtures/test.ts";

test("an Admin requires encryption and sets limits by keyboard, and who is none reads them", async ({
  organization,
  signedIn,
}) => {
  const page = await signedIn("admin");
  await page.goto("/settings/network");
  const section = page.getByRole("region", { name: "Outgoing requests" });
  await expect(section.getByRole("radio", { name: "Not required" })).toBeChecked();
  const atOnce = section.getByRole("textbox", { name: /^Requests at once to one host/ });
  await atOnce.fill("0");
  await page.keyboard.press("Enter");
  await expect(atOnce).toHaveAccessibleDescription(/from 1 to 1000, or nothing for no limit/);
  await expectAccessible(page, "outgoing-refused");

  await section.getByRole("radio", { name: "Not required" }).focus();
  await page.keyboard.press("ArrowDown");
  await expect(section.getByRole("radio", { name: /^Required, except/ })).toBeChecked();
  await atOnce.fill("4");
  await section.getByRole("textbox", { name: /^Requests a second to one host/ }).fill("20");
  await page.keyboard.press("Enter");
  await expect(page.getByText("The rules hold for the next request of each run.")).toBeVisible();
  const rules = { encryption: "public", at_once: 4, per_second: 20 };
  await expect.poll(() => organization.as.admin.call("read_outgoing")).toEqual(rules);
  await page.reload();
  await expect(section.getByRole("radio", { name: /^Required, except/ })).toBeChecked();
  await expect(atOnce).toHaveValue("4");

  const reader = await signedIn("reader");
  await reader.goto("/settings/network");
  const read = reader.getByRole("region", { name: "Outgoing requests" });
  await expect(read).toContainText("At most 4 requests at once to one host.");
  await expect(read).toContainText("Encryption: required, except for what is allowed above.");
  await expect(read.getByRole("button")).toHaveCount(0);
  await expectAccessible(reader, "outgoing-reader");
  const answer = await organization.as.reader.ask("set_outgoing", { rules: {} });
  expect(answer.status).toBe(403);
  await organization.as.admin.call("set_outgoing", { rules: {} });
});

test("a host that fails again and again is shown as down, also where its connection is", async ({
  organization,
  signedIn,
}) => {
  const { admin } = organization.as;
  // A port at which nobody listens.
  const closed = net.createServer();
  await new Promise<void>((done) => closed.listen(0, "127.0.0.1", done));
  const { port } = closed.address() as net.AddressInfo;
  await new Promise((done) => closed.close(done));
  await admin.call("set_network", { allowed: ["127.0.0.0/8"] });
  const origin = `http://127.0.0.1:${port}`;
  const form = { name: "Billing", kind: "bearer", names: [], origins: [origin], live: { set: ["a-token-of-theirs"] }, test: "keep" };
  await admin.call("create_connection", { form });
  const call = step("Call", "http.request", { method: "GET", url: `${origin}/` });
  const { integration } = await publish(admin, await create(admin, "Calls what is down", document("manual", [call])));
  for (let run = 0; run < 10; run += 1) {
    const started = await admin.call("start_manual", { id: integration, payload: {} });
    await expect.poll(async () => (await admin.call("read_run", { id: started })).summary.state).toBe("failed");
  }
  const page = await signedIn("collaborator");
  await page.goto("/settings/network");
  const section = page.getByRole("region", { name: "Hosts that are down" });
  await expect(section).toContainText(`127.0.0.1:${port}`);
  await expect(section).toContainText("Failed 10 times in a row; the last time, it could not be reached.");
  await expectAccessible(page, "hosts-down");
  await page.goto("/settings/connections");
  const line = page.getByRole("listitem").filter({ has: page.getByRole("heading", { name: "Billing" }) });
  await expect(line).toContainText(`127.0.0.1:${port} is down since`);
  await expectAccessible(page, "connection-down");

  // It is up again, and a probe finds out.
  const open = net.createServer((socket) => {
    socket.once("data", () => socket.end("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"));
  });
  await new Promise<void>((done) => open.listen(port, "127.0.0.1", done));
  await expect(async () => {
    const started = await admin.call("start_manual", { id: integration, payload: {} });
    await expect.poll(async () => (await admin.call("read_run", { id: started })).summary.state).toMatch(/failed|succeeded/);
    expect((await admin.call("read_run", { id: started })).summary.state).toBe("succeeded");
  }).toPass();
  await expect(line).not.toContainText("is down since");
  await page.goto("/settings/network");
  await expect(section).toContainText("All hosts answer, as far as requests have shown.");
  await new Promise((done) => open.close(done));
});
