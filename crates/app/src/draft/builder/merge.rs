//! Bringing a draft up to date with what is live, or another draft into it: what merges by itself,
//! and what is to be decided.

mod choose;
mod conflict;
mod value;

use std::collections::BTreeMap;

use domain::DraftId;
use domain::draft::{MergeBasis, MergeSource};
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

/// What is being merged into the draft.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MergeWith {
    /// What is live.
    Live,
    /// Another draft, which is chosen first.
    Draft(Option<DraftId>),
}

/// Draws the dialog.
pub(super) fn dialog(builder: Builder, open: RwSignal<bool>) -> AnyView {
    let title = Signal::derive(move || {
        if builder.merging_with.get() != MergeWith::Live {
            return "Bring in another draft".to_owned();
        }
        let live = builder.live_version.get();
        let live = live.map_or_else(|| "live".to_owned(), |number| format!("version {number}"));
        format!("Bring this draft up to date with {live}")
    });
    view! {
        <Dialog open=open title=title wide=true>
            {move || {
                // What is typed comes first: the merge is made from what the server has.
                if !builder.saving.is_saved() {
                    return view! { <p class="loading" role="status">"Saving your edits first…"</p> }
                        .into_any();
                }
                match builder.merging_with.get() {
                    MergeWith::Live => body(builder, None),
                    MergeWith::Draft(None) => choose::view(builder),
                    MergeWith::Draft(from) => body(builder, from),
                }
            }}
        </Dialog>
    }
    .into_any()
}

fn body(builder: Builder, from: Option<DraftId>) -> AnyView {
    let basis = load(None, move || Box::pin(api::merge_basis(builder.id, from)));
    live::use_changes(move |changed| match changed {
        Changed::Draft(id, _) if id == builder.id || Some(id) == from => basis.soon(),
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
    /// Takes new conflicts, after one side moved on. What was decided still holds only
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
/// draft in order, then those that only the other side has.
fn place(conflict: &Conflict, basis: &MergeBasis) -> usize {
    let ConflictKey::Step { step, .. } = &conflict.key else {
        return 0;
    };
    let documents = [&basis.draft, &basis.theirs];
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
        let mut conflicts = merge(&basis.base, &basis.draft, &basis.theirs).conflicts;
        conflicts.sort_by_cached_key(|conflict| place(conflict, &basis));
        decided.renew(conflicts);
        let basis = StoredValue::new(basis);
        let Decided { conflicts, choices } = decided;
        let merged = Memo::new(move |_| {
            choices.with(|choices| {
                basis.with_value(|basis| {
                    merge_with(&basis.base, &basis.draft, &basis.theirs, choices)
                })
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
                theirs: &basis.theirs,
                ours_name: "this draft",
                theirs_name: &them(&basis.source),
            })
        })
    }

    /// Returns words with what the other side is called behind.
    fn takes(self, words: &str) -> String {
        let them = self.basis.with_value(|basis| them(&basis.source));
        format!("{words} {them}")
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

/// Returns what the other side is called in a sentence.
fn them(source: &MergeSource) -> String {
    match source {
        MergeSource::Live(_) => "live".to_owned(),
        MergeSource::Draft { title, .. } => format!("“{title}”"),
    }
}

fn merging(
    builder: Builder,
    load: Load<MergeBasis>,
    basis: MergeBasis,
    decided: Decided,
) -> AnyView {
    let source = basis.source.clone();
    if basis.is_merged() {
        let holds = match &source {
            MergeSource::Live(number) => {
                format!("The draft holds everything that version {number} has.")
            }
            MergeSource::Draft { title, .. } => {
                format!("The draft holds everything that “{title}” has.")
            }
        };
        return view! {
            <p>{holds}</p>
            <div class="dialog-actions">
                {other(builder)}
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
    let words = match &source {
        MergeSource::Live(number) => format!(
            "Version {number} went live after this draft was started from {from}. What it changed comes into the draft; what only the draft changed stays."
        ),
        MergeSource::Draft { title, .. } => format!(
            "What was changed in “{title}” comes into this draft; what only this draft changed stays. “{title}” itself stays as it is. Whoever wrote it counts as an author of this draft, too."
        ),
    };
    let heading = format!("What {} brings in", them(&source));
    let changed = match &source {
        MergeSource::Live(_) => "All that live changed",
        MergeSource::Draft { .. } => "All that the other draft changed",
    };
    let merging = Merging::new(builder, basis, decided);
    let brings = merging
        .basis
        .with_value(|basis| change::gist(&basis.base, &basis.theirs));
    let all = move || {
        merging
            .basis
            .with_value(|basis| change::change_view(&basis.base, &basis.theirs))
    };
    view! {
        <p>{words}</p>
        <section class="publish-part" aria-labelledby="merge-brings">
            <h3 id="merge-brings">{heading}</h3>
            <div class="change-box">{brings} {change::folded(changed, all)}</div>
        </section>
        {conflicts(merging)}
        {result(merging)}
        {actions(merging, load, source)}
    }
    .into_any()
}

/// Draws the button that leads back to the choice of another draft.
fn other(builder: Builder) -> AnyView {
    let is_chosen = matches!(
        builder.merging_with.get_untracked(),
        MergeWith::Draft(Some(_))
    );
    is_chosen
        .then(|| {
            view! {
                <button
                    type="button"
                    class="button quiet"
                    on:click=move |_| builder.merging_with.set(MergeWith::Draft(None))
                >
                    <Icon name="arrow-left" />
                    "Another draft"
                </button>
                <span class="grow"></span>
            }
        })
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
                {merging.takes("Take all from")}
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
            <div class="row conflicts-head">
                <h3 id="merge-conflicts">
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

fn actions(merging: Merging, load: Load<MergeBasis>, source: MergeSource) -> AnyView {
    let builder = merging.builder;
    let revision = merging.basis.with_value(|basis| basis.revision);
    let act = match &source {
        MergeSource::Live(_) => "Bring up to date",
        MergeSource::Draft { .. } => "Bring in",
    };
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
        let source = source.clone();
        spawn_local(async move {
            let answer = match &source {
                MergeSource::Live(number) => {
                    api::bring_up_to_date(builder.id, revision, *number, choices).await
                }
                MergeSource::Draft {
                    id, revision: from, ..
                } => api::bring_in(builder.id, revision, *id, *from, choices).await,
            };
            is_busy.try_set(false);
            match answer {
                Ok(revision) => {
                    builder.merging.try_set(false);
                    let (said, note) = done(&source, revision);
                    toast::say(said);
                    builder.saving.made(revision, note);
                    super::refresh_summary(builder);
                    super::review::refresh(builder);
                }
                Err(why) => {
                    session::notice(&why);
                    fault.try_set(Some(why.to_string()));
                    // One of the two moved on: then what is to be decided is something else.
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
            {other(builder)}
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
                {move || if is_busy.get() { "Merging…" } else { act }}
            </button>
        </div>
    }
    .into_any()
}

/// Returns what is said after a merge: at once, and beside the save state.
fn done(source: &MergeSource, revision: u32) -> (String, &'static str) {
    match source {
        MergeSource::Live(number) => (
            format!("The draft is up to date with version {number}, as revision {revision}."),
            "This draft is up to date with what is live.",
        ),
        MergeSource::Draft { title, .. } => (
            format!("“{title}” is in this draft now, as revision {revision}."),
            "This draft holds another one now.",
        ),
    }
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
