//! Lists of what fields name, as far as this page knows them: asked for when they are first needed,
//! once for all that show their names.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::str::FromStr;
use std::thread::LocalKey;

use domain::live::Changed;
use leptos::prelude::*;
use leptos::task::spawn_local;
use serde_json::Value;

use crate::fault::Fault;
use crate::{live, session};

/// Something that a field names by its id.
pub(crate) trait Named: Clone + Send + Sync + 'static {
    /// Its identity.
    type Id: FromStr + PartialEq;
    /// What stands for its name when there is none with that id.
    const GONE: &'static str;

    fn id(&self) -> Self::Id;
    fn name(&self) -> &str;
}

type Asked<T> = Pin<Box<dyn Future<Output = Result<Vec<T>, Fault>>>>;

/// What is known of one kind of them; one for the page.
pub(crate) struct Known<T: Named> {
    all: ArcRwSignal<Option<Vec<T>>>,
    /// How old the page was, by [`live::age`], when they were asked for.
    asked_at: Cell<Option<u64>>,
    is_asked: Cell<bool>,
    ask: fn() -> Asked<T>,
}

impl<T: Named> Known<T> {
    /// Returns that nothing is known yet, and how to ask.
    pub(crate) fn new(ask: fn() -> Asked<T>) -> Self {
        Self {
            all: ArcRwSignal::new(None),
            asked_at: Cell::new(None),
            is_asked: Cell::new(false),
            ask,
        }
    }
}

/// Returns all of them, `None` until they are known. They follow what others change, as long as
/// the calling screen is shown.
pub(crate) fn all<T: Named>(known: &'static LocalKey<Known<T>>) -> Signal<Option<Vec<T>>> {
    if known.with(|known| known.asked_at.get() != Some(live::age())) {
        ask(known);
    }
    live::use_changes(move |changed| {
        if changed == Changed::Organization {
            ask(known);
        }
    });
    live::use_refetch(move || ask(known));
    RwSignal::from(known.with(|known| known.all.clone())).into()
}

/// Asks, unless a question is under way.
fn ask<T: Named>(known: &'static LocalKey<Known<T>>) {
    if known.with(|known| known.is_asked.replace(true)) {
        return;
    }
    let age = live::age();
    spawn_local(async move {
        let answer = known.with(|known| (known.ask)()).await;
        known.with(|known| known.is_asked.set(false));
        match answer {
            Ok(all) => known.with(|known| {
                known.asked_at.set(Some(age));
                known.all.set(Some(all));
            }),
            Err(fault) => {
                session::notice(&fault);
                return;
            }
        }
        // What changed while the answer was under way may not be in it.
        if live::age() != age {
            ask(known);
        }
    });
}

/// Returns what people call the one that a field names.
pub(crate) fn name<T: Named>(known: Option<&[T]>, value: &Value) -> String {
    let text = value.as_str().unwrap_or_default();
    match (known, text.parse::<T::Id>()) {
        (_, Err(_)) => text.to_owned(),
        (None, _) => "…".to_owned(),
        (Some(all), Ok(id)) => match all.iter().find(|one| one.id() == id) {
            Some(one) => one.name().to_owned(),
            None => T::GONE.to_owned(),
        },
    }
}
