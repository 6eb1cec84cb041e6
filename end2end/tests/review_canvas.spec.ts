// The changes on the flow itself: its size by buttons and by keys.
import { create, document, publish, save, setField, step } from "../fixtures/document.ts";
import { ReviewPage } from "../fixtures/review.ts";
import { expect, test } from "../fixtures/test.ts";

test("the flow of a review is drawn larger, smaller, and so that all of it is seen", async ({ organization, signedIn }) => {
  const { admin, collaborator } = organization.as;
  const steps = Array.from({ length: 20 }, (_, at) => step(`Step ${at + 1}`, "log", { message: "one" }));
  const { integration } = await publish(admin, await create(admin, "Tall", document("manual", steps)));
  await admin.call("set_policy", { integration, policy: {} });
  const draft = await collaborator.call<string>("start_draft", { integration, title: "Say two" });
  await save(collaborator, draft, [setField(steps[19]!, "message", "two")]);
  const fields = { draft, title: "Say two", description: "", reviewers: [] };
  const review = new ReviewPage(await signedIn("admin"));
  await review.open(await collaborator.call<string>("create_review", fields));
  await review.page.getByRole("button", { name: "Canvas" }).click();
  const flow = review.page.getByRole("group", { name: "Flow" });
  const last = flow.getByRole("button", { name: /Step 20/ });
  await expect(last).not.toBeInViewport();
  const tools = review.page.getByRole("group", { name: "Size", exact: true });
  await tools.getByRole("button", { name: "Fit the flow into the view" }).click();
  await expect(last).toBeInViewport();
  await tools.getByRole("button", { name: /show full size/ }).click();
  await expect(tools.getByRole("button", { name: "100 %, show full size" })).toBeVisible();

  await flow.focus();
  await review.page.keyboard.press("-");
  await expect(tools.getByRole("button", { name: "83 %, show full size" })).toBeVisible();
  await review.page.keyboard.press("Shift+Digit1");
  await expect(last).toBeInViewport();
  await last.click();
  await expect(review.card("Step 20")).toContainText("Modified");
});
