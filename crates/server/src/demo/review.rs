//! The reviews of the demo: those that its live versions went through, and one that is open, with
//! threads and a suggestion to try.

use domain::DraftId;
use domain::change::{Field, Target};
use domain::review::thread::NewThread;
use domain::review::{Anchor, Verdict};
use serde_json::json;
use store::Store;

use super::People;

/// Asks for a review of a draft and approves it, as two people.
pub(super) async fn approved(
    store: &Store,
    people: &People,
    draft: DraftId,
    revision: u32,
) -> Result<(), store::Error> {
    let People {
        admin,
        collaborator,
        ..
    } = people;
    let asked = [collaborator.account];
    let review = store
        .create_review(admin, draft, "First version", "", &asked)
        .await?;
    let message = "Tried it with the examples; it does what it says.";
    store
        .submit_review(collaborator, review, revision, Verdict::Approve, message)
        .await
}

/// Opens a review of a draft that the Admin wrote.
pub(super) async fn open(
    store: &Store,
    people: &People,
    draft: DraftId,
    title: &str,
) -> Result<(), store::Error> {
    let People {
        admin,
        collaborator,
        reader,
    } = people;
    let description = "The answer to the shop says whether somebody has to approve the order, so \
        that the shop can tell its customer.\n\nOrders of **500 or more** need an approval; \
        nothing else changes.";
    let asked = [collaborator.account, reader.account];
    let review = store
        .create_review(admin, draft, title, description, &asked)
        .await?;
    let page = store.review(collaborator, review, None).await?;
    let revision = page.summary.revision;
    let on_draft = |body: &str| NewThread {
        anchor: Anchor {
            target: None,
            field: None,
            entry: None,
            range: None,
        },
        on_base: false,
        revision,
        body: body.to_owned(),
        suggestion: None,
        is_pending: false,
    };
    let question = on_draft("Does the shop read this field already, or must we wait for them?");
    let thread = store.start_thread(reader, review, question).await?;
    let answer = "They ignore what they do not know, so we can go first.";
    store
        .reply_in_thread(admin, thread, answer, None, false)
        .await?;
    let content = page.documents.map(|documents| documents.draft);
    let Some(step) = content
        .as_ref()
        .and_then(|draft| draft.step_by_slug("answer_the_shop"))
    else {
        return Ok(());
    };
    let better = NewThread {
        anchor: Anchor {
            target: Some(Target::Step(step.id)),
            field: Some(Field::config("json")),
            entry: None,
            range: None,
        },
        suggestion: Some(json!(
            r#"{"order": {{ steps.order.id }}, "shipment": {{ steps.create_shipment.body.id }}, "approval": {"needed": {{ steps.order.total >= 500 }}, "from": 500}}"#
        )),
        ..on_draft("Let us say from which total on, too. Then the shop need not know our limit.")
    };
    store.start_thread(collaborator, review, better).await?;
    Ok(())
}
