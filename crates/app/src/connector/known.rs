//! The actions of connectors, as far as this page knows them: asked for when the first step is to
//! be chosen, and again when connectors change.

use std::cell::{Cell, RefCell};
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
    /// Returns the actions that hold each of the words, the best first, and how many more do.
    pub(crate) fn search(&self, typed: &str) -> (Vec<Found>, usize) {
        let (found, more) = self.index.search(typed);
        let found = found.into_iter().filter_map(|(shelf, action)| {
            let shelf = self.shelves.get(shelf)?;
            Some(Found {
                connector: shelf.connector.clone(),
                service: shelf.title.clone(),
                icon: shelf.icon.clone(),
                line: shelf.actions.get(action)?.clone(),
            })
        });
        (found.collect(), more)
    }

    /// Returns how many actions there are.
    pub(crate) fn count(&self) -> usize {
        self.shelves.iter().map(|shelf| shelf.actions.len()).sum()
    }
}

thread_local! {
    static SHELVES: ArcRwSignal<Option<Arc<Shelves>>> = ArcRwSignal::new(None);
    /// How old the page was, by [`live::age`], when they were asked for.
    static ASKED_AT: Cell<Option<u64>> = const { Cell::new(None) };
    static KEPT: RefCell<Vec<(Declared, &'static Action)>> = const { RefCell::new(Vec::new()) };
}

/// Asks, unless it was asked since something may have changed.
fn ask() {
    let shelves = SHELVES.with(ArcRwSignal::clone);
    let age = live::age();
    if ASKED_AT.replace(Some(age)) == Some(age) {
        return;
    }
    spawn_local(async move {
        match api::connector_actions().await {
            // An answer that was overtaken by a newer question is not shown.
            Ok(all) if ASKED_AT.get() == Some(age) => {
                let index = Index::new(&all);
                shelves.set(Some(Arc::new(Shelves {
                    shelves: all,
                    index,
                })));
            }
            // There are only our own steps, or those of before; the next opening asks again.
            Err(_) if ASKED_AT.get() == Some(age) => ASKED_AT.set(None),
            _ => {}
        }
    });
}

/// Returns the connectors, `None` until they are known; asks for them when nobody has since they may
/// have changed.
pub(crate) fn shelves() -> ArcRwSignal<Option<Arc<Shelves>>> {
    ask();
    live::use_changes(|changed| {
        if changed == Changed::Organization {
            ask();
        }
    });
    live::use_refetch(ask);
    SHELVES.with(ArcRwSignal::clone)
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
