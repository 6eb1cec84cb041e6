//! What people write, read as Markdown: a tree of a few kinds of nodes, as data.
//!
//! CommonMark with tables, strike-through and task lists. The tree can hold nothing that acts: no
//! markup of the writer's own (it stays text), no picture (it becomes a link), and no address but
//! an [`Address`]. So whatever draws it cannot let a script through. Size and depth are bounded.

mod address;
pub(crate) mod typing;

use domain::limit;
use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TextMergeStream};

pub(crate) use address::Address;

/// Deepest nesting of nodes; what is deeper stands at this depth.
const DEPTH: usize = 24;
/// Most nodes of a tree: a table of few characters can have very many cells.
const NODES: usize = 4_000;

/// A part of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    /// Characters as they are.
    Text(String),
    /// Code within a line.
    Code(String),
    /// Code in lines of its own, and its language, or empty.
    CodeBlock(String, String),
    /// The end of a line.
    Break,
    /// A line between two blocks.
    Rule,
    /// The box of a task, and whether the task is done.
    Task(bool),
    /// Something with content.
    Element(Kind, Vec<Node>),
}

/// What has content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Lines that belong together.
    Paragraph,
    /// A heading of level 1 to 6.
    Heading(u8),
    /// Words of someone else.
    Quote,
    /// A list with bullets.
    List,
    /// A list that counts from a number.
    Numbered(u64),
    /// An item of a list.
    Item,
    /// A table: one head, then rows.
    Table,
    /// The first row of a table.
    Head,
    /// Another row of a table.
    Row,
    /// A cell of a row.
    Cell,
    /// Emphasis.
    Emphasis,
    /// Strong emphasis.
    Strong,
    /// What does not hold any more.
    Strike,
    /// A link.
    Link(Address),
}

/// Reads a text.
pub(crate) fn read(text: &str) -> Vec<Node> {
    let end = text.char_indices().nth(limit::TEXT).map(|(end, _)| end);
    let cut = &text[..end.unwrap_or(text.len())];
    let options =
        Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    let mut tree = Tree::default();
    for event in TextMergeStream::new(Parser::new_ext(cut, options)) {
        if tree.count >= NODES {
            break;
        }
        tree.take(event);
    }
    let is_whole = tree.count < NODES && end.is_none();
    let mut nodes = tree.close();
    if !is_whole {
        let rest = Node::Text("… The rest is not shown.".to_owned());
        nodes.push(Node::Element(Kind::Paragraph, vec![rest]));
    }
    nodes
}

/// The tree while it is read.
#[derive(Default)]
struct Tree {
    /// What is complete.
    done: Vec<Node>,
    /// What is open, outermost first; `None` for what adds nothing of its own to its content.
    open: Vec<(Option<Kind>, Vec<Node>)>,
    /// The language and the lines of the code block that is open.
    code: Option<(String, String)>,
    count: usize,
}

impl Tree {
    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Start(Tag::CodeBlock(kind)) => {
                let language = match kind {
                    CodeBlockKind::Fenced(language) => language.into_string(),
                    CodeBlockKind::Indented => String::new(),
                };
                self.code = Some((language, String::new()));
            }
            Event::Start(tag) => {
                let kind = kind(tag).filter(|_| self.open.len() < DEPTH);
                self.open.push((kind, Vec::new()));
            }
            Event::End(_) => {
                if let Some((language, text)) = self.code.take() {
                    self.add(Node::CodeBlock(language, text));
                } else {
                    self.end();
                }
            }
            Event::Text(text) => match &mut self.code {
                Some((_, lines)) => lines.push_str(&text),
                None => self.words(&text),
            },
            Event::Html(text) | Event::InlineHtml(text) => self.add(Node::Text(text.into_string())),
            Event::Code(text) => self.add(Node::Code(text.into_string())),
            // In a comment a line ends where its writer ended it.
            Event::SoftBreak | Event::HardBreak => self.add(Node::Break),
            Event::Rule => self.add(Node::Rule),
            Event::TaskListMarker(done) => self.add(Node::Task(done)),
            Event::FootnoteReference(text) | Event::InlineMath(text) | Event::DisplayMath(text) => {
                self.add(Node::Text(text.into_string()))
            }
        }
    }

    /// Adds words; an address among them becomes a link.
    fn words(&mut self, text: &str) {
        let in_link = self
            .open
            .iter()
            .any(|(kind, _)| matches!(kind, Some(Kind::Link(_))));
        if in_link {
            self.add(Node::Text(text.to_owned()));
            return;
        }
        for (part, address) in address::split(text) {
            let words = Node::Text(part.to_owned());
            self.add(match address {
                Some(address) => Node::Element(Kind::Link(address), vec![words]),
                None => words,
            });
        }
    }

    fn add(&mut self, node: Node) {
        self.count += 1;
        let into = self
            .open
            .last_mut()
            .map_or(&mut self.done, |(_, inner)| inner);
        into.push(node);
    }

    fn end(&mut self) {
        match self.open.pop() {
            Some((Some(kind), inner)) => self.add(Node::Element(kind, inner)),
            Some((None, inner)) => {
                let into = self
                    .open
                    .last_mut()
                    .map_or(&mut self.done, |(_, inner)| inner);
                into.extend(inner);
            }
            None => {}
        }
    }

    fn close(mut self) -> Vec<Node> {
        if let Some((language, text)) = self.code.take() {
            self.add(Node::CodeBlock(language, text));
        }
        while !self.open.is_empty() {
            self.end();
        }
        self.done
    }
}

/// Returns what a tag becomes; `None` when only its content is shown.
fn kind(tag: Tag<'_>) -> Option<Kind> {
    Some(match tag {
        Tag::Paragraph | Tag::HtmlBlock => Kind::Paragraph,
        Tag::Heading { level, .. } => Kind::Heading(match level {
            HeadingLevel::H1 => 1,
            HeadingLevel::H2 => 2,
            HeadingLevel::H3 => 3,
            HeadingLevel::H4 => 4,
            HeadingLevel::H5 => 5,
            HeadingLevel::H6 => 6,
        }),
        Tag::BlockQuote(_) => Kind::Quote,
        Tag::List(None) => Kind::List,
        Tag::List(Some(first)) => Kind::Numbered(first),
        Tag::Item => Kind::Item,
        Tag::Table(_) => Kind::Table,
        Tag::TableHead => Kind::Head,
        Tag::TableRow => Kind::Row,
        Tag::TableCell => Kind::Cell,
        Tag::Emphasis => Kind::Emphasis,
        Tag::Strong => Kind::Strong,
        Tag::Strikethrough => Kind::Strike,
        // A picture would tell its server who reads this, and when.
        Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. } => {
            Kind::Link(Address::of(&dest_url)?)
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
