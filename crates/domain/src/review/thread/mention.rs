//! Who is mentioned in a text: `@` and a member's full name.

use std::collections::BTreeSet;

use crate::AccountId;
use crate::review::Person;

/// Returns the members whose names stand behind an `@`. Where one name begins with another, the
/// longer one is meant; where two members have the same name, both are.
pub fn mentions(body: &str, members: &[Person]) -> BTreeSet<AccountId> {
    let mut found = BTreeSet::new();
    let mut before = None;
    for (index, character) in body.char_indices() {
        if character == '@' && !before.is_some_and(char::is_alphanumeric) {
            found.extend(named(&body[index + 1..], members));
        }
        before = Some(character);
    }
    found
}

fn named<'a>(text: &str, members: &'a [Person]) -> impl Iterator<Item = AccountId> + 'a {
    let begins = |name: &str| {
        let rest = text.strip_prefix(name)?;
        let goes_on = rest.chars().next().is_some_and(char::is_alphanumeric);
        (!goes_on && !name.is_empty()).then_some(name.len())
    };
    let longest = members
        .iter()
        .filter_map(|member| begins(&member.name))
        .max();
    let name = longest.map(|length| text[..length].to_owned());
    members
        .iter()
        .filter(move |member| Some(&member.name) == name.as_ref())
        .map(|member| member.account)
}
