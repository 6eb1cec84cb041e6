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
use crate::design::more::More;
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
        <More class="panel-more" summary=|| "What is sent">
            <pre class="declared-told">{of.with_value(Declared::told)}</pre>
        </More>
        {move || newer.get().map(|newest| update(builder, id, newest))}
    }
    .into_any()
}

/// Offers the newer declaration, for the step or for all steps of the connector.
fn update(builder: Builder, id: StepId, newest: Declared) -> AnyView {
    let title = newest.title().to_owned();
    let connector = newest.connector().to_owned();
    let one = move |_| {
        let edits = updated(builder, id, newest.clone());
        let done = builder.editor.act(Edit::Batch { edits });
        told(builder, id, done.map(|()| 1));
    };
    let all = move |_| {
        let connector = connector.clone();
        spawn_local(async move {
            let done = update_all(builder, &connector).await;
            if !builder.summary.is_disposed() {
                told(builder, id, done);
            }
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

/// Returns what gives a step a newer declaration: what it says to fields that there are no more goes,
/// too, as nothing in the form would show it.
fn updated(builder: Builder, id: StepId, newest: Declared) -> Vec<Edit> {
    let gone: Vec<String> = builder.editor.read(|document| {
        let step = document.steps.get(&id);
        let names = step.into_iter().flat_map(|step| step.config.keys());
        let input = &newest.action().input;
        names
            .filter(|name| input.field(name).is_none())
            .cloned()
            .collect()
    });
    let action = Some(newest);
    let gone = gone.into_iter().map(|field| Edit::SetField {
        step: id,
        field,
        value: None,
    });
    std::iter::once(Edit::SetAction { step: id, action })
        .chain(gone)
        .collect()
}

/// Gives all steps of a connector what it declares now, as one act; returns how many had another
/// declaration.
async fn update_all(builder: Builder, connector: &str) -> Result<usize, String> {
    let steps: Vec<(StepId, Declared)> = builder.editor.read(|document| {
        let of = document.steps.values().filter_map(|step| {
            let declared = step.declared()?;
            (declared.connector() == connector).then(|| (step.id, declared.clone()))
        });
        of.collect()
    });
    let (mut edits, mut count) = (Vec::new(), 0);
    for part in steps.chunks(domain::connector::WANTED) {
        let wanted = part.iter().map(|(_, declared)| {
            (
                declared.connector().to_owned(),
                declared.operation().key.clone(),
            )
        });
        let answer = api::declarations(wanted.collect()).await;
        // The builder may be gone by now.
        if builder.summary.is_disposed() {
            return Ok(0);
        }
        let answer = answer.map_err(|fault| fault.to_string())?;
        for ((step, declared), newest) in part.iter().zip(answer) {
            if let Some(newest) = newest.filter(|newest| newest != declared) {
                edits.extend(updated(builder, *step, newest));
                count += 1;
            }
        }
    }
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
