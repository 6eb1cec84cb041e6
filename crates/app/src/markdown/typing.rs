//! What the editor's buttons and keys do to a text: as data, in bytes of the text.

use std::ops::Range;

/// A mark that a button puts around, or in front of, what is selected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// `**bold**`
    Bold,
    /// `_emphasis_`
    Italic,
    /// `` `code` ``, or a block when several lines are selected.
    Code,
    /// `[words](address)`
    Link,
    /// `- ` before each line.
    List,
    /// `> ` before each line.
    Quote,
}

/// A text to put in place of a part of another, and what is selected then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Put {
    /// What is replaced.
    pub(crate) at: Range<usize>,
    /// What stands there then.
    pub(crate) text: String,
    /// What is selected then, in the new text as a whole.
    pub(crate) select: Range<usize>,
}

impl Put {
    /// Returns the whole text after it.
    #[cfg(test)]
    pub(crate) fn applied(&self, text: &str) -> String {
        format!(
            "{}{}{}",
            &text[..self.at.start],
            self.text,
            &text[self.at.end..]
        )
    }
}

/// Returns what a button does to a text with a selection; once more takes it back.
pub(crate) fn mark(text: &str, selected: Range<usize>, mark: Mark) -> Put {
    let is_lines = text[selected.clone()].contains('\n');
    match mark {
        Mark::Bold => around(text, selected, "**", "**"),
        Mark::Italic => around(text, selected, "_", "_"),
        Mark::Code if is_lines => around(text, selected, "```\n", "\n```"),
        Mark::Code => around(text, selected, "`", "`"),
        Mark::Link => link(text, selected),
        Mark::List => before_lines(text, selected, "- "),
        Mark::Quote => before_lines(text, selected, "> "),
    }
}

fn around(text: &str, selected: Range<usize>, left: &str, right: &str) -> Put {
    let inner = &text[selected.clone()];
    let is_marked =
        text[..selected.start].ends_with(left) && text[selected.end..].starts_with(right);
    if is_marked {
        let start = selected.start - left.len();
        return Put {
            at: start..selected.end + right.len(),
            text: inner.to_owned(),
            select: start..start + inner.len(),
        };
    }
    let start = selected.start + left.len();
    Put {
        select: start..start + inner.len(),
        text: format!("{left}{inner}{right}"),
        at: selected,
    }
}

/// Words become a link whose address is to be typed; an address becomes one without words yet.
fn link(text: &str, selected: Range<usize>) -> Put {
    let inner = &text[selected.clone()];
    let is_address = inner.starts_with("https://") || inner.starts_with("http://");
    let (words, address) = if is_address { ("", inner) } else { (inner, "") };
    let start = selected.start + 1;
    let caret = if is_address || words.is_empty() {
        start
    } else {
        start + words.len() + 2
    };
    Put {
        text: format!("[{words}]({address})"),
        select: caret..caret,
        at: selected,
    }
}

fn before_lines(text: &str, selected: Range<usize>, prefix: &str) -> Put {
    let start = text[..selected.start].rfind('\n').map_or(0, |at| at + 1);
    let end = text[selected.end..]
        .find('\n')
        .map_or(text.len(), |at| selected.end + at);
    let lines: Vec<&str> = text[start..end].split('\n').collect();
    let is_marked = lines.iter().all(|line| line.starts_with(prefix));
    let changed: Vec<String> = lines
        .iter()
        .map(|line| match line.strip_prefix(prefix) {
            Some(plain) if is_marked => plain.to_owned(),
            _ => format!("{prefix}{line}"),
        })
        .collect();
    let new = changed.join("\n");
    let select = if lines.len() == 1 {
        start + new.len()..start + new.len()
    } else {
        start..start + new.len()
    };
    Put {
        at: start..end,
        text: new,
        select,
    }
}

/// Returns what Enter does in a list or a quote: the next line begins like this one, and an empty
/// one ends it. `None` where Enter is just Enter.
pub(crate) fn enter(text: &str, caret: usize) -> Option<Put> {
    let start = text[..caret].rfind('\n').map_or(0, |at| at + 1);
    let line = &text[start..caret];
    let rest = line.trim_start_matches(' ');
    let indent = &line[..line.len() - rest.len()];
    let (prefix, next) = if let Some(prefix) = ["- [ ] ", "- [x] ", "- ", "* ", "> "]
        .into_iter()
        .find(|prefix| rest.starts_with(prefix))
    {
        (prefix.len(), prefix.replace('x', " "))
    } else {
        let (digits, _) = rest.split_once(". ")?;
        let number: u32 = digits.parse().ok()?;
        (digits.len() + 2, format!("{}. ", number.saturating_add(1)))
    };
    if rest.len() == prefix {
        return Some(Put {
            at: start..caret,
            text: String::new(),
            select: start..start,
        });
    }
    let new = format!("\n{indent}{next}");
    let end = caret + new.len();
    Some(Put {
        at: caret..caret,
        text: new,
        select: end..end,
    })
}

/// Most characters of a name that is being typed.
const NAME: usize = 60;

/// Returns where a name begins that is being typed behind an `@` in front of the caret, and what
/// is typed of it.
pub(crate) fn mention(before: &str) -> Option<(usize, &str)> {
    let at = before.rfind('@')?;
    let typed = &before[at + 1..];
    let stands_alone = !before[..at].ends_with(|c: char| c.is_alphanumeric());
    let is_name =
        typed.chars().count() <= NAME && !typed.contains(['\n', '@']) && !typed.starts_with(' ');
    (stands_alone && is_name).then_some((at, typed))
}

/// Returns whether a name fits what is typed of it: each word begins a word of the name.
pub(crate) fn fits(name: &str, typed: &str) -> bool {
    let name = name.to_lowercase();
    let typed = typed.to_lowercase();
    name.starts_with(&typed) || name.split_whitespace().any(|word| word.starts_with(&typed))
}

/// Returns the byte at which a character stands, given in the units that browsers count.
pub(crate) fn byte(text: &str, units: u32) -> usize {
    let mut left = units as usize;
    for (at, character) in text.char_indices() {
        if left < character.len_utf16() {
            return at;
        }
        left -= character.len_utf16();
    }
    text.len()
}

/// Returns how browsers count the part of a text in front of a byte.
pub(crate) fn units(text: &str, byte: usize) -> u32 {
    let count = text[..byte].encode_utf16().count();
    u32::try_from(count).unwrap_or(u32::MAX)
}
