//! The actions of connectors, as far as this page knows them: asked for when the first step is to
//! be chosen, and again when connectors change.

use std::cell::RefCell;
use std::sync::Arc;

use domain::catalog::Action;
use domain::connector::{Declared, Index, Line, Shelf};
use domain::live::Changed;
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::api;
use crate::fault::Fault;
use crate::live;

/// All connectors with their actions, prepared to be searched.
pub(crate) struct Shelves {
    shelves: Vec<Shelf>,
    index: Index,
}

/// An action that was found.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Found {
    /// Key of the connector.
    pub(crate) connector: String,
    /// Name of the connector.
    pub(crate) service: String,
    /// Name of its icon.
    pub(crate) icon: String,
    /// The action.
    pub(crate) line: Line,
}

impl Shelves {
    /// Returns the actions that hold each of the words, the best first.
    pub(crate) fn search(&self, typed: &str) -> Vec<Found> {
        let found = self.index.search(typed).into_iter();
        let found = found.filter_map(|(shelf, action)| {
            let shelf = self.shelves.get(shelf)?;
            Some(Found {
                connector: shelf.connector.clone(),
                service: shelf.title.clone(),
                icon: shelf.icon.clone(),
                line: shelf.actions.get(action)?.clone(),
            })
        });
        found.collect()
    }

    /// Returns how many actions there are.
    pub(crate) fn count(&self) -> usize {
        self.shelves.iter().map(|shelf| shelf.actions.len()).sum()
    }
}

thread_local! {
    static SHELVES: ArcRwSignal<Option<Arc<Shelves>>> = ArcRwSignal::new(None);
    static KEPT: RefCell<Vec<(Declared, &'static Action)>> = const { RefCell::new(Vec::new()) };
}

fn ask() {
    let shelves = SHELVES.with(ArcRwSignal::clone);
    spawn_local(async move {
        // Without an answer there are only our own steps; the next opening asks again.
        if let Ok(all) = api::connector_actions().await {
            let index = Index::new(&all);
            shelves.set(Some(Arc::new(Shelves {
                shelves: all,
                index,
            })));
        }
    });
}

/// Returns the connectors, `None` until they are known; asks for them when nobody has.
pub(crate) fn shelves() -> ArcRwSignal<Option<Arc<Shelves>>> {
    let shelves = SHELVES.with(ArcRwSignal::clone);
    if shelves.with_untracked(Option::is_none) {
        ask();
    }
    live::use_changes(|changed| {
        if changed == Changed::Organization {
            ask();
        }
    });
    shelves
}

/// Returns the action that a step carries, for as long as the page is open: forms are made of what
/// stays. Each declaration is kept once, so that what is kept grows with what someone looked at.
pub(crate) fn kept(declared: &Declared) -> &'static Action {
    KEPT.with_borrow_mut(|kept| {
        if let Some((_, action)) = kept.iter().find(|(known, _)| known == declared) {
            return *action;
        }
        let action: &'static Action = Box::leak(Box::new(declared.action().clone()));
        kept.push((declared.clone(), action));
        action
    })
}

/// Returns what a connector declares now of an action.
///
/// # Errors
/// When the server does not answer, or there is no such action any more.
pub(crate) async fn declared(connector: String, action: String) -> Result<Declared, Fault> {
    let mut declared = api::declarations(vec![(connector, action)]).await?;
    declared.pop().flatten().ok_or(Fault::NotFound)
}
