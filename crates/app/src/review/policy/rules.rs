//! The rules in plain words: to set, and in one line to read.

use domain::review::Policy;
use domain::review::policy::APPROVALS_MAX;
use leptos::prelude::*;

use crate::design::field::{Field, described};
use crate::design::unique;

/// A rule that holds or does not.
struct Rule {
    title: &'static str,
    help: &'static str,
    /// In one line, when it holds.
    short: &'static str,
    get: fn(&Policy) -> bool,
    set: fn(&mut Policy, bool),
}

const RULES: [Rule; 6] = [
    Rule {
        title: "Someone else must approve",
        help: "Whoever saved the draft counts as its author and cannot approve it. Otherwise authors may approve their own work.",
        short: "by someone else",
        get: |policy| !policy.authors_may_approve,
        set: |policy, is| policy.authors_may_approve = !is,
    },
    Rule {
        title: "An edit makes approvals stale",
        help: "An approval counts for the behaviour that was looked at. Another name or note leaves it as it is.",
        short: "stale after an edit",
        get: |policy| policy.edits_make_stale,
        set: |policy, is| policy.edits_make_stale = is,
    },
    Rule {
        title: "All threads must be resolved",
        help: "Each question is answered or settled before the draft goes live.",
        short: "all threads resolved",
        get: |policy| policy.threads_resolved,
        set: |policy, is| policy.threads_resolved = is,
    },
    Rule {
        title: "A test must have passed",
        help: "A test of the whole draft succeeded on exactly the revision that is published.",
        short: "tested",
        get: |policy| policy.test_passed,
        set: |policy, is| policy.test_passed = is,
    },
    Rule {
        title: "Readers may decide when they are asked by name",
        help: "Otherwise Readers look and comment, and their verdict does not count.",
        short: "Readers decide when asked",
        get: |policy| policy.readers_decide,
        set: |policy, is| policy.readers_decide = is,
    },
    Rule {
        title: "Collaborators may publish without approval",
        help: "With a reason that is recorded and shown. Admins may in any case.",
        short: "Collaborators may publish without approval",
        get: |policy| policy.collaborators_override,
        set: |policy, is| policy.collaborators_override = is,
    },
];

/// Returns a policy in one line.
pub(super) fn summary(policy: &Policy) -> String {
    let first = match policy.approvals {
        0 => "No approval needed".to_owned(),
        1 => "1 approval".to_owned(),
        count => format!("{count} approvals"),
    };
    let rest = RULES.iter().filter(|rule| (rule.get)(policy));
    // Who approves, and until when that holds, means nothing where nobody has to.
    let rest = rest.skip(if policy.approvals == 0 { 2 } else { 0 });
    let parts: Vec<_> = std::iter::once(first)
        .chain(rest.map(|rule| rule.short.to_owned()))
        .collect();
    parts.join(" · ")
}

/// Draws the fields of a policy.
pub(super) fn form(policy: RwSignal<Policy>, may_manage: Signal<bool>) -> AnyView {
    let check = move |rule: &'static Rule| {
        let id = unique("rule");
        view! {
            <div class="rule">
                <input
                    type="checkbox"
                    id=id.clone()
                    aria-describedby=format!("{id}-help")
                    prop:checked=move || policy.with(rule.get)
                    prop:disabled=move || !may_manage.get()
                    on:change=move |event| {
                        let is = event_target_checked(&event);
                        policy.update(|policy| (rule.set)(policy, is));
                    }
                />
                <div>
                    <label for=id.clone()>{rule.title}</label>
                    <p class="field-help" id=format!("{id}-help")>
                        {rule.help}
                    </p>
                </div>
            </div>
        }
        .into_any()
    };
    view! {
        {approvals(policy, may_manage)}
        <div class="rules">{RULES.iter().map(check).collect::<Vec<_>>()}</div>
    }
    .into_any()
}

fn approvals(policy: RwSignal<Policy>, may_manage: Signal<bool>) -> AnyView {
    let id = unique("approvals");
    let option = move |count: u8| {
        let words = match count {
            0 => "None: no review is needed to publish".to_owned(),
            1 => "1 person".to_owned(),
            count => format!("{count} people"),
        };
        view! {
            <option
                value=count.to_string()
                prop:selected=move || policy.with(|policy| policy.approvals == count)
            >
                {words}
            </option>
        }
    };
    let choose = move |event| {
        if let Ok(count) = event_target_value(&event).parse() {
            policy.update(|policy| policy.approvals = count);
        }
    };
    view! {
        <Field
            id=id.clone()
            label="Approvals needed"
            help="So many people must approve what is there at the moment of publishing."
            required=true
        >
            <select
                id=id.clone()
                class="input approvals"
                aria-describedby=described(&id)
                prop:disabled=move || !may_manage.get()
                on:change=choose
            >
                {(0..=APPROVALS_MAX).map(option).collect::<Vec<_>>()}
            </select>
        </Field>
    }
    .into_any()
}
