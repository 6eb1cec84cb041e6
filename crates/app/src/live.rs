//! Hears from the server that something changed: one connection per tab, kept up by itself.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use domain::live::Changed;
use gloo::timers::callback::Timeout;
use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::Closure;
use web_sys::{Event, EventSource, MessageEvent};

use crate::fault::Fault;
use crate::session;

/// The shortest and the longest wait before the next attempt to connect, in milliseconds.
const WAIT_MS: (u32, u32) = (1_000, 30_000);

type Handler<T> = (u32, Rc<dyn Fn(T)>);

struct Connection {
    source: EventSource,
    _message: Closure<dyn FnMut(MessageEvent)>,
    _open: Closure<dyn FnMut(Event)>,
    _error: Closure<dyn FnMut(Event)>,
}

thread_local! {
    static CONNECTION: RefCell<Option<Connection>> = const { RefCell::new(None) };
    static RETRY: RefCell<Option<Timeout>> = const { RefCell::new(None) };
    static WAIT: Cell<u32> = const { Cell::new(WAIT_MS.0) };
    static IS_LOST: ArcRwSignal<bool> = ArcRwSignal::new(false);
    static NEXT: Cell<u32> = const { Cell::new(0) };
    static AGE: Cell<u64> = const { Cell::new(0) };
    static CHANGES: RefCell<Vec<Handler<Changed>>> = const { RefCell::new(Vec::new()) };
    static REFETCHES: RefCell<Vec<Handler<()>>> = const { RefCell::new(Vec::new()) };
}

/// Calls `handler` on each change, as long as the calling screen is shown.
pub fn use_changes(handler: impl Fn(Changed) + 'static) {
    let id = next_id();
    CHANGES.with(|all| all.borrow_mut().push((id, Rc::new(handler))));
    on_cleanup(move || CHANGES.with(|all| all.borrow_mut().retain(|(other, _)| *other != id)));
}

/// Calls `handler` when changes may have been missed (the connection is there, for the first time
/// or again; the session ended and is back), as long as the calling screen is shown.
pub fn use_refetch(handler: impl Fn() + 'static) {
    let id = next_id();
    REFETCHES.with(|all| all.borrow_mut().push((id, Rc::new(move |()| handler()))));
    on_cleanup(move || REFETCHES.with(|all| all.borrow_mut().retain(|(other, _)| *other != id)));
}

/// Returns a number that is another one once what an organization has may have changed. Whoever keeps
/// some of it, also while no screen shows it, asks again when the number is not the one it asked at.
pub(crate) fn age() -> u64 {
    AGE.get()
}

/// Returns whether the connection is lost at the moment.
pub fn is_lost() -> Signal<bool> {
    RwSignal::from(IS_LOST.with(Clone::clone)).into()
}

fn next_id() -> u32 {
    NEXT.with(|next| next.replace(next.get() + 1))
}

/// Tells every screen to ask again for what it shows.
pub(crate) fn refetch() {
    AGE.set(AGE.get() + 1);
    // A handler may add or remove handlers.
    let handlers = REFETCHES.with(|all| all.borrow().clone());
    handlers.iter().for_each(|(_, handler)| handler(()));
    if CONNECTION.with(|slot| slot.borrow().is_none()) {
        connect();
    }
}

/// Connects; call it when someone is signed in.
pub(crate) fn connect() {
    close();
    let Ok(source) = EventSource::new("/live") else {
        return;
    };
    let message = Closure::<dyn FnMut(MessageEvent)>::new(|event: MessageEvent| {
        let text = event.data().as_string().unwrap_or_default();
        // What an older page does not know yet is none of its business.
        if let Ok(changed) = serde_json::from_str::<Changed>(&text) {
            if changed == Changed::Organization {
                AGE.set(AGE.get() + 1);
            }
            let handlers = CHANGES.with(|all| all.borrow().clone());
            handlers.iter().for_each(|(_, handler)| handler(changed));
        }
    });
    let open = Closure::<dyn FnMut(Event)>::new(|_| {
        WAIT.set(WAIT_MS.0);
        if IS_LOST.with(|lost| lost.get_untracked()) {
            IS_LOST.with(|lost| lost.set(false));
        }
        // Also the first time: what is shown was read before anyone listened, some of it before
        // the page's own code was there.
        refetch();
    });
    let error = Closure::<dyn FnMut(Event)>::new(|_| lost());
    source.set_onmessage(Some(message.as_ref().unchecked_ref()));
    source.set_onopen(Some(open.as_ref().unchecked_ref()));
    source.set_onerror(Some(error.as_ref().unchecked_ref()));
    let connection = Connection {
        source,
        _message: message,
        _open: open,
        _error: error,
    };
    CONNECTION.with(|slot| slot.replace(Some(connection)));
}

/// Closes the connection for good.
pub(crate) fn close() {
    RETRY.with(RefCell::take);
    if let Some(connection) = CONNECTION.with(RefCell::take) {
        silence(&connection);
    }
}

fn silence(connection: &Connection) {
    connection.source.set_onmessage(None);
    connection.source.set_onopen(None);
    connection.source.set_onerror(None);
    connection.source.close();
}

fn lost() {
    let connection = CONNECTION.with(RefCell::take);
    let was_refused = connection
        .as_ref()
        .is_some_and(|connection| connection.source.ready_state() == EventSource::CLOSED);
    if let Some(connection) = connection {
        silence(&connection);
        // This runs inside one of its closures, which must live until it returns.
        Timeout::new(0, move || drop(connection)).forget();
    }
    IS_LOST.with(|lost| lost.set(true));
    if was_refused {
        spawn_local(async {
            match crate::account::api::who_am_i().await {
                Ok(me) if session::is_of(&me) => {}
                // Someone else has signed in, in another tab.
                Ok(_) => drop(session::notice(&Fault::SignedOut)),
                Err(fault) => drop(session::notice(&fault)),
            }
        });
    }
    let wait = WAIT.get();
    WAIT.set((wait * 2).min(WAIT_MS.1));
    // Not all tabs at once, after the server was away.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "0 to 1 times the wait"
    )]
    let jitter = (js_sys::Math::random() * f64::from(wait) / 2.0) as u32;
    let retry = Timeout::new(wait + jitter, || {
        RETRY.with(|slot| slot.borrow_mut().take().map(Timeout::forget));
        connect();
    });
    RETRY.with(|slot| slot.replace(Some(retry)));
}
