//! Slugs: what expressions call a step, as in `steps.fetch_order`.

/// Longest slug, in characters.
pub const MAX: usize = 60;

/// Words that expressions use themselves.
const RESERVED: [&str; 11] = [
    "and", "else", "false", "if", "in", "is", "none", "not", "or", "true", "loop",
];

/// The longest of them, in bytes.
const RESERVED_MAX: usize = 5;

/// Returns the slug of a name: lower-case ASCII letters, digits and `_`, not starting with a digit.
pub fn of(name: &str) -> String {
    let mut slug = String::new();
    for character in name.chars().flat_map(char::to_lowercase) {
        if character.is_ascii_alphanumeric() {
            slug.push(character);
        } else if !slug.is_empty() && !slug.ends_with('_') {
            slug.push('_');
        }
        if slug.len() == MAX {
            break;
        }
    }
    let slug = slug.trim_end_matches('_');
    if slug.is_empty() {
        "step".to_owned()
    } else if slug.starts_with(|first: char| first.is_ascii_digit()) || RESERVED.contains(&slug) {
        format!("step_{slug}")
    } else {
        slug.to_owned()
    }
}

/// Returns the slug of a name, with a number behind it while `taken` says that it is in use.
pub fn unique(name: &str, taken: impl Fn(&str) -> bool) -> String {
    let plain = of(name);
    if !taken(&plain) {
        return plain;
    }
    (2..)
        .map(|number| format!("{plain}_{number}"))
        .find(|slug| !taken(slug))
        .expect("a document holds fewer steps than there are numbers")
}

/// Returns whether a text can stand behind `steps.` in an expression.
pub fn is_valid(slug: &str) -> bool {
    let bytes = slug.as_bytes();
    matches!(bytes.first(), Some(b'a'..=b'z' | b'_'))
        && bytes.len() <= MAX + 12
        && bytes
            .iter()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
        && !(bytes.len() <= RESERVED_MAX && RESERVED.contains(&slug))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_slug_says_the_name_as_far_as_it_can() {
        let table = [
            ("Fetch order", "fetch_order"),
            ("  HTTP  request (v2)! ", "http_request_v2"),
            ("2nd call", "step_2nd_call"),
            ("Größe", "gr_e"),
            ("日本", "step"),
            ("", "step"),
            ("___", "step"),
            ("Not", "step_not"),
            ("İ", "i"),
        ];
        for (name, slug) in table {
            assert_eq!(of(name), slug, "{name}");
        }
        assert!(
            RESERVED
                .iter()
                .all(|word| word.len() <= RESERVED_MAX && !is_valid(word))
        );
        assert_eq!(unique("A", |slug| matches!(slug, "a" | "a_2")), "a_3");
    }

    proptest! {
        #[test]
        fn every_name_gives_a_valid_slug(name in "\\PC{0,90}", taken in 0..5_000_usize) {
            let slug = of(&name);
            prop_assert!(is_valid(&slug), "{slug}");
            let left = std::cell::Cell::new(taken);
            let numbered = unique(&name, |_| left.replace(left.get().saturating_sub(1)) > 0);
            prop_assert!(is_valid(&numbered), "{numbered}");
        }

        #[test]
        fn a_valid_slug_can_stand_in_an_expression(slug in "[a-z_0-9]{1,8}") {
            if is_valid(&slug) {
                let scanned = crate::template::check(&format!("{{{{ steps.{slug}.x }}}}"));
                let scanned = scanned.expect("it is an expression");
                prop_assert_eq!(&scanned[0].references[0].path[1], &slug);
            }
        }
    }
}
