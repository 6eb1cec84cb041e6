//! A document as the rows of a tree: what an outline shows, folded and searched.

use std::collections::BTreeSet;

use crate::catalog::PARALLEL;
use crate::document::Step;
use crate::{Document, LaneId, StepId, search};

/// What a row stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Of {
    /// The trigger, and what applies to the whole integration.
    Trigger,
    /// A step.
    Step(StepId),
    /// A lane of a branch or try. The only lane of a loop has no row: its steps are right below the loop.
    Lane(StepId, LaneId),
}

/// A row of the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Row {
    /// What it stands for.
    pub of: Of,
    /// How deep it is, from 1.
    pub level: usize,
    /// Which of its sisters it is, from 1, and how many there are.
    pub place: (usize, usize),
    /// Whether it is folded; `None` when nothing is below it.
    pub folded: Option<bool>,
}

/// Returns the rows from top to bottom, without those below `folded` ones.
///
/// With something typed: the rows that fit it and what they are in, whatever is folded.
pub fn rows(document: &Document, folded: &BTreeSet<Of>, typed: &str) -> Vec<Row> {
    let typed = typed.trim();
    let mut maker = Maker {
        document,
        folded,
        typed,
        // A sound document has each step once; in any other one, this ends.
        left: document.steps.len(),
        rows: Vec::new(),
    };
    let count = document.flow.len() + 1;
    if typed.is_empty() || search::rank(typed, "Trigger").is_some() {
        maker.rows.push(Row {
            of: Of::Trigger,
            level: 1,
            place: (1, count),
            folded: None,
        });
    }
    maker.list(&document.flow, 1, 1);
    maker.rows
}

struct Maker<'a> {
    document: &'a Document,
    folded: &'a BTreeSet<Of>,
    typed: &'a str,
    left: usize,
    rows: Vec<Row>,
}

impl Maker<'_> {
    /// Adds the rows of a list whose first step has `before` sisters before it.
    fn list(&mut self, list: &[StepId], level: usize, before: usize) {
        for (number, id) in list.iter().enumerate() {
            let Some(left) = self.left.checked_sub(1) else {
                return;
            };
            self.left = left;
            if let Some(step) = self.document.steps.get(id) {
                self.step(step, level, (before + number + 1, before + list.len()));
            }
        }
    }

    fn step(&mut self, step: &Step, level: usize, place: (usize, usize)) {
        let has_rows = matches!(step.kind.as_str(), "branch" | "try" | PARALLEL);
        let is_empty = step.lanes.iter().all(|lane| lane.steps.is_empty());
        let below = (!is_empty || (has_rows && !step.lanes.is_empty())).then_some(());
        let of = Of::Step(step.id);
        let fits = self.fits(&step.name) || self.fits(&step.slug) || {
            let action = step.action();
            action.is_some_and(|action| self.fits(&action.title))
        };
        self.nested(of, level, place, below.is_some(), fits, |maker| {
            let count = step.lanes.len();
            for (number, lane) in step.lanes.iter().enumerate() {
                if !has_rows {
                    maker.list(&lane.steps, level + 1, 0);
                    continue;
                }
                let of = Of::Lane(step.id, lane.id);
                let fits = maker.fits(&lane.name);
                let (place, has_steps) = ((number + 1, count), !lane.steps.is_empty());
                maker.nested(of, level + 1, place, has_steps, fits, |maker| {
                    maker.list(&lane.steps, level + 2, 0);
                });
            }
        });
    }

    /// Adds a row and those below it; takes the row back when a search finds neither.
    fn nested(
        &mut self,
        of: Of,
        level: usize,
        place: (usize, usize),
        has_more: bool,
        fits: bool,
        below: impl FnOnce(&mut Self),
    ) {
        let is_folded = self.typed.is_empty() && self.folded.contains(&of);
        self.rows.push(Row {
            of,
            level,
            place,
            folded: has_more.then_some(is_folded),
        });
        let here = self.rows.len();
        if has_more && !is_folded {
            below(self);
        }
        if self.rows.len() == here && !fits {
            self.rows.pop();
        }
    }

    fn fits(&self, name: &str) -> bool {
        self.typed.is_empty() || search::rank(self.typed, name).is_some()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sample::{Maker as Sample, broken, nested, plans};

    fn names(document: &Document, rows: &[Row]) -> Vec<String> {
        let name = |row: &Row| {
            let name = match row.of {
                Of::Trigger => "Trigger".to_owned(),
                Of::Step(id) => document.steps[&id].name.clone(),
                Of::Lane(id, lane) => {
                    let lanes = &document.steps[&id].lanes;
                    let lane = lanes.iter().find(|other| other.id == lane);
                    lane.map(|lane| lane.name.clone()).unwrap_or_default()
                }
            };
            format!("{}{name}", "  ".repeat(row.level - 1))
        };
        rows.iter().map(name).collect()
    }

    /// A branch with a log in its first lane, and a loop with a log.
    fn document() -> Document {
        use crate::edit::new_step;
        use uuid::Uuid;
        let mut made = 0;
        let mut id = || {
            made += 1;
            Uuid::from_u128(made)
        };
        let mut document = Document::new("webhook");
        let mut add = |kind: &str, name: &str| {
            let action = crate::catalog::action(kind).expect("the catalog has it");
            let slug = crate::slug::of(name);
            let own = StepId::new(id());
            let step = new_step(action, own, name, slug, || LaneId::new(id()));
            document.steps.insert(own, step);
            own
        };
        let branch = add("branch", "By total");
        let large = add("log", "Large order");
        let each = add("loop", "Each line");
        let line = add("log", "Line");
        let put = |document: &mut Document, into, step| {
            let lanes = &mut document.steps.get_mut(&into).expect("it is there").lanes;
            lanes[0].steps.push(step);
        };
        put(&mut document, branch, large);
        put(&mut document, each, line);
        document.flow = vec![branch, each];
        document
    }

    #[test]
    fn rows_are_read_as_the_flow_is() {
        let document = document();
        let all = rows(&document, &BTreeSet::new(), "");
        let expected = [
            "Trigger",
            "By total",
            "  If",
            "    Large order",
            "  Else",
            "Each line",
            "  Line",
        ];
        assert_eq!(names(&document, &all), expected);
        assert_eq!(all[1].place, (2, 3));
        assert_eq!(all[4].folded, None);
        let folded = BTreeSet::from([all[1].of, all[5].of]);
        let few = rows(&document, &folded, "");
        assert_eq!(names(&document, &few), ["Trigger", "By total", "Each line"]);
        assert_eq!(few[1].folded, Some(true));
    }

    #[test]
    fn a_search_shows_what_fits_and_what_it_is_in() {
        let document = document();
        let all = rows(&document, &BTreeSet::new(), "");
        let folded = BTreeSet::from([all[1].of]);
        let found = rows(&document, &folded, " large ");
        assert_eq!(
            names(&document, &found),
            ["By total", "  If", "    Large order"]
        );
        assert!(rows(&document, &folded, "no such thing").is_empty());
        // A step is found by what it does, too.
        let loops = rows(&document, &BTreeSet::new(), "loop");
        assert_eq!(names(&document, &loops), ["Each line"]);
    }

    proptest! {
        #[test]
        fn every_step_has_one_row(some in plans(40), deep in nested(12)) {
            for plans in [some, deep] {
                let document = Sample::default().document(&plans);
                let all = rows(&document, &BTreeSet::new(), "");
                let steps: Vec<StepId> = all.iter()
                    .filter_map(|row| match row.of { Of::Step(id) => Some(id), _ => None })
                    .collect();
                let walk: Vec<StepId> = document.walk().into_iter().map(|(_, step)| step.id).collect();
                prop_assert_eq!(steps, walk);
            }
        }

        #[test]
        fn a_broken_document_has_an_end(document in broken()) {
            prop_assert!(rows(&document, &BTreeSet::new(), "").len() <= 4 * document.steps.len() + 1);
        }
    }
}
