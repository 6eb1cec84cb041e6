//! The dialog that submits a review: verdict, message, and all pending comments at once.

use domain::review::{Facts, Refusal, Review, Verdict, decide};
use domain::{ThreadId, review};
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::super::api;
use super::compare::{Point, Span};
use super::desk::Desk;
use super::spot::Purpose;
use super::{composer, link, thread_box};
use crate::design::dialog::Dialog;
use crate::design::markdown::MarkdownEditor;
use crate::design::{toast, unique};
use crate::fault::Fault;
use crate::session;

/// Draws the dialog.
pub(super) fn dialog(desk: Desk) -> AnyView {
    let open = desk.dialogs.finish;
    view! {
        <Dialog open=open title="Finish your review" wide=true>
            {move || open.get().then(|| untrack(|| body(desk)))}
        </Dialog>
    }
    .into_any()
}

/// What is being submitted. A handle.
#[derive(Clone, Copy)]
struct Submission {
    desk: Desk,
    verdict: RwSignal<Verdict>,
    message: RwSignal<String>,
    /// The revision that was on screen when the dialog opened.
    looked_at: u32,
    fault: RwSignal<Option<String>>,
    /// Whether the draft moved meanwhile.
    has_moved: RwSignal<bool>,
    is_busy: RwSignal<bool>,
}

fn body(desk: Desk) -> AnyView {
    let writing = desk.unsent.writing(&Purpose::Summary);
    let submission = Submission {
        desk,
        verdict: RwSignal::new(Verdict::Comment),
        message: RwSignal::from(writing.text),
        looked_at: desk.review.with_untracked(|review| review.summary.revision),
        fault: RwSignal::new(None),
        has_moved: RwSignal::new(false),
        is_busy: RwSignal::new(false),
    };
    let message = submission.message;
    Effect::new(move || {
        message.track();
        desk.unsent.keep();
    });
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        submission.send();
    };
    let members = desk.part(|review| review.members.clone());
    let moved = move || submission.has_moved.get().then(|| moved(submission));
    let is_busy = submission.is_busy;
    view! {
        <form class="stack" novalidate on:submit=submit>
            <MarkdownEditor
                value=message
                label="Message"
                members=members
                optional=true
                rows=4
                autofocus=true
                submit=Callback::new(move |()| submission.send())
            />
            {verdicts(submission)} {pending(desk)} {moved}
            <p class="form-problem" role="alert">
                {move || submission.fault.get()}
            </p>
            <div class="dialog-actions">
                <button
                    type="button"
                    class="button"
                    on:click=move |_| desk.dialogs.finish.set(false)
                >
                    "Cancel"
                </button>
                <button
                    type="submit"
                    class="button primary"
                    class:danger=move || submission.verdict.get() == Verdict::Reject
                    aria-disabled=move || is_busy.get().to_string()
                >
                    {move || action(submission.verdict.get())}
                </button>
            </div>
        </form>
    }
    .into_any()
}

const fn action(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Comment => "Submit comments",
        Verdict::Approve => "Approve",
        Verdict::Reject => "Reject",
    }
}

/// Returns what the rules look at, as far as the page knows it: enough to say who may decide.
fn facts(review: &Review) -> Facts {
    let me = session::use_me().get_untracked();
    let asked = review.asked.iter();
    let roles = asked
        .clone()
        .filter_map(|a| Some((a.person.account, a.role?)));
    let mine = me.map(|me| (me.account, me.role));
    Facts {
        policy: review.policy.clone(),
        owners: Vec::new(),
        authors: review.authors.iter().map(|p| p.account).collect(),
        roles: roles.chain(mine).collect(),
        asked: asked.map(|a| a.person.account).collect(),
        in_review: review.summary.state == review::ReviewState::Open,
        decisions: review.decisions.clone(),
        revision: review.summary.revision,
        fingerprint: review.fingerprint.clone(),
        open_threads: review.summary.open_threads,
        tested: None,
        problems: 0,
        base: review.base,
        live: review.live,
    }
}

/// Returns why the reader cannot give a verdict, if so.
fn refusal(desk: Desk, verdict: Verdict) -> Option<Refusal> {
    let me = session::use_me().get()?;
    let check =
        |review: &Review| decide::check_verdict(me.role, me.account, verdict, &facts(review)).err();
    desk.review.with(check)
}

fn verdicts(submission: Submission) -> AnyView {
    let name = unique("verdict");
    let desk = submission.desk;
    let option = |(verdict, title, help): (Verdict, &'static str, &'static str)| {
        let refused = Memo::new(move |_| refusal(desk, verdict).map(|refusal| refusal.to_string()));
        let id = unique("verdict");
        let reason = format!("{id}-reason");
        view! {
            <div class="verdict" data-verdict=verdict.key()>
                <input
                    type="radio"
                    id=id.clone()
                    name=name.clone()
                    prop:checked=move || submission.verdict.get() == verdict
                    disabled=move || refused.get().is_some()
                    aria-describedby=reason.clone()
                    on:change=move |_| submission.verdict.set(verdict)
                />
                <div>
                    <label for=id.clone()>{title}</label>
                    <p class="quiet-text" id=reason>
                        {move || refused.get().unwrap_or_else(|| help.to_owned())}
                    </p>
                </div>
            </div>
        }
    };
    let options = [
        (
            Verdict::Comment,
            "Comment",
            "Say something without deciding.",
        ),
        (Verdict::Approve, "Approve", "The changes may be published."),
        (
            Verdict::Reject,
            "Reject",
            "Send it back; say what must change.",
        ),
    ];
    view! {
        <fieldset class="verdicts">
            <legend class="visually-hidden">"Verdict"</legend>
            {options.map(option).into_iter().collect::<Vec<_>>()}
        </fieldset>
    }
    .into_any()
}

/// Draws the comments that will be sent along.
fn pending(desk: Desk) -> AnyView {
    let lines = Memo::new(move |_| {
        let waiting = |id: ThreadId| {
            let thread = desk.threads.get(id)?;
            thread.with(|thread| {
                let place = desk.place_of(thread);
                let waiting = thread.comments.iter().filter(|c| c.is_pending);
                let bodies: Vec<String> = waiting.map(|c| c.body.clone()).collect();
                (!bodies.is_empty()).then(|| (id, composer::place_name(desk, &place), bodies))
            })
        };
        let all = desk.threads.all().into_iter();
        all.filter_map(|(id, _)| waiting(id)).collect::<Vec<_>>()
    });
    let line = move |(id, place, bodies): (ThreadId, String, Vec<String>)| {
        let go = move |_| {
            desk.dialogs.finish.set(false);
            link::scroll_to(thread_box::element_id(id));
        };
        let texts = bodies.into_iter().map(|body| {
            let body = if body.is_empty() {
                "A suggested value".to_owned()
            } else {
                body
            };
            view! { <span class="pending-text">{body}</span> }
        });
        view! {
            <li>
                <button type="button" class="note-link" on:click=go>
                    {place}
                </button>
                {texts.collect::<Vec<_>>()}
            </li>
        }
    };
    view! {
        {move || {
            let lines = lines.get();
            let count = lines.iter().map(|(.., bodies)| bodies.len()).sum::<usize>();
            (count > 0)
                .then(|| {
                    let words = if count == 1 {
                        "1 pending comment is sent along".to_owned()
                    } else {
                        format!("{count} pending comments are sent along")
                    };
                    view! {
                        <section class="pending-list">
                            <h3>{words}</h3>
                            <ul>{lines.into_iter().map(line).collect::<Vec<_>>()}</ul>
                        </section>
                    }
                })
        }}
    }
    .into_any()
}

/// Draws that the draft is another one than was looked at, with the way to what changed.
fn moved(submission: Submission) -> AnyView {
    let desk = submission.desk;
    let span = Span {
        from: Point::Revision(submission.looked_at),
        to: Point::Now,
    };
    let show = move |_| {
        desk.dialogs.finish.set(false);
        desk.links.go(&desk.links.of_span(span));
    };
    view! {
        <div class="notice warning" role="alert">
            <p class="grow">
                {format!(
                    "The draft was edited since revision {}, which you looked at. Nothing was submitted; what you wrote is kept.",
                    submission.looked_at,
                )}
            </p>
            <button type="button" class="button" on:click=show>
                "Show what changed"
            </button>
        </div>
    }
    .into_any()
}

impl Submission {
    fn send(self) {
        if self.is_busy.get_untracked() {
            return;
        }
        let (desk, verdict) = (self.desk, self.verdict.get_untracked());
        let message = self.message.get_untracked();
        let is_empty = message.trim().is_empty();
        let why = if verdict == Verdict::Reject && is_empty {
            Some(Refusal::MessageMissing)
        } else if verdict == Verdict::Comment && is_empty && desk.threads.pending() == 0 {
            Some(Refusal::NothingToSay)
        } else {
            refusal(desk, verdict)
        };
        if let Some(why) = why {
            self.fault.set(Some(why.to_string()));
            return;
        }
        self.fault.set(None);
        self.has_moved.set(false);
        self.is_busy.set(true);
        let looked_at = self.looked_at;
        spawn_local(async move {
            let answer = api::submit_review(desk.id, looked_at, verdict, message).await;
            self.is_busy.try_set(false);
            match answer {
                Ok(()) => {
                    desk.unsent.close(&Purpose::Summary);
                    desk.dialogs.finish.try_set(false);
                    toast::say(match verdict {
                        Verdict::Comment => "Your comments are sent.",
                        Verdict::Approve => "Approved.",
                        Verdict::Reject => "Sent back with your feedback.",
                    });
                }
                Err(Fault::Refused { code, .. }) if code == "review/moved" => {
                    self.has_moved.try_set(true);
                }
                Err(fault) => {
                    session::notice(&fault);
                    self.fault.try_set(Some(fault.to_string()));
                }
            }
            desk.again();
        });
    }
}
