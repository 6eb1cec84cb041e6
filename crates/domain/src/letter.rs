//! What all letters have in common, whatever they are about.
//!
//! What is composed goes into a message as it is: a subject has no line ends, whatever the names
//! and titles in it are.

/// Returns after how many seconds a letter is tried again that was tried so often.
pub const fn pause_after(attempts: u32) -> u32 {
    match attempts {
        0 | 1 => 60,
        2 => 5 * 60,
        3 => 30 * 60,
        _ => 2 * 60 * 60,
    }
}

/// Returns a name or title without anything that could end a header's line.
pub(crate) fn one_line(text: &str) -> String {
    let is_break = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    let parts = text.split(is_break).map(str::trim);
    let parts: Vec<_> = parts.filter(|part| !part.is_empty()).collect();
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::pause_after;

    #[test]
    fn pauses_grow_up_to_two_hours() {
        let pauses: Vec<_> = (1..6).map(pause_after).collect();
        assert_eq!(pauses, [60, 300, 1_800, 7_200, 7_200]);
    }
}
