//! What a step's connector declares: what is sent, and bringing it up to date.

use domain::StepId;
use domain::connector::Declared;
use domain::edit::Edit;
use domain::live::Changed;
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::super::selection::Selection;
use super::Builder;
use crate::connector::api;
use crate::connector::known;
use crate::live;

/// Draws which connector the step's action is of, what it sends, and what is newer.
pub(super) fn view(builder: Builder, id: StepId, declared: Declared) -> AnyView {
    let newest = RwSignal::new(None::<Declared>);
    let of = StoredValue::new(declared.clone());
    let ask = move || {
        let (connector, action) =
            of.with_value(|of| (of.connector().to_owned(), of.operation().key.clone()));
        spawn_local(async move {
            // Without an answer, or when the connector is gone, the step stays as it is.
            let answer = known::declared(connector, action).await.ok();
            newest.try_set(answer);
        });
    };
    ask();
    live::use_changes(move |changed| {
        if changed == Changed::Organization {
            ask();
        }
    });
    let newer = Memo::new(move |_| {
        let newest = newest.get()?;
        of.with_value(|of| *of != newest).then_some(newest)
    });
    let source = format!("{} {}", declared.title(), declared.version());
    view! {
        <p class="declared-line">
            <span class="quiet-text">{source.trim().to_owned()}</span>
            " "
            <code>{declared.line()}</code>
        </p>
        <details class="panel-more">
            <summary>"What is sent"</summary>
            <pre class="declared-told">{declared.told()}</pre>
        </details>
        {move || newer.get().map(|newest| update(builder, id, newest))}
    }
    .into_any()
}

/// Offers the newer declaration, for the step or for all steps of the connector.
fn update(builder: Builder, id: StepId, newest: Declared) -> AnyView {
    let title = newest.title().to_owned();
    let connector = newest.connector().to_owned();
    let one = move |_| {
        let action = Some(newest.clone());
        let done = builder.editor.act(Edit::SetAction { step: id, action });
        told(builder, id, done.map(|()| 1));
    };
    let all = move |_| {
        let connector = connector.clone();
        spawn_local(async move {
            let done = update_all(builder, &connector).await;
            told(builder, id, done);
        });
    };
    view! {
        <div class="declared-newer" role="status">
            <p>"There is a newer declaration of this action."</p>
            <div class="declared-acts">
                <button type="button" class="button" on:click=one>"Update the step"</button>
                <button type="button" class="button" on:click=all>
                    {format!("Update all steps of {title}")}
                </button>
            </div>
        </div>
    }
    .into_any()
}

/// Gives all steps of a connector what it declares now, as one act; returns how many had another
/// declaration.
async fn update_all(builder: Builder, connector: &str) -> Result<usize, String> {
    let steps: Vec<(StepId, Declared)> = builder.editor.read(|document| {
        let of = document.steps.values().filter_map(|step| {
            let declared = step.action.as_ref()?;
            (declared.connector() == connector).then(|| (step.id, declared.clone()))
        });
        of.collect()
    });
    let mut edits = Vec::new();
    for part in steps.chunks(domain::connector::WANTED) {
        let wanted = part.iter().map(|(_, declared)| {
            (
                declared.connector().to_owned(),
                declared.operation().key.clone(),
            )
        });
        let answer = api::declarations(wanted.collect()).await;
        let answer = answer.map_err(|fault| fault.to_string())?;
        for ((step, declared), newest) in part.iter().zip(answer) {
            if let Some(newest) = newest.filter(|newest| newest != declared) {
                edits.push(Edit::SetAction {
                    step: *step,
                    action: Some(newest),
                });
            }
        }
    }
    let count = edits.len();
    if count > 0 {
        builder.editor.act(Edit::Batch { edits })?;
    }
    Ok(count)
}

/// Says what was done; the form was made anew, so that the focus goes to the step's card.
fn told(builder: Builder, id: StepId, done: Result<usize, String>) {
    match done {
        Ok(1) => builder.announce("Step updated."),
        Ok(count) => builder.announce(format!("{count} steps updated.")),
        Err(why) => return builder.explain(Err(why)),
    }
    builder.go_to(Selection::Step(id));
}
