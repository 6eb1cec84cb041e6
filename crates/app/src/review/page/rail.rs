//! Beside the changes: whose turn it is, who was asked and what they say, what must be true to
//! publish.

use domain::AccountId;
use domain::draft::DraftState;
use domain::policy::Act;
use domain::review::{Check, CheckState, Decision, Person, Review, ReviewState, Turn, Verdict};
use leptos::prelude::*;

use super::super::{api, checks};
use super::desk::Desk;
use crate::design::action::refusal;
use crate::design::icon::Icon;
use crate::design::time::Ago;
use crate::design::toast;

/// Draws the column.
pub(super) fn view(desk: Desk) -> AnyView {
    view! {
        <aside class="review-rail" aria-label="State of the review">
            {turns(desk)} {reviewers(desk)} {submit_checks(desk)}
        </aside>
    }
    .into_any()
}

fn turns(desk: Desk) -> AnyView {
    let turns = desk.part(|review| review.summary.turns.clone());
    let is_anyones = desk.part(|review| {
        review.asked.is_empty() && review.summary.draft_state == DraftState::InReview
    });
    let line = move |turn: Turn| {
        let is_me = desk.is_me(&turn.person);
        let name = if is_me {
            "You".to_owned()
        } else {
            turn.person.name.clone()
        };
        let why = turn.why.title();
        let why = if is_me {
            in_second_person(why)
        } else {
            why.to_owned()
        };
        view! {
            <li>
                <strong>{name}</strong>
                " "
                {why}
                <span class="quiet-text">
                    " · "
                    <Ago at=turn.since />
                </span>
            </li>
        }
    };
    let content = move || {
        let turns = turns.get();
        if turns.is_empty() {
            let words = match (desk.is_open(), is_anyones.get()) {
                (true, true) => "Anyone's who may decide and did not edit the draft.",
                (true, false) => "Nobody has to do anything now.",
                (false, _) => "This review is over.",
            };
            return view! { <p class="quiet-text">{words}</p> }.into_any();
        }
        view! { <ul class="turns">{turns.into_iter().map(line).collect::<Vec<_>>()}</ul> }
            .into_any()
    };
    view! {
        <section aria-labelledby="turn">
            <h2 id="turn">"Whose turn"</h2>
            {content}
        </section>
    }
    .into_any()
}

/// Returns a reason of [`domain::review::turn::Why`] as it is said to whom it is about.
fn in_second_person(why: &str) -> String {
    let verbs = [("was ", "were "), ("has ", "have "), ("owns ", "own ")];
    let found = verbs
        .iter()
        .find_map(|(third, second)| Some((second, why.strip_prefix(third)?)));
    found.map_or_else(|| why.to_owned(), |(verb, rest)| format!("{verb}{rest}"))
}

/// Where someone stands who was asked or decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stand {
    Approved,
    ApprovedEarlier,
    Rejected,
    RejectedEarlier,
    Commented,
    Waiting,
}

impl Stand {
    fn of(review: &Review, account: AccountId) -> Self {
        let mut own = review.decisions.iter().rev();
        let of = |d: &&Decision| d.by.account == account;
        let decided = own.find(|d| of(d) && d.verdict != Verdict::Comment);
        let is_fresh =
            |d: &Decision| !review.policy.edits_make_stale || d.fingerprint == review.fingerprint;
        match decided {
            Some(d) if d.verdict == Verdict::Approve && is_fresh(d) => Stand::Approved,
            Some(d) if d.verdict == Verdict::Approve => Stand::ApprovedEarlier,
            Some(d) if is_fresh(d) => Stand::Rejected,
            Some(_) => Stand::RejectedEarlier,
            None if review.decisions.iter().any(|d| of(&d)) => Stand::Commented,
            None => Stand::Waiting,
        }
    }

    /// Returns the look of its badge, its icon and its words.
    const fn badge(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Stand::Approved => ("badge good", "circle-check", "Approved"),
            Stand::ApprovedEarlier => ("badge", "history", "Approved, stale"),
            Stand::Rejected => ("badge bad", "circle-x", "Asked for changes"),
            Stand::RejectedEarlier => ("badge", "history", "Asked for changes, since edited"),
            Stand::Commented => ("badge info", "message", "Commented"),
            Stand::Waiting => ("badge warning", "hourglass", "Waiting"),
        }
    }
}

/// Returns everyone who was asked, then everyone who decided unasked.
fn stands(review: &Review) -> Vec<(Person, Stand)> {
    let mut people: Vec<Person> = review.asked.iter().map(|a| a.person.clone()).collect();
    for decision in &review.decisions {
        if !people.iter().any(|p| p.account == decision.by.account) {
            people.push(decision.by.clone());
        }
    }
    let stand = |person: Person| {
        let stand = Stand::of(review, person.account);
        (person, stand)
    };
    people.into_iter().map(stand).collect()
}

fn reviewers(desk: Desk) -> AnyView {
    let stands = desk.part(stands);
    let has_asked = desk.part(|review| !review.asked.is_empty());
    let refused = refusal(Act::CreateReview);
    let may_ask = move || desk.is_open() && refused.get().is_none();
    let line = |(person, stand): (Person, Stand)| {
        let (class, icon, words) = stand.badge();
        view! {
            <li>
                <span class="grow">{person.name}</span>
                <span class=class>
                    <Icon name=icon />
                    {words}
                </span>
            </li>
        }
    };
    let content = move || {
        let stands = stands.get();
        if stands.is_empty() {
            let words = "Nobody was asked by name.";
            return view! { <p class="quiet-text">{words}</p> }.into_any();
        }
        view! { <ul class="reviewers">{stands.into_iter().map(line).collect::<Vec<_>>()}</ul> }
            .into_any()
    };
    view! {
        <section aria-labelledby="reviewers">
            <div class="rail-head">
                <h2 id="reviewers">"Reviewers"</h2>
                {move || {
                    may_ask()
                        .then(|| {
                            view! {
                                {move || has_asked.get().then(|| ask_again(desk))}
                                <button
                                    type="button"
                                    class="button quiet small"
                                    on:click=move |_| desk.dialogs.ask.set(true)
                                >
                                    <Icon name="user-plus" />
                                    "Ask"
                                </button>
                            }
                        })
                }}
            </div>
            {content}
        </section>
    }
    .into_any()
}

/// Draws the button that asks the same people again, for what is there now.
fn ask_again(desk: Desk) -> AnyView {
    let ask = move |_| {
        let asked = desk.review.with_untracked(|review| {
            let asked = review.asked.iter();
            asked.map(|asked| asked.person.account).collect()
        });
        desk.act(api::ask_reviewers(desk.id, asked), || {
            toast::say("Asked again.");
        });
    };
    view! {
        <button type="button" class="button quiet small" on:click=ask>
            "Ask again"
        </button>
    }
    .into_any()
}

fn submit_checks(desk: Desk) -> AnyView {
    let checks = desk.part(|review| (review.checks.clone(), review.summary.state));
    let content = move || {
        let (checks, state) = checks.get();
        let (apart, rest): (Vec<Check>, Vec<Check>) = checks
            .into_iter()
            .partition(|check| matches!(check.state, CheckState::NotApplicable { .. }));
        let count = apart.len();
        let heading = if state == ReviewState::Open {
            "To publish"
        } else {
            "Checks when it ended"
        };
        let words = if count == 1 {
            "1 check does not apply".to_owned()
        } else {
            format!("{count} checks do not apply")
        };
        view! {
            <h2 id="checks">{heading}</h2>
            {checks::list(&rest)}
            {(count > 0)
                .then(|| {
                    view! {
                        <details class="checks-apart">
                            <summary>{words}</summary>
                            {checks::list(&apart)}
                        </details>
                    }
                })}
        }
    };
    view! {
        <section aria-labelledby="checks">{content}</section>
    }
    .into_any()
}
