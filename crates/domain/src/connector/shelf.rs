//! The connectors that an organization has: what is to be known of them, and how actions are found.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Auth, CONNECTORS, Comparison, Component, Connector, Fault, Operation};
use crate::{DraftId, IntegrationId, Timestamp, canonical};

/// Most actions that a search returns.
pub const FOUND: usize = 50;
/// Most characters of a description in a list.
const TOLD: usize = 160;
/// Most actions that are asked for by name at once.
pub const WANTED: usize = 500;

/// A connector as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// What it is known by.
    pub key: String,
    /// Name of the service.
    pub title: String,
    /// What the service is.
    pub description: String,
    /// The author's version.
    pub version: String,
    /// Name of its icon.
    pub icon: String,
    /// How many actions it has.
    pub actions: u32,
    /// Where it came from: the name of a file, an address, or “Sluice” for one of ours.
    pub source: String,
    /// When it was imported the last time.
    pub imported_at: Timestamp,
}

/// An action as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// What it is known by within its connector.
    pub key: String,
    /// Name on screen.
    pub title: String,
    /// The beginning of what it does.
    pub description: String,
    /// Heading under which its connector shows it.
    pub group: String,
    /// Further words under which a search finds it.
    pub keywords: Vec<String>,
}

/// A connector with its actions, for choosing one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shelf {
    /// What the connector is known by.
    pub connector: String,
    /// Name of the service.
    pub title: String,
    /// Name of its icon.
    pub icon: String,
    /// Its actions.
    pub actions: Vec<Line>,
}

/// What its page shows of a connector.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Page {
    /// The connector.
    pub summary: Summary,
    /// What all paths begin with.
    pub base: String,
    /// How to get credentials, what to know: Markdown.
    pub docs: String,
    /// The ways to prove who sends.
    pub auth: Vec<Auth>,
    /// Its component, if it has one.
    pub component: Option<Component>,
    /// Its actions, each with method and path.
    pub actions: Vec<(Line, String)>,
}

/// Where a connector is taken from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A text, with the name of its file if it has one: a connector, or a description in OpenAPI.
    Text {
        /// The text.
        text: String,
        /// The name of the file, or empty.
        name: String,
        /// The module of its component in base64, if it came with one.
        #[serde(default)]
        module: Option<String>,
    },
    /// An address, which the server asks as any integration would.
    Address(String),
    /// One of ours, by its key.
    Ours(String),
}

/// What would come of an import.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Preview {
    /// Digest of the connector; the import names it, so that what is taken is what was shown.
    pub digest: String,
    /// What it is known by.
    pub key: String,
    /// Name of the service.
    pub title: String,
    /// The author's version.
    pub version: String,
    /// What all paths begin with.
    pub base: String,
    /// Its component, if it has one.
    pub component: Option<Component>,
    /// Its actions.
    pub actions: Vec<Line>,
    /// What was left out of a description, or is different from it, in sentences.
    pub notes: Vec<String>,
    /// What it changes of the connector that is there; `None` when there is none of this key.
    pub changes: Option<Comparison>,
    /// Where actions of the connector that is there are used.
    pub uses: Vec<Use>,
}

/// Something that has steps of a connector: what is live of an integration, or an open draft.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Use {
    /// The integration.
    pub integration: IntegrationId,
    /// Its name.
    pub name: String,
    /// The draft and its title; `None` for what is live.
    pub draft: Option<(DraftId, String)>,
    /// The keys of the actions.
    pub actions: Vec<String>,
}

/// Why a connector is not imported.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// It cannot be read, or something in it is wrong.
    #[error("{}", told(.0))]
    Faults(Vec<Fault>),
    /// The address gave nothing that can be read.
    #[error("{0}")]
    Address(String),
    /// [`CONNECTORS`] are there.
    #[error("There are {CONNECTORS} connectors already. Delete one that nothing needs.")]
    TooMany,
    /// What would be imported is not what was shown.
    #[error("It has changed since it was shown. Look at it again, then import it.")]
    Moved,
}

impl Refusal {
    /// Returns a code that stays the same when the sentence changes.
    pub fn code(&self) -> &'static str {
        match self {
            Refusal::Faults(_) => "connector/faults",
            Refusal::Address(_) => "connector/address",
            Refusal::TooMany => "connector/too-many",
            Refusal::Moved => "connector/moved",
        }
    }

    /// Returns the HTTP status that says the same.
    pub fn status(&self) -> u16 {
        match self {
            Refusal::Faults(_) | Refusal::Address(_) => 422,
            Refusal::TooMany | Refusal::Moved => 409,
        }
    }
}

/// Says the first few faults.
fn told(faults: &[Fault]) -> String {
    const FEW: usize = 5;
    let mut told: Vec<String> = faults.iter().take(FEW).map(ToString::to_string).collect();
    if faults.len() > FEW {
        told.push(format!("And {} more.", faults.len() - FEW));
    }
    told.join("\n")
}

impl Line {
    /// Returns what a list shows of an action.
    pub fn of(operation: &Operation) -> Self {
        Self {
            key: operation.key.clone(),
            title: operation.title.clone(),
            description: operation.description.chars().take(TOLD).collect(),
            group: operation.group.clone(),
            keywords: operation.keywords.clone(),
        }
    }
}

impl Connector {
    /// Returns the digest by which two connectors are told apart.
    pub fn digest(&self) -> String {
        let json = canonical::of(self).expect("a connector has only string keys");
        canonical::sha256(json.as_bytes())
    }
}

/// Finds actions of connectors by what someone types. Made once of all that there are: a search
/// then only looks through prepared texts.
#[derive(Debug, Default)]
pub struct Index {
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    shelf: usize,
    action: usize,
    /// The texts in lower case, those that count most first.
    title: String,
    service: String,
    rest: String,
}

impl Index {
    /// Prepares to search.
    pub fn new(shelves: &[Shelf]) -> Self {
        let entries = shelves.iter().enumerate().flat_map(|(shelf, of)| {
            let service = of.title.to_lowercase();
            of.actions
                .iter()
                .enumerate()
                .map(move |(action, line)| Entry {
                    shelf,
                    action,
                    title: line.title.to_lowercase(),
                    service: service.clone(),
                    rest: format!(
                        "{} {} {}",
                        line.group,
                        line.keywords.join(" "),
                        line.description
                    )
                    .to_lowercase(),
                })
        });
        Self {
            entries: entries.collect(),
        }
    }

    /// Returns the actions that hold each of the words, the best first, at most [`FOUND`]: by
    /// number of the shelf and of the action on it. With them comes how many more there are.
    /// Nothing typed finds nothing.
    pub fn search(&self, typed: &str) -> (Vec<(usize, usize)>, usize) {
        let typed = typed.to_lowercase();
        let words: Vec<&str> = typed.split_whitespace().collect();
        if words.is_empty() {
            return (Vec::new(), 0);
        }
        let mut ranked: Vec<(usize, usize)> = Vec::new();
        for (number, entry) in self.entries.iter().enumerate() {
            if let Some(rank) = entry.rank(&words) {
                ranked.push((rank, number));
            }
        }
        let more = ranked.len().saturating_sub(FOUND);
        if more > 0 {
            ranked.select_nth_unstable(FOUND);
            ranked.truncate(FOUND);
        }
        ranked.sort_unstable();
        let found = ranked.into_iter().map(|(_, number)| &self.entries[number]);
        let found = found.map(|entry| (entry.shelf, entry.action));
        (found.collect(), more)
    }
}

impl Entry {
    /// Returns how well it fits: lower is better.
    fn rank(&self, words: &[&str]) -> Option<usize> {
        let mut rank = 0;
        for word in words {
            rank += if self.title.starts_with(word) || self.service.starts_with(word) {
                0
            } else if self.title.contains(word) || self.service.contains(word) {
                1
            } else if self.rest.contains(word) {
                3
            } else {
                return None;
            };
        }
        Some(rank)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shelf(title: &str, actions: &[(&str, &str)]) -> Shelf {
        let line = |(title, description): &(&str, &str)| Line {
            key: title.to_string(),
            title: title.to_string(),
            description: description.to_string(),
            group: String::new(),
            keywords: Vec::new(),
        };
        Shelf {
            connector: title.to_lowercase(),
            title: title.to_owned(),
            icon: "plug".to_owned(),
            actions: actions.iter().map(line).collect(),
        }
    }

    #[test]
    fn an_action_is_found_by_words_of_it_and_of_its_service() {
        let shelves = [
            shelf(
                "Shop",
                &[("Create an order", "Puts it in."), ("List orders", "")],
            ),
            shelf(
                "Mail",
                &[("Send a letter", "About an order."), ("Create a list", "")],
            ),
        ];
        let index = Index::new(&shelves);
        for (typed, found) in [
            ("", &[][..]),
            ("zzz", &[]),
            ("create", &[(0, 0), (1, 1)]),
            ("shop", &[(0, 0), (0, 1)]),
            ("SHOP list", &[(0, 1)]),
            ("order", &[(0, 0), (0, 1), (1, 0)]),
            ("mail zzz", &[]),
        ] {
            assert_eq!(index.search(typed), (found.to_vec(), 0), "{typed}");
        }
        let many: Vec<(&str, &str)> = vec![("Do", ""); 3 * FOUND];
        let index = Index::new(&[shelf("Many", &many)]);
        let (found, more) = index.search("do");
        assert_eq!((found.len(), more), (FOUND, 2 * FOUND));
        assert!(found.is_sorted(), "equal ones stay in their order");
    }
}
