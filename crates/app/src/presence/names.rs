//! The names of the members, asked for once a page load and again when someone is not among them.

use std::cell::Cell;
use std::collections::BTreeMap;

use domain::AccountId;
use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::member::api;

thread_local! {
    static NAMES: ArcRwSignal<BTreeMap<AccountId, String>> = ArcRwSignal::new(BTreeMap::new());
    static IS_ASKING: Cell<bool> = const { Cell::new(false) };
}

/// Returns what others call a member; told when that becomes known.
pub(super) fn of(account: AccountId) -> String {
    let name = NAMES.with(|names| names.with(|names| names.get(&account).cloned()));
    name.unwrap_or_else(|| "Someone".to_owned())
}

/// Sees to it that the names of these members become known.
pub(super) fn need(accounts: impl IntoIterator<Item = AccountId>) {
    let are_known = NAMES.with(|names| {
        names.with_untracked(|names| {
            let mut accounts = accounts.into_iter();
            accounts.all(|account| names.contains_key(&account))
        })
    });
    if are_known || IS_ASKING.replace(true) {
        return;
    }
    spawn_local(async {
        let members = api::members().await;
        IS_ASKING.set(false);
        // Without names, people are shown as someone; the next of them is another chance.
        let Ok(members) = members else { return };
        let members = members.into_iter();
        let known = members.map(|member| (member.account, member.name));
        NAMES.with(|names| names.set(known.collect()));
    });
}
