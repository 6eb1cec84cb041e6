//! Who else has the same draft or review open, as one page knows it.
//!
//! Nothing of this is kept on the server: each page tells the others what it has open (see
//! [`crate::live::Changed::Here`]), again every [`TELL_MS`], and forgets whoever it has not heard
//! of for [`FORGET_MS`]. A page that hears of a new one tells it at once that it is here, too.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{AccountId, StepId, Timestamp};

/// A field of a form, in so few bytes that it can be told with every move of the caret: a hash of
/// its name. All that it is for is to be compared with the marks of the fields that a page shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FieldMark(u32);

impl FieldMark {
    /// Returns the mark of a field (FNV-1a).
    pub fn of(name: &str) -> Self {
        let mix = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        Self(name.bytes().fold(0x811c_9dc5, mix))
    }
}

/// Where a page is: the selected step, and the field of it that has the caret. A field without a
/// step is one of the trigger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct At {
    /// The step.
    pub step: Option<StepId>,
    /// The field.
    pub field: Option<FieldMark>,
}

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
    at: At,
    /// Numbers are never used again: what was said before the page left may arrive after that.
    has_left: bool,
    until: Timestamp,
}

impl Company {
    /// Notes what a page says of itself; returns whether it is new, so does not know of us.
    pub fn hear(&mut self, tab: u32, account: AccountId, at: At, now: Timestamp) -> bool {
        let heard = Tab {
            account,
            at,
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
            at: At::default(),
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
            if let Some(step) = tab.at.step {
                selections.entry(step).or_default().insert(tab.account);
            }
        }
        selections
    }

    /// Returns who has the caret in a field, for each field in which someone has it.
    pub fn fields(&self) -> BTreeMap<At, BTreeSet<AccountId>> {
        let mut fields: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for tab in self.present().filter(|tab| tab.at.field.is_some()) {
            fields.entry(tab.at).or_default().insert(tab.account);
        }
        fields
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

    use super::{At, Company, FORGET_MS, FieldMark, initials};
    use crate::{AccountId, StepId, Timestamp};

    const ADA: AccountId = AccountId(Uuid::from_u128(1));
    const BEN: AccountId = AccountId(Uuid::from_u128(2));
    const STEP: StepId = StepId(Uuid::from_u128(3));
    const NOWHERE: At = At {
        step: None,
        field: None,
    };
    const AT_STEP: At = At {
        step: Some(STEP),
        field: None,
    };

    #[test]
    fn a_page_is_new_once_and_someone_with_two_is_one() {
        let mut company = Company::default();
        assert!(company.hear(1, ADA, NOWHERE, Timestamp(0)));
        assert!(company.hear(2, ADA, AT_STEP, Timestamp(0)));
        assert!(!company.hear(2, ADA, AT_STEP, Timestamp(1)));
        assert!(company.hear(3, BEN, AT_STEP, Timestamp(1)));
        assert_eq!(company.people().into_iter().collect::<Vec<_>>(), [ADA, BEN]);
        let selections = company.selections();
        assert_eq!(selections.len(), 1);
        assert!(selections[&STEP].contains(&ADA) && selections[&STEP].contains(&BEN));
    }

    #[test]
    fn a_field_is_one_of_its_step_or_of_the_trigger() {
        let [url, body] = ["url", "body"].map(FieldMark::of);
        assert_ne!(url, body);
        let at = |step, field| At {
            step,
            field: Some(field),
        };
        let mut company = Company::default();
        company.hear(1, ADA, at(Some(STEP), url), Timestamp(0));
        company.hear(2, BEN, at(Some(STEP), url), Timestamp(0));
        company.hear(3, BEN, at(None, url), Timestamp(0));
        company.hear(4, BEN, AT_STEP, Timestamp(0));
        let fields = company.fields();
        assert_eq!(fields.len(), 2);
        assert_eq!(fields[&at(Some(STEP), url)].len(), 2);
        assert_eq!(fields[&at(None, url)].len(), 1);
        company.hear(1, ADA, at(Some(STEP), body), Timestamp(1));
        let fields = company.fields();
        assert!(!fields[&at(Some(STEP), url)].contains(&ADA), "moved on");
        assert!(fields[&at(Some(STEP), body)].contains(&ADA));
    }

    #[test]
    fn who_is_not_heard_of_is_forgotten() {
        let mut company = Company::default();
        company.hear(1, ADA, NOWHERE, Timestamp(0));
        company.hear(2, BEN, NOWHERE, Timestamp(10));
        company.forget(Timestamp(FORGET_MS));
        assert_eq!(company.people().into_iter().collect::<Vec<_>>(), [BEN]);
        assert!(company.hear(1, ADA, NOWHERE, Timestamp(FORGET_MS)));
    }

    #[test]
    fn who_left_is_gone_also_when_older_words_arrive_later() {
        let mut company = Company::default();
        company.hear(1, ADA, AT_STEP, Timestamp(0));
        company.leave(1, ADA, Timestamp(1));
        assert!(!company.hear(1, ADA, AT_STEP, Timestamp(2)));
        assert!(company.people().is_empty() && company.selections().is_empty());
        company.leave(2, BEN, Timestamp(2));
        assert!(!company.hear(2, BEN, NOWHERE, Timestamp(3)));
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
