//! Who is signed in, in this tab; what that person may do; and the dialog for when a session ends.

pub mod sign_in_again;

use std::cell::RefCell;

use domain::account::{Me, Role};
use domain::integration::IntegrationSummary;
use domain::policy::{self, Act, Denied};
use leptos::prelude::*;

use crate::boot::{self, Boot};
use crate::fault::Fault;

thread_local! {
    static ME: ArcRwSignal<Option<Me>> = ArcRwSignal::new(None);
    static IS_SET_UP: ArcRwSignal<bool> = ArcRwSignal::new(true);
    static HAS_ENDED: ArcRwSignal<bool> = ArcRwSignal::new(false);
    static PUBLIC_URL: RefCell<Option<String>> = const { RefCell::new(None) };
    static DEMO_SERVICE: RefCell<Option<String>> = const { RefCell::new(None) };
    static INTEGRATIONS: RefCell<Option<Vec<IntegrationSummary>>> = const { RefCell::new(None) };
}

/// Reads what the page brought with it.
pub fn provide_session() {
    let element = document().get_element_by_id(boot::ELEMENT_ID);
    let text = element.and_then(|element| element.text_content());
    let boot: Option<Boot> = text.and_then(|text| serde_json::from_str(&text).ok());
    let Some(boot) = boot else {
        return;
    };
    ME.with(|me| me.set(boot.me));
    IS_SET_UP.with(|is_set_up| is_set_up.set(boot.is_set_up));
    PUBLIC_URL.with(|slot| slot.replace(boot.public_url));
    DEMO_SERVICE.with(|slot| slot.replace(boot.demo_service));
    INTEGRATIONS.with(|slot| slot.replace(boot.integrations));
}

/// Returns the address of the demo's services, in the demo organization.
pub(crate) fn demo_service() -> Option<String> {
    DEMO_SERVICE.with(|slot| slot.borrow().clone())
}

/// Returns the address at which others reach a path: at the public address when the server was
/// told it, for this page may be open at another one.
pub(crate) fn address(path: &str) -> String {
    let url = PUBLIC_URL.with(|url| url.borrow().clone());
    let url = url.or_else(|| window().location().origin().ok());
    url.unwrap_or_default() + path
}

/// Takes the list of integrations that the page brought with it; there is one only once.
pub(crate) fn take_integrations() -> Option<Vec<IntegrationSummary>> {
    INTEGRATIONS.with(RefCell::take)
}

/// Returns who is signed in.
pub fn use_me() -> Signal<Option<Me>> {
    RwSignal::from(ME.with(Clone::clone)).into()
}

/// Returns whether this page belongs to that person.
pub(crate) fn is_of(me: &Me) -> bool {
    let account = ME.with(|slot| slot.with_untracked(|own| own.as_ref().map(|own| own.account)));
    account == Some(me.account)
}

/// Returns whether an organization exists.
pub(crate) fn is_set_up() -> Signal<bool> {
    RwSignal::from(IS_SET_UP.with(Clone::clone)).into()
}

/// Returns whether the session ended while the page was open.
pub(crate) fn has_ended() -> RwSignal<bool> {
    RwSignal::from(HAS_ENDED.with(Clone::clone))
}

/// Takes note of who has just signed in.
pub(crate) fn signed_in(me: Me) {
    IS_SET_UP.with(|is_set_up| is_set_up.set(true));
    HAS_ENDED.with(|has_ended| has_ended.set(false));
    ME.with(|slot| slot.set(Some(me)));
}

/// Returns whether the person may do something; if not, with the sentence that says why.
pub fn may(act: Act) -> Signal<Result<(), Denied>> {
    let me = use_me();
    Signal::derive(move || {
        let role = me.with(|me| me.as_ref().map_or(Role::Reader, |me| me.role));
        policy::allow(role, act)
    })
}

/// Shows the sign-in dialog when the fault is that the session has ended; returns whether it was.
pub fn notice(fault: &Fault) -> bool {
    let is_ended = matches!(fault, Fault::SignedOut);
    if is_ended {
        HAS_ENDED.with(|has_ended| has_ended.set(true));
    }
    is_ended
}
