//! The saves of the draft under review: who, when, how much; each to be compared.

use domain::review::RevisionLine;
use leptos::prelude::*;

use super::compare::{Point, Span};
use super::desk::Desk;
use crate::design::time::Ago;

/// Draws the tab.
pub(super) fn view(desk: Desk) -> AnyView {
    let lines = desk.part(|review| (review.revisions.clone(), review.summary.revision));
    let content = move || {
        let (lines, now) = lines.get();
        if lines.is_empty() {
            return view! {
                <p class="empty boxed">"Nothing was saved yet: the draft is as it was started."</p>
            }
            .into_any();
        }
        let lines = lines.into_iter().map(|revision| line(desk, revision, now));
        view! {
            <div class="table cards">
                <table>
                    <thead>
                        <tr>
                            <th scope="col">"Revision"</th>
                            <th scope="col">"By"</th>
                            <th scope="col">"When"</th>
                            <th scope="col" class="number">
                                "Edits"
                            </th>
                            <th scope="col">
                                <span class="visually-hidden">"Compare"</span>
                            </th>
                        </tr>
                    </thead>
                    <tbody>{lines.collect::<Vec<_>>()}</tbody>
                </table>
            </div>
        }
        .into_any()
    };
    view! {
        <section aria-labelledby="revisions">
            <h2 id="revisions">"Revisions"</h2>
            {content}
        </section>
    }
    .into_any()
}

fn line(desk: Desk, revision: RevisionLine, now: u32) -> AnyView {
    let number = revision.revision;
    let own = Span {
        from: Point::Revision(number.saturating_sub(1)),
        to: if number == now {
            Point::Now
        } else {
            Point::Revision(number)
        },
    };
    let since = Span {
        from: Point::Revision(number),
        to: Point::Now,
    };
    let by = match &revision.suggested_by {
        Some(who) => format!("{}, suggested by {}", revision.by.name, who.name),
        None => revision.by.name.clone(),
    };
    let edits = if revision.edits == 1 {
        "1 edit".to_owned()
    } else {
        format!("{} edits", revision.edits)
    };
    view! {
        <tr>
            <td>
                <strong>{format!("Revision {number}")}</strong>
                {(number == now).then(|| view! { " " <span class="badge info plain">"now"</span> })}
            </td>
            <td>{by}</td>
            <td>
                <Ago at=revision.at />
            </td>
            <td class="number">{edits}</td>
            <td class="end">
                <a href=desk.links.of_span(own) aria-label=format!("What it changed, revision {number}")>
                    "What it changed"
                </a>
                {(number < now)
                    .then(|| {
                        view! {
                            " · "
                            <a
                                href=desk.links.of_span(since)
                                aria-label=format!("Since then, revision {number}")
                            >
                                "Since then"
                            </a>
                        }
                    })}
            </td>
        </tr>
    }
    .into_any()
}
