//! How well a name fits what someone typed, for lists that are searched letter by letter.

/// Returns how well a text fits what was typed: higher is better, `None` not at all.
///
/// Every word must be found: at the start, at the start of a word, anywhere, or as the first
/// letters of words (`gs` for "Go to step"), else as letters in this order and close together.
pub fn rank(typed: &str, text: &str) -> Option<u32> {
    let text = text.to_lowercase();
    let mut total = 0;
    for word in typed.to_lowercase().split_whitespace() {
        total += rank_word(word, &text)?;
    }
    Some(total)
}

fn rank_word(word: &str, text: &str) -> Option<u32> {
    if text.starts_with(word) {
        return Some(100);
    }
    let begins = |at: usize| {
        let before = text[..at].chars().next_back();
        before.is_none_or(|before| !before.is_alphanumeric())
    };
    let mut places = text.match_indices(word).map(|(at, _)| at).peekable();
    if places.peek().is_some() {
        return Some(if places.any(begins) { 80 } else { 60 });
    }
    // Most texts do not hold the letters at all, which is quickly seen.
    is_within(word.chars(), text.chars())?;
    let initials: String = text
        .char_indices()
        .filter(|(at, letter)| letter.is_alphanumeric() && begins(*at))
        .map(|(_, letter)| letter)
        .collect();
    if is_within(word.chars(), initials.chars()).is_some() {
        return Some(40);
    }
    // The shortest stretch that begins where the first letter stands.
    let first = word.chars().next()?;
    let stretches = text
        .match_indices(first)
        .filter_map(|(at, _)| is_within(word.chars(), text[at..].chars()));
    let length = word.chars().count();
    stretches
        .min()
        .filter(|stretch| *stretch <= 2 * length)
        .map(|_| 20)
}

/// Returns how many letters of a text are gone through until all letters of a word were met.
fn is_within(
    word: impl Iterator<Item = char>,
    mut text: impl Iterator<Item = char>,
) -> Option<usize> {
    let mut gone = 0;
    for letter in word {
        gone += text.position(|other| other == letter)? + 1;
    }
    Some(gone)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn better_fits_rank_higher() {
        let table = [
            ("", "Go to step", Some(0)),
            ("go", "Go to step", Some(100)),
            ("ST", "Go to step", Some(80)),
            ("tep", "Go to step", Some(60)),
            ("gts", "Go to step", Some(40)),
            ("sep", "Go to step", Some(20)),
            ("go step", "Go to step", Some(180)),
            ("step nothing", "Go to step", None),
            ("pets", "Go to step", None),
            ("gp", "Go to a quite long step", None),
            ("größe", "Die Größe", Some(80)),
        ];
        for (typed, text, expected) in table {
            assert_eq!(rank(typed, text), expected, "{typed} in {text}");
        }
    }

    proptest! {
        #[test]
        fn any_part_of_a_text_finds_it(text in "\\PC{1,30}", from in 0..30_usize, length in 1..9_usize) {
            let letters: Vec<char> = text.to_lowercase().chars().collect();
            let from = from % letters.len();
            let part: String = letters[from..(from + length).min(letters.len())].iter().collect();
            prop_assert!(rank(&part, &text).is_some());
        }
    }
}
