//! The dialog that asks for a review: what it is about, and who shall look.

use domain::account::check_name;
use domain::review::Person;
use domain::{Document, ReviewId};
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::super::Builder;
use crate::design::copy::copy_button;
use crate::design::dialog::Dialog;
use crate::design::field::TextField;
use crate::design::icon::Icon;
use crate::design::load::load;
use crate::design::markdown::MarkdownEditor;
use crate::design::people::PeoplePicker;
use crate::{change, member, review, session};

/// Draws the dialog.
pub(in super::super) fn dialog(builder: Builder, open: RwSignal<bool>) -> AnyView {
    let made = RwSignal::new(None::<ReviewId>);
    let title = Signal::derive(move || {
        if made.get().is_some() {
            "The draft is in review"
        } else {
            "Create a review"
        }
        .to_owned()
    });
    Effect::new(move || {
        if open.get() {
            made.set(None);
        }
    });
    view! {
        <Dialog open=open title=title wide=true>
            {move || match made.get() {
                Some(id) => done(id, open),
                None => form(builder, open, made),
            }}
        </Dialog>
    }
    .into_any()
}

fn done(id: ReviewId, open: RwSignal<bool>) -> AnyView {
    let origin = window().location().origin().unwrap_or_default();
    let address = super::address(id);
    let link = format!("{origin}{address}");
    crate::design::focus_soon("open-review");
    view! {
        <p>"Whoever you asked is told. You can go on editing: each save becomes a new revision in the review."</p>
        <div class="code-box">
            <code>{link.clone()}</code>
            {copy_button(link, "Copy the link")}
        </div>
        <div class="dialog-actions">
            <button type="button" class="button" on:click=move |_| open.set(false)>
                "Go on editing"
            </button>
            <a class="button primary" id="open-review" href=address>
                "Open review"
            </a>
        </div>
    }
    .into_any()
}

/// What is typed.
#[derive(Clone, Copy)]
struct Form {
    title: RwSignal<String>,
    description: RwSignal<String>,
    reviewers: RwSignal<Vec<Person>>,
    title_problem: RwSignal<Option<String>>,
    fault: RwSignal<Option<String>>,
    is_busy: RwSignal<bool>,
}

impl Form {
    fn send(self, builder: Builder, made: RwSignal<Option<ReviewId>>) {
        if self.is_busy.get_untracked() || !untrack(|| builder.saving.is_saved()) {
            return;
        }
        let title = match self.title.with_untracked(|title| check_name(title)) {
            Ok(title) => title,
            Err(refusal) => {
                self.title_problem.set(Some(refusal.to_string()));
                return;
            }
        };
        self.title_problem.set(None);
        self.is_busy.set(true);
        let description = self.description.get_untracked();
        let reviewers = self.reviewers.get_untracked();
        let reviewers = reviewers.into_iter().map(|person| person.account).collect();
        spawn_local(async move {
            let answer =
                review::api::create_review(builder.id, title, description, reviewers).await;
            self.is_busy.try_set(false);
            match answer {
                Ok(id) => {
                    made.try_set(Some(id));
                    super::refresh(builder);
                    super::super::refresh_summary(builder);
                }
                Err(fault) => {
                    session::notice(&fault);
                    // Someone else may have asked for one in the meantime.
                    super::refresh(builder);
                    self.fault.try_set(Some(fault.to_string()));
                }
            }
        });
    }
}

fn form(builder: Builder, open: RwSignal<bool>, made: RwSignal<Option<ReviewId>>) -> AnyView {
    let form = Form {
        title: RwSignal::new(
            builder
                .summary
                .with_untracked(|summary| summary.title.clone()),
        ),
        description: RwSignal::new(String::new()),
        reviewers: RwSignal::new(Vec::new()),
        title_problem: RwSignal::new(None),
        fault: RwSignal::new(None),
        is_busy: RwSignal::new(false),
    };
    let members = others();
    let words = move || {
        if form.is_busy.get() {
            "Creating…"
        } else if builder.saving.is_saved() {
            "Create review"
        } else {
            "Saving…"
        }
    };
    view! {
        <form
            class="stack"
            novalidate
            on:submit=move |event| {
                event.prevent_default();
                form.send(builder, made);
            }
        >
            {what_changes(builder)}
            {problems(builder)}
            <TextField label="Title" value=form.title problem=form.title_problem autofocus=true />
            <MarkdownEditor
                value=form.description
                label="Description"
                optional=true
                members=members
                rows=6
                placeholder="What changes and why, and what reviewers should look at."
                submit=Callback::new(move |()| form.send(builder, made))
            />
            <PeoplePicker
                label="Reviewers"
                members=members
                chosen=form.reviewers
                placeholder="Anyone; type a name to ask someone"
                help="They are told, and it is their turn. With nobody named, anyone may look."
            />
            {move || form.fault.get().map(|fault| view! { <p class="form-problem" role="alert">{fault}</p> })}
            <div class="dialog-actions">
                <button type="button" class="button" on:click=move |_| open.set(false)>
                    "Cancel"
                </button>
                <button
                    type="submit"
                    class="button primary"
                    prop:disabled=move || form.is_busy.get() || !builder.saving.is_saved()
                >
                    {words}
                </button>
            </div>
        </form>
    }
    .into_any()
}

/// Returns all members but the reader, as those who can be asked.
fn others() -> Signal<Vec<Person>> {
    let members = load(None, || Box::pin(member::api::members()));
    let me = session::use_me();
    Signal::derive(move || {
        let me = me.with(|me| me.as_ref().map(|me| me.account));
        let all = members.value.get().unwrap_or_default();
        let others = all.into_iter().filter(|member| Some(member.account) != me);
        let person = |member: domain::account::Member| Person {
            account: member.account,
            name: member.name,
        };
        others.map(person).collect()
    })
}

/// What reviewers will see as changed.
fn what_changes(builder: Builder) -> AnyView {
    let gist = move || match builder.summary.with(|summary| summary.base) {
        None => Some(builder.editor.read(first_version)),
        Some(_) => builder.ahead.compare(builder, change::gist),
    };
    view! { <div class="change-box">{gist}</div> }.into_any()
}

/// Says how large a first version is.
pub(in super::super) fn first_version(document: &Document) -> AnyView {
    let text = match document.steps.len() {
        1 => "The first version: 1 step".to_owned(),
        count => format!("The first version: {count} steps"),
    };
    view! { <p class="change-summary">{text}</p> }.into_any()
}

fn problems(builder: Builder) -> impl IntoView {
    move || {
        let text = match builder.editor.problems().len() {
            0 => return None,
            1 => "The draft has 1 problem. It can be reviewed, but not published before the problem is mended.".to_owned(),
            count => format!("The draft has {count} problems. It can be reviewed, but not published before they are mended."),
        };
        Some(view! {
            <p class="notice warning">
                <Icon name="alert" />
                <span>{text}</span>
            </p>
        })
    }
}
