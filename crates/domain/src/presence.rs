//! Who else has the same draft or review open, as one page knows it.
//!
//! Nothing of this is kept on the server: each page tells the others what it has open (see
//! [`crate::live::Changed::Here`]), again every [`TELL_MS`], and forgets whoever it has not heard
//! of for [`FORGET_MS`]. A page that hears of a new one tells it at once that it is here, too.

use std::collections::{BTreeMap, BTreeSet};

use crate::{AccountId, StepId, Timestamp};

/// How often a page tells that it is still there, in milliseconds.
pub const TELL_MS: u32 = 20_000;
/// After so many milliseconds a page that was not heard of is gone.
pub const FORGET_MS: i64 = 45_000;

/// The other pages at a place, and what is selected in them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Company {
    tabs: BTreeMap<u32, Tab>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tab {
    account: AccountId,
    step: Option<StepId>,
    /// Numbers are never used again: what was said before the page left may arrive after that.
    has_left: bool,
    until: Timestamp,
}

impl Company {
    /// Notes what a page says of itself; returns whether it is new, so does not know of us.
    pub fn hear(
        &mut self,
        tab: u32,
        account: AccountId,
        step: Option<StepId>,
        now: Timestamp,
    ) -> bool {
        let heard = Tab {
            account,
            step,
            has_left: false,
            until: Timestamp(now.0 + FORGET_MS),
        };
        match self.tabs.get_mut(&tab) {
            None => {
                self.tabs.insert(tab, heard);
                true
            }
            Some(known) => {
                if !known.has_left {
                    *known = heard;
                }
                false
            }
        }
    }

    /// Notes that a page was left.
    pub fn leave(&mut self, tab: u32, account: AccountId, now: Timestamp) {
        let left = Tab {
            account,
            step: None,
            has_left: true,
            until: Timestamp(now.0 + FORGET_MS),
        };
        self.tabs.insert(tab, left);
    }

    /// Forgets the pages that were not heard of for too long.
    pub fn forget(&mut self, now: Timestamp) {
        self.tabs.retain(|_, tab| tab.until > now);
    }

    /// Returns who is here, each once.
    pub fn people(&self) -> BTreeSet<AccountId> {
        self.present().map(|tab| tab.account).collect()
    }

    /// Returns who has a step selected, for each step that someone has.
    pub fn selections(&self) -> BTreeMap<StepId, BTreeSet<AccountId>> {
        let mut selections: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for tab in self.present() {
            if let Some(step) = tab.step {
                selections.entry(step).or_default().insert(tab.account);
            }
        }
        selections
    }

    fn present(&self) -> impl Iterator<Item = &Tab> {
        self.tabs.values().filter(|tab| !tab.has_left)
    }
}

/// Returns the first letters of a name's first and last word, to stand for it where there is no
/// room.
pub fn initials(name: &str) -> String {
    let mut words = name
        .split_whitespace()
        .filter_map(|word| word.chars().find(|c| c.is_alphanumeric()));
    let first = words.next();
    let letters = first.into_iter().chain(words.next_back());
    let initials: String = letters.flat_map(char::to_uppercase).collect();
    if initials.is_empty() {
        "?".to_owned()
    } else {
        initials
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::{Company, FORGET_MS, initials};
    use crate::{AccountId, StepId, Timestamp};

    const ADA: AccountId = AccountId(Uuid::from_u128(1));
    const BEN: AccountId = AccountId(Uuid::from_u128(2));
    const STEP: StepId = StepId(Uuid::from_u128(3));

    #[test]
    fn a_page_is_new_once_and_someone_with_two_is_one() {
        let mut company = Company::default();
        assert!(company.hear(1, ADA, None, Timestamp(0)));
        assert!(company.hear(2, ADA, Some(STEP), Timestamp(0)));
        assert!(!company.hear(2, ADA, Some(STEP), Timestamp(1)));
        assert!(company.hear(3, BEN, Some(STEP), Timestamp(1)));
        assert_eq!(company.people().into_iter().collect::<Vec<_>>(), [ADA, BEN]);
        let selections = company.selections();
        assert_eq!(selections.len(), 1);
        assert!(selections[&STEP].contains(&ADA) && selections[&STEP].contains(&BEN));
    }

    #[test]
    fn who_is_not_heard_of_is_forgotten() {
        let mut company = Company::default();
        company.hear(1, ADA, None, Timestamp(0));
        company.hear(2, BEN, None, Timestamp(10));
        company.forget(Timestamp(FORGET_MS));
        assert_eq!(company.people().into_iter().collect::<Vec<_>>(), [BEN]);
        assert!(company.hear(1, ADA, None, Timestamp(FORGET_MS)));
    }

    #[test]
    fn who_left_is_gone_also_when_older_words_arrive_later() {
        let mut company = Company::default();
        company.hear(1, ADA, Some(STEP), Timestamp(0));
        company.leave(1, ADA, Timestamp(1));
        assert!(!company.hear(1, ADA, Some(STEP), Timestamp(2)));
        assert!(company.people().is_empty() && company.selections().is_empty());
        company.leave(2, BEN, Timestamp(2));
        assert!(!company.hear(2, BEN, None, Timestamp(3)));
        assert!(company.people().is_empty());
    }

    #[test]
    fn initials_stand_for_a_name() {
        for (name, expected) in [
            ("Ada Lovelace", "AL"),
            ("ada", "A"),
            ("Jean-Luc de la Tour", "JT"),
            ("  Élodie  (ops)  ", "ÉO"),
            ("ßen", "SS"),
            ("—", "?"),
            ("", "?"),
        ] {
            assert_eq!(initials(name), expected, "{name:?}");
        }
    }
}
