//! Markdown on the page: what others wrote to read, and the field to write it in.

pub mod editor;

use domain::review::{Person, thread};
use leptos::prelude::*;

use crate::markdown::{Address, Kind, Node, read};

pub use editor::MarkdownEditor;

/// Who can be named behind an `@` on a screen: given to the texts on it as context.
#[derive(Clone, Copy, Debug)]
pub struct Mentionable(pub Signal<Vec<Person>>);

/// Draws a text that someone wrote in Markdown. Nothing in it acts: `crate::markdown` says why.
pub fn markdown(text: &str) -> AnyView {
    view! { <div class="markdown">{nodes(read(text))}</div> }.into_any()
}

fn nodes(all: Vec<Node>) -> Vec<AnyView> {
    all.into_iter().map(node).collect()
}

fn node(node: Node) -> AnyView {
    match node {
        Node::Text(text) => named(text),
        Node::Code(text) => view! { <code>{text}</code> }.into_any(),
        Node::CodeBlock(_, text) => {
            view! { <pre><code>{text.trim_end_matches('\n').to_owned()}</code></pre> }.into_any()
        }
        Node::Break => view! { <br /> }.into_any(),
        Node::Rule => view! { <hr /> }.into_any(),
        Node::Task(done) => {
            let label = if done { "Done" } else { "To do" };
            view! { <input type="checkbox" disabled=true prop:checked=done aria-label=label /> }
                .into_any()
        }
        Node::Element(kind, inner) => element(kind, inner),
    }
}

/// Draws a text; the members who are named in it stand out.
fn named(text: String) -> AnyView {
    let Some(Mentionable(members)) = use_context().filter(|_| text.contains('@')) else {
        return text.into_any();
    };
    members.with_untracked(|members| {
        let starts = text.match_indices('@').map(|(at, _)| at);
        let cuts: Vec<usize> = std::iter::once(0)
            .chain(starts)
            .chain([text.len()])
            .collect();
        let parts = cuts.windows(2).map(|cut| {
            let (before, part) = (&text[..cut[0]], &text[cut[0]..cut[1]]);
            let is_in_word = before.ends_with(char::is_alphanumeric);
            let named = thread::mentions(part, members);
            let named = members
                .iter()
                .find(|member| named.contains(&member.account));
            match named.filter(|_| !is_in_word) {
                Some(member) => {
                    let (name, rest) = part.split_at(1 + member.name.len());
                    view! { <b class="mention">{name.to_owned()}</b> {rest.to_owned()} }.into_any()
                }
                None => part.to_owned().into_any(),
            }
        });
        parts.collect::<Vec<_>>().into_any()
    })
}

fn element(kind: Kind, inner: Vec<Node>) -> AnyView {
    match kind {
        Kind::Table => return table(inner),
        Kind::Link(address) => return link(&address, inner),
        _ => {}
    }
    let inner = nodes(inner);
    match kind {
        Kind::Paragraph => view! { <p>{inner}</p> }.into_any(),
        // Below the headings of the page that it stands on.
        Kind::Heading(1) => view! { <h4>{inner}</h4> }.into_any(),
        Kind::Heading(2) => view! { <h5>{inner}</h5> }.into_any(),
        Kind::Heading(_) => view! { <h6>{inner}</h6> }.into_any(),
        Kind::Quote => view! { <blockquote>{inner}</blockquote> }.into_any(),
        Kind::List => view! { <ul>{inner}</ul> }.into_any(),
        Kind::Numbered(first) => view! { <ol start=first.to_string()>{inner}</ol> }.into_any(),
        Kind::Item => view! { <li>{inner}</li> }.into_any(),
        Kind::Emphasis => view! { <em>{inner}</em> }.into_any(),
        Kind::Strong => view! { <strong>{inner}</strong> }.into_any(),
        Kind::Strike => view! { <s>{inner}</s> }.into_any(),
        Kind::Table | Kind::Head | Kind::Row | Kind::Cell | Kind::Link(_) => inner.into_any(),
    }
}

fn link(address: &Address, inner: Vec<Node>) -> AnyView {
    // What is half written on this page shall still be there after a look elsewhere.
    let target = address.leads_away().then_some("_blank");
    let words = if inner.is_empty() {
        address.as_str().to_owned().into_any()
    } else {
        nodes(inner).into_any()
    };
    view! {
        <a href=address.as_str().to_owned() target=target rel="noopener nofollow ugc">
            {words}
        </a>
    }
    .into_any()
}

fn table(rows: Vec<Node>) -> AnyView {
    let (mut head, mut body) = (Vec::new(), Vec::new());
    for row in rows {
        match row {
            Node::Element(Kind::Head, cells) => {
                let cells = cells
                    .into_iter()
                    .map(|cell| view! { <th scope="col">{node(cell)}</th> }.into_any());
                head = cells.collect();
            }
            Node::Element(Kind::Row, cells) => {
                let cells = cells
                    .into_iter()
                    .map(|cell| view! { <td>{node(cell)}</td> }.into_any());
                body.push(view! { <tr>{cells.collect::<Vec<_>>()}</tr> }.into_any());
            }
            other => body.push(node(other)),
        }
    }
    view! {
        <div class="markdown-table" tabindex="0" role="region" aria-label="Table">
            <table>
                <thead>
                    <tr>{head}</tr>
                </thead>
                <tbody>{body}</tbody>
            </table>
        </div>
    }
    .into_any()
}
