//! Bringing a draft up to date with what is live: what merges by itself, and what is to be decided.

mod conflict;
mod value;

use std::collections::BTreeMap;

use domain::draft::MergeBasis;
use domain::live::Changed;
use domain::merge::{Choice, Conflict, ConflictKey, Merged, Sides, merge, merge_with};
use leptos::ev::KeyboardEvent;
use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen::JsCast;
use web_sys::HtmlElement;

use super::super::api;
use super::Builder;
use crate::design::dialog::Dialog;
use crate::design::icon::Icon;
use crate::design::load::{Load, load, loaded};
use crate::design::toast;
use crate::{change, live, session};

/// Draws the dialog.
pub(super) fn dialog(builder: Builder, open: RwSignal<bool>) -> AnyView {
    let title = Signal::derive(move || {
        let live = builder.live_version.get();
        let live = live.map_or_else(|| "live".to_owned(), |number| format!("version {number}"));
        format!("Bring this draft up to date with {live}")
    });
    view! {
        <Dialog open=open title=title wide=true>
            {move || {
                // What is typed comes first: the merge is made from what the server has.
                if builder.saving.is_saved() {
                    body(builder).into_any()
                } else {
                    view! { <p class="loading" role="status">"Saving your edits first…"</p> }.into_any()
                }
            }}
        </Dialog>
    }
    .into_any()
}

fn body(builder: Builder) -> AnyView {
    let basis = load(None, move || Box::pin(api::merge_basis(builder.id)));
    live::use_changes(move |changed| match changed {
        Changed::Draft(id, _) if id == builder.id => basis.soon(),
        Changed::Integration(id) if id == builder.integration => basis.soon(),
        _ => {}
    });
    let decided = Decided {
        conflicts: StoredValue::new(Vec::new()),
        choices: RwSignal::new(BTreeMap::new()),
    };
    let content = loaded(basis, move |shown| {
        let drawn = move || merging(builder, basis, shown.get(), decided);
        drawn.into_any()
    });
    view! { <div class="merge-view">{content}</div> }.into_any()
}

/// The conflicts, as they are before any is decided, and what was decided. A handle.
#[derive(Clone, Copy)]
struct Decided {
    conflicts: StoredValue<Vec<Conflict>>,
    choices: RwSignal<BTreeMap<ConflictKey, Choice>>,
}

impl Decided {
    /// Takes new conflicts, after live or the draft moved on. What was decided still holds only
    /// where nothing else is to be decided now.
    fn renew(self, conflicts: Vec<Conflict>) {
        let known = self.conflicts.get_value();
        let is_same = |key: &ConflictKey| {
            let before = known.iter().find(|one| one.key == *key);
            before.is_some() && before == conflicts.iter().find(|one| one.key == *key)
        };
        self.choices
            .update(|choices| choices.retain(|key, _| is_same(key)));
        self.conflicts.set_value(conflicts);
    }
}

/// Returns where a conflict comes when one reads: the trigger and settings, then the steps of the
/// draft in order, then those that only live has.
fn place(conflict: &Conflict, basis: &MergeBasis) -> usize {
    let ConflictKey::Step { step, .. } = &conflict.key else {
        return 0;
    };
    let documents = [&basis.draft, &basis.live];
    let all = documents.iter().flat_map(|document| document.walk());
    all.zip(1..)
        .find_map(|((_, other), place)| (other.id == *step).then_some(place))
        .unwrap_or(usize::MAX)
}

/// What is merged. A handle.
#[derive(Clone, Copy)]
struct Merging {
    builder: Builder,
    basis: StoredValue<MergeBasis>,
    conflicts: StoredValue<Vec<Conflict>>,
    choices: RwSignal<BTreeMap<ConflictKey, Choice>>,
    merged: Memo<Merged>,
}

impl Merging {
    fn new(builder: Builder, basis: MergeBasis, decided: Decided) -> Self {
        let mut conflicts = merge(&basis.base, &basis.draft, &basis.live).conflicts;
        conflicts.sort_by_cached_key(|conflict| place(conflict, &basis));
        decided.renew(conflicts);
        let basis = StoredValue::new(basis);
        let Decided { conflicts, choices } = decided;
        let merged = Memo::new(move |_| {
            choices.with(|choices| {
                basis
                    .with_value(|basis| merge_with(&basis.base, &basis.draft, &basis.live, choices))
            })
        });
        Self {
            builder,
            basis,
            conflicts,
            choices,
            merged,
        }
    }

    /// Reads the documents with what they are called in a sentence.
    fn sides<T>(self, read: impl FnOnce(&Sides<'_>) -> T) -> T {
        self.basis.with_value(|basis| {
            read(&Sides {
                base: &basis.base,
                ours: &basis.draft,
                theirs: &basis.live,
                ours_name: "this draft",
                theirs_name: "live",
            })
        })
    }

    fn left(self) -> usize {
        self.merged.with(|merged| merged.conflicts.len())
    }

    fn choose(self, key: ConflictKey, choice: Choice) {
        self.choices.update(|choices| {
            choices.insert(key, choice);
        });
    }

    fn choose_all(self, choice: &Choice) {
        let keys = self
            .conflicts
            .with_value(|all| all.iter().map(|one| one.key.clone()).collect::<Vec<_>>());
        self.choices
            .set(keys.into_iter().map(|key| (key, choice.clone())).collect());
    }
}

fn merging(
    builder: Builder,
    load: Load<MergeBasis>,
    basis: MergeBasis,
    decided: Decided,
) -> AnyView {
    let (number, revision) = (basis.live_number, basis.revision);
    if basis.base_number == Some(number) {
        return view! {
            <p>{format!("The draft holds everything that version {number} has.")}</p>
            <div class="dialog-actions">
                <button type="button" class="button" on:click=move |_| builder.merging.set(false)>
                    "Close"
                </button>
            </div>
        }
        .into_any();
    }
    let from = basis.base_number.map_or_else(
        || "nothing".to_owned(),
        |number| format!("version {number}"),
    );
    let merging = Merging::new(builder, basis, decided);
    let brings = merging
        .basis
        .with_value(|basis| change::gist(&basis.base, &basis.live));
    let all = move || {
        merging
            .basis
            .with_value(|basis| change::change_view(&basis.base, &basis.live))
    };
    view! {
        <p>
            {format!(
                "Version {number} went live after this draft was started from {from}. What it changed comes into the draft; what only the draft changed stays.",
            )}
        </p>
        <section class="publish-part" aria-labelledby="merge-brings">
            <h3 id="merge-brings">"What live brings in"</h3>
            <div class="change-box">{brings} {change::folded("All that live changed", all)}</div>
        </section>
        {conflicts(merging)}
        {result(merging)}
        {actions(merging, load, number, revision)}
    }
    .into_any()
}

fn conflicts(merging: Merging) -> AnyView {
    let all = merging.conflicts.get_value();
    let count = all.len();
    if count == 0 {
        return view! {
            <p class="merge-clean">
                <Icon name="circle-check" />
                "Nothing conflicts: everything merges by itself."
            </p>
        }
        .into_any();
    }
    let progress = move || match (count - merging.left().min(count), count) {
        (decided, 1) => format!("{decided} of 1 decided"),
        (decided, count) => format!("{decided} of {count} decided"),
    };
    let every = (count > 1).then(|| {
        view! {
            <button
                type="button"
                class="button small"
                on:click=move |_| merging.choose_all(&Choice::Theirs)
            >
                "Take all from live"
            </button>
            <button
                type="button"
                class="button small"
                on:click=move |_| merging.choose_all(&Choice::Ours)
            >
                "Keep all of mine"
            </button>
        }
    });
    let drawn = all
        .into_iter()
        .enumerate()
        .map(|(index, one)| conflict::view(merging, index, one));
    let title = match count {
        1 => "1 conflict to decide".to_owned(),
        count => format!("{count} conflicts to decide"),
    };
    view! {
        <section class="publish-part" aria-labelledby="merge-conflicts" on:keydown=|event| walk(&event)>
            <div class="row">
                <h3 class="grow" id="merge-conflicts">
                    {title}
                </h3>
                <span class="quiet-text" role="status">
                    {progress}
                </span>
                {every}
            </div>
            <ol class="conflicts">{drawn.collect::<Vec<_>>()}</ol>
        </section>
    }
    .into_any()
}

/// What the draft becomes, as far as it is decided.
fn result(merging: Merging) -> AnyView {
    let differs = move || {
        merging.basis.with_value(|basis| {
            merging
                .merged
                .with(|merged| change::change_view(&basis.draft, &merged.document))
        })
    };
    let drawn = move || view! { {differs} }.into_any();
    change::folded("What changes in this draft", drawn)
}

fn actions(merging: Merging, load: Load<MergeBasis>, number: u32, revision: u32) -> AnyView {
    let builder = merging.builder;
    let is_busy = RwSignal::new(false);
    let fault = RwSignal::new(None::<String>);
    let why_not = move || match merging.left() {
        0 => None,
        1 => Some("1 conflict is still to be decided.".to_owned()),
        count => Some(format!("{count} conflicts are still to be decided.")),
    };
    let send = move |_| {
        is_busy.set(true);
        fault.set(None);
        let choices: Vec<_> = merging.choices.get_untracked().into_iter().collect();
        spawn_local(async move {
            let answer = api::bring_up_to_date(builder.id, revision, number, choices).await;
            is_busy.try_set(false);
            match answer {
                Ok(revision) => {
                    builder.merging.try_set(false);
                    toast::say(format!(
                        "The draft is up to date with version {number}, as revision {revision}."
                    ));
                    builder
                        .saving
                        .made(revision, "This draft is up to date with what is live.");
                    super::refresh_summary(builder);
                    super::review::refresh(builder);
                }
                Err(why) => {
                    session::notice(&why);
                    fault.try_set(Some(why.to_string()));
                    // Live or the draft moved on: then what is to be decided is something else.
                    load.again();
                }
            }
        });
    };
    view! {
        {move || fault.get().map(|fault| view! { <p class="form-problem" role="alert">{fault}</p> })}
        <p class="field-help">
            "It becomes a new revision of the draft. Approvals go on to count only if the draft does the same as before."
        </p>
        <div class="dialog-actions">
            <span class="publish-why" id="merge-why">
                {why_not}
            </span>
            <button type="button" class="button" on:click=move |_| builder.merging.set(false)>
                "Cancel"
            </button>
            <button
                type="button"
                class="button primary"
                aria-describedby="merge-why"
                prop:disabled=move || { is_busy.get() || merging.left() > 0 }
                on:click=send
            >
                {move || if is_busy.get() { "Merging…" } else { "Bring up to date" }}
            </button>
        </div>
    }
    .into_any()
}

/// Goes from conflict to conflict with j and k; within one, the arrow keys choose.
fn walk(event: &KeyboardEvent) {
    let is_text = event
        .target()
        .is_some_and(|target| target.dyn_ref::<web_sys::HtmlTextAreaElement>().is_some());
    let forward = match event.key().as_str() {
        _ if is_text || event.ctrl_key() || event.meta_key() || event.alt_key() => return,
        "j" => true,
        "k" => false,
        _ => return,
    };
    let Ok(all) = document().query_selector_all(".conflict") else {
        return;
    };
    let active = document().active_element();
    let count = all.length();
    let here = (0..count).find(|at| {
        let conflict = all.item(*at);
        conflict.is_some_and(|conflict| conflict.contains(active.as_deref()))
    });
    let next = match (here, forward) {
        (None, _) => 0,
        (Some(at), true) => at + 1,
        (Some(at), false) => at.saturating_sub(1),
    };
    let conflict = all
        .item(next)
        .and_then(|node| node.dyn_into::<web_sys::Element>().ok());
    let radio = conflict.and_then(|conflict| {
        let chosen = conflict.query_selector("input:checked").ok().flatten();
        chosen.or_else(|| conflict.query_selector("input").ok().flatten())
    });
    if let Some(radio) = radio.and_then(|radio| radio.dyn_into::<HtmlElement>().ok()) {
        event.prevent_default();
        let _ = radio.focus();
    }
}
