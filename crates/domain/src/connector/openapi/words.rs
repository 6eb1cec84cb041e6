//! Texts of a description, made fit for a form: plain, short, and in one piece.

/// Returns a text without markup, in one line, of at most so many characters.
pub(super) fn plain(text: &str, most: usize) -> String {
    let mut plain = String::new();
    let mut count = 0;
    let mut in_tag = false;
    let mut was_space = true;
    // What is cut off is not read: descriptions hold whole manuals.
    for character in text.chars().take(most.saturating_mul(4)) {
        match character {
            '<' => in_tag = true,
            '>' if in_tag => in_tag = false,
            _ if in_tag => continue,
            '`' | '*' | '\u{200b}' | '\u{feff}' => continue,
            space if space.is_whitespace() || space.is_control() => {
                if !was_space {
                    plain.push(' ');
                    count += 1;
                }
                was_space = true;
                continue;
            }
            letter => {
                plain.push(letter);
                count += 1;
                was_space = false;
            }
        }
        if count > most {
            break;
        }
    }
    let plain = plain.trim();
    if plain.chars().count() <= most {
        return plain.to_owned();
    }
    let cut: String = plain.chars().take(most.saturating_sub(1)).collect();
    // Between words, when there are some.
    let end = cut.rfind(' ').filter(|end| *end > cut.len() / 2);
    let cut = &cut[..end.unwrap_or(cut.len())];
    format!("{}…", cut.trim_end_matches([' ', ',', '.', ';', ':']))
}

/// Returns the words of a name, such as `per_page`, `perPage` or `X-Per-Page`.
pub(super) fn of_name(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    let letters: Vec<char> = name.chars().collect();
    for (at, letter) in letters.iter().enumerate() {
        let before = at.checked_sub(1).map(|before| letters[before]);
        let next = letters.get(at + 1);
        let begins = letter.is_uppercase()
            && before.is_some_and(|before| {
                before.is_lowercase()
                    || before.is_ascii_digit()
                    || before.is_uppercase() && next.is_some_and(|next| next.is_lowercase())
            });
        if !letter.is_alphanumeric() || begins {
            words.extend((!word.is_empty()).then(|| std::mem::take(&mut word)));
        }
        if letter.is_alphanumeric() {
            word.push(*letter);
        }
    }
    words.extend((!word.is_empty()).then_some(word));
    words
}

/// Returns a name as a label: `per_page` as “Per page”. Words that are written in capitals stay so.
pub(super) fn label(name: &str) -> String {
    let words = of_name(name);
    let mut label = String::new();
    for (at, word) in words.iter().enumerate() {
        let is_short_name = word.chars().count() > 1 && word.chars().all(|c| !c.is_lowercase());
        if at > 0 {
            label.push(' ');
        }
        match word.to_lowercase().as_str() {
            short @ ("id" | "url" | "uri" | "ip" | "api" | "html" | "json" | "sms" | "uuid") => {
                label.push_str(&short.to_uppercase());
            }
            _ if is_short_name && words.len() > 1 => label.push_str(word),
            lower if at == 0 => {
                let mut letters = lower.chars();
                label.extend(letters.next().into_iter().flat_map(char::to_uppercase));
                label.push_str(letters.as_str());
            }
            lower => label.push_str(lower),
        }
    }
    if label.is_empty() {
        name.to_owned()
    } else {
        label
    }
}

/// Writes a literal part of a path, with what may not stand in an address percent-encoded.
pub(super) fn encode_path(text: &str, into: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte) {
            into.push(char::from(byte));
        } else {
            into.push_str(&format!("%{byte:02X}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_becomes_one_plain_line_that_fits() {
        let table = [
            ("Lists  all\n**things**.", 40, "Lists all things."),
            ("<p>One</p> <b>two</b>", 40, "One two"),
            ("", 10, ""),
            ("one two three four", 12, "one two…"),
            ("onetwothreefour", 8, "onetwot…"),
            ("größe größe größe", 12, "größe größe…"),
        ];
        for (text, most, expected) in table {
            assert_eq!(plain(text, most), expected, "{text}");
            assert!(plain(text, most).chars().count() <= most);
        }
    }

    #[test]
    fn a_name_becomes_a_label() {
        let table = [
            ("per_page", "Per page"),
            ("perPage", "Per page"),
            ("X-Request-Id", "X request ID"),
            ("AccountSid", "Account sid"),
            ("HTMLUrl", "HTML URL"),
            ("owner", "Owner"),
            ("filter[name]", "Filter name"),
            ("$top", "Top"),
            ("__", "__"),
        ];
        for (name, expected) in table {
            assert_eq!(label(name), expected, "{name}");
        }
    }
}
