//! What can be written at a place of a text: values, filters, functions, tests and arguments.
//!
//! A pure function of text, caret and what the step can reach, so that the field, the large editor
//! and the tests ask the same. Reads tokens up to the caret, never a tree: what is being written
//! is no whole expression yet.

use std::ops::Range;

use super::scan::{end_of_expression, opening};
use super::token::{Keyword, Lexer, Token};
use super::vocabulary::{FILTER_WORDS, FUNCTION_WORDS, TEST_WORDS, Word};
use crate::reach::{self, Member, Reach};

/// Most suggestions at once.
const MOST: usize = 40;

/// Suggestions for a place in a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Completion {
    /// What a suggestion replaces, as a range of bytes of the text.
    pub at: Range<usize>,
    /// The suggestions, best first; never empty.
    pub suggestions: Vec<Suggestion>,
}

/// One thing that can be written.
#[derive(Clone, Debug, PartialEq)]
pub struct Suggestion {
    /// What it is.
    pub what: Suggests,
    /// What a list shows.
    pub label: String,
    /// What is written.
    pub text: String,
    /// Where the caret goes, in bytes of what is written.
    pub caret: usize,
    /// What it is or does, in a few words, or empty.
    pub help: String,
    /// A value that it had, in a few words, or empty.
    pub sample: String,
}

/// What a suggestion is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suggests {
    /// A value that the step can reach.
    Value,
    /// Something behind `|`.
    Filter,
    /// Something with brackets.
    Function,
    /// Something behind `is`.
    Test,
    /// A word that joins values.
    Word,
    /// An argument with a name.
    Argument,
}

/// Returns what can be written at a caret, or `None` where nothing is to be suggested: within
/// quotes, behind a whole value, and outside of expressions, unless a word begins with `/` there.
pub fn complete(text: &str, caret: usize, is_condition: bool, reach: &Reach) -> Option<Completion> {
    let caret = floor(text, caret);
    let Some(from) = expression(text, caret, is_condition) else {
        return behind_slash(text, caret, reach);
    };
    let mut before = tokens(&text[..caret], from);
    let typed = before
        .pop_if(|(token, at)| {
            let is_word = matches!(token, Token::Name | Token::Keyword(_) | Token::Constant);
            at.end == caret && (is_word || *token == Token::OpenQuote)
        })
        .map_or(caret..caret, |(_, at)| at);
    let word = &text[typed.clone()];
    let end = caret + end_of_word(&text[caret..]);
    let previous = before.last().map(|(token, _)| *token);
    let (start, found) = match previous {
        Some(Token::Sign(b'.' | b'[')) => {
            let (_, sign) = before.pop()?;
            let is_bracket = previous == Some(Token::Sign(b'['));
            match path(text, &before) {
                Some(names) => {
                    let end = if word.starts_with(['"', '\'']) {
                        end_of_key(text, caret)
                    } else {
                        end
                    };
                    let typed = word.trim_start_matches(['"', '\'']);
                    let suggestions = members(reach, &names, typed);
                    return some(sign.start..end, suggestions);
                }
                None if is_bracket && !word.starts_with(['"', '\'']) => {
                    (typed.start, values(reach, word, None))
                }
                None => return None,
            }
        }
        _ if word.starts_with(['"', '\'']) => return None,
        Some(Token::Sign(b'|')) => (typed.start, words(Suggests::Filter, &FILTER_WORDS, word)),
        Some(Token::Keyword(Keyword::Is)) => {
            (typed.start, words(Suggests::Test, &TEST_WORDS, word))
        }
        Some(Token::Keyword(Keyword::Not)) if is_behind_is(&before) => {
            (typed.start, words(Suggests::Test, &TEST_WORDS, word))
        }
        Some(token) if ends_value(token) => {
            // Behind a whole value only once something is typed: else the list would never go away.
            if word.is_empty() {
                return None;
            }
            (typed.start, joins(word))
        }
        Some(Token::OpenQuote | Token::Unknown | Token::Number) => return None,
        _ => (typed.start, values(reach, word, called(text, &before))),
    };
    some(start..end, found)
}

/// Returns what is written to use a value at a caret: the bare expression inside of one, with
/// braces elsewhere.
pub fn insertion(text: &str, caret: usize, is_condition: bool, value: &str) -> String {
    if is_inside(text, caret, is_condition) {
        value.to_owned()
    } else {
        format!("{{{{ {value} }}}}")
    }
}

/// Returns whether a place stands in an expression.
pub fn is_inside(text: &str, caret: usize, is_condition: bool) -> bool {
    expression(text, floor(text, caret), is_condition).is_some()
}

/// Suggests values, with the braces around them, for a word that begins with `/`.
fn behind_slash(text: &str, caret: usize, reach: &Reach) -> Option<Completion> {
    let before = &text[..caret];
    let start = before.rfind(char::is_whitespace).map_or(0, |at| {
        at + before[at..].chars().next().map_or(0, char::len_utf8)
    });
    let typed = before[start..].strip_prefix('/')?;
    let is_word = typed.chars().all(|c| c.is_alphanumeric() || c == '_');
    let found = values(reach, typed, None).into_iter();
    let found = found.filter(|one| is_word && one.what == Suggests::Value);
    let braced = found.map(|one| {
        let text = format!("{{{{ {} }}}}", one.text);
        Suggestion {
            caret: text.len(),
            text,
            ..one
        }
    });
    some(start..caret, braced.collect())
}

fn some(at: Range<usize>, mut suggestions: Vec<Suggestion>) -> Option<Completion> {
    suggestions.truncate(MOST);
    (!suggestions.is_empty()).then_some(Completion { at, suggestions })
}

/// Returns the caret, or the start of the character that it is in.
fn floor(text: &str, caret: usize) -> usize {
    let mut caret = caret.min(text.len());
    while !text.is_char_boundary(caret) {
        caret -= 1;
    }
    caret
}

/// Returns where the expression that a caret stands in begins.
fn expression(text: &str, caret: usize, is_condition: bool) -> Option<usize> {
    let bytes = text.as_bytes();
    if is_condition && !text.trim_start().starts_with("{{") {
        return Some(0);
    }
    let mut from = 0;
    while let Some(open) = opening(bytes, from) {
        let start = open + 2;
        if caret < start {
            return None;
        }
        match end_of_expression(bytes, start) {
            Ok(end) if caret > end => from = end + 2,
            _ => return Some(start),
        }
    }
    None
}

fn tokens(before: &str, from: usize) -> Vec<(Token, Range<usize>)> {
    let mut lexer = Lexer::new(before, from);
    let mut tokens = Vec::new();
    while lexer.token != Token::End {
        tokens.push((lexer.token, lexer.start..lexer.end));
        lexer.advance();
    }
    tokens
}

/// Returns how far the word goes on behind the caret.
fn end_of_word(rest: &str) -> usize {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    rest.bytes().take_while(|byte| is_part(byte)).count()
}

/// Returns where a key in quotes and brackets ends, which may not be closed yet.
fn end_of_key(text: &str, caret: usize) -> usize {
    let rest = &text[caret..];
    let stop = rest.find(['\'', '"', '\n', '}', ']']).unwrap_or(0);
    let closed = ["']", "\"]"]
        .iter()
        .any(|close| rest[stop..].starts_with(close));
    if closed { caret + stop + 2 } else { caret }
}

fn ends_value(token: Token) -> bool {
    matches!(
        token,
        Token::Name
            | Token::Constant
            | Token::Text
            | Token::Number
            | Token::Sign(b')' | b']' | b'}')
    )
}

fn is_behind_is(before: &[(Token, Range<usize>)]) -> bool {
    let place = before.len().checked_sub(2);
    place.is_some_and(|at| before[at].0 == Token::Keyword(Keyword::Is))
}

/// Returns the names of the reference that the tokens end with; `None` when it is none.
fn path(text: &str, before: &[(Token, Range<usize>)]) -> Option<Vec<String>> {
    let mut names = Vec::new();
    let mut rest = before;
    loop {
        match rest {
            [
                ..,
                (Token::Sign(b'['), _),
                (Token::Text | Token::Number, at),
                (Token::Sign(b']'), _),
            ] => {
                names.push(text[at.clone()].trim_matches(['"', '\'']).to_owned());
                rest = &rest[..rest.len() - 3];
            }
            [
                ..,
                (Token::Sign(b'.'), _),
                (Token::Name | Token::Number | Token::Keyword(_) | Token::Constant, at),
            ] => {
                names.push(text[at.clone()].to_owned());
                rest = &rest[..rest.len() - 2];
            }
            [before @ .., (Token::Name, at)] => {
                let is_call = matches!(before, [.., (Token::Sign(b'|'), _)]);
                names.push(text[at.clone()].to_owned());
                names.reverse();
                return (!is_call).then_some(names);
            }
            _ => return None,
        }
    }
}

/// Returns the filter, function or test in whose brackets the tokens end, right where an argument
/// begins.
fn called(text: &str, before: &[(Token, Range<usize>)]) -> Option<&'static Word> {
    let mut depth = 0_usize;
    let begins = matches!(before.last()?.0, Token::Sign(b'(' | b','));
    for index in (0..before.len()).rev() {
        match before[index].0 {
            Token::Sign(b')' | b']' | b'}') => depth += 1,
            Token::Sign(b'(') if depth == 0 => {
                let (_, name) = index.checked_sub(1).map(|at| &before[at])?;
                let name = &text[name.clone()];
                let all = FILTER_WORDS.iter().chain(&FUNCTION_WORDS);
                return all.clone().find(|word| word.name == name && begins);
            }
            Token::Sign(b'(' | b'[' | b'{') => depth = depth.checked_sub(1)?,
            _ => {}
        }
    }
    None
}

/// Lower is better; `None` does not fit.
fn fit(typed: &str, name: &str) -> Option<usize> {
    let (typed, name) = (typed.to_lowercase(), name.to_lowercase());
    match name.find(&typed)? {
        0 => Some(usize::from(name != typed)),
        _ => Some(2),
    }
}

/// Keeps what fits what is typed, the best first.
fn fitting<T>(
    all: impl Iterator<Item = T>,
    typed: &str,
    name: impl Fn(&T) -> Option<usize>,
) -> Vec<T> {
    let mut ranked: Vec<(usize, T)> = all
        .filter_map(|one| {
            let rank = if typed.is_empty() { 0 } else { name(&one)? };
            Some((rank, one))
        })
        .collect();
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked.into_iter().map(|(_, one)| one).collect()
}

fn words(what: Suggests, all: &'static [Word], typed: &str) -> Vec<Suggestion> {
    let fit = |word: &&Word| fit(typed, word.name);
    let found = fitting(all.iter(), typed, fit).into_iter();
    found
        .map(|word| {
            let (text, caret) = word.written();
            Suggestion {
                what,
                label: word.name.to_owned(),
                text,
                caret,
                help: word.help.to_owned(),
                sample: String::new(),
            }
        })
        .collect()
}

fn joins(typed: &str) -> Vec<Suggestion> {
    const JOINS: [(&str, &str); 6] = [
        ("and", "Both hold."),
        ("or", "One of the two holds."),
        ("if", "This value if a condition holds: a if b else c."),
        ("else", "The other value."),
        ("in", "It is an item of a list, or a part of a text."),
        ("is", "A test, such as is defined."),
    ];
    let begin = JOINS
        .into_iter()
        .filter(|(word, _)| word.starts_with(typed) && *word != typed);
    begin
        .map(|(word, help)| plain(Suggests::Word, word, help))
        .collect()
}

fn plain(what: Suggests, word: &str, help: &str) -> Suggestion {
    Suggestion {
        what,
        label: word.to_owned(),
        text: word.to_owned(),
        caret: word.len(),
        help: help.to_owned(),
        sample: String::new(),
    }
}

fn members(reach: &Reach, names: &[String], typed: &str) -> Vec<Suggestion> {
    let fit = |member: &Member<'_>| {
        fit(typed, &member.name).or_else(|| fit(typed, member.title).map(|rank| rank + 3))
    };
    let found = fitting(reach.members(names).into_iter(), typed, fit).into_iter();
    found
        .map(|member| Suggestion {
            what: Suggests::Value,
            caret: member.written.len(),
            label: member.name,
            text: member.written,
            help: member.title.to_owned(),
            sample: member.sample.map(reach::short).unwrap_or_default(),
        })
        .collect()
}

/// Suggests what a value can begin with.
fn values(reach: &Reach, typed: &str, called: Option<&'static Word>) -> Vec<Suggestion> {
    let mut found = Vec::new();
    let named = called.into_iter().flat_map(|word| word.named);
    for name in named.filter(|name| name.starts_with(typed)) {
        let is_switch = matches!(*name, "reverse" | "case_sensitive");
        let text = format!("{name}={}", if is_switch { "true" } else { "''" });
        found.push(Suggestion {
            caret: text.len() - usize::from(!is_switch),
            text,
            ..plain(Suggests::Argument, name, "Argument with a name.")
        });
    }
    if typed.is_empty() {
        let sources = reach.sources().iter();
        found.extend(sources.map(|source| Suggestion {
            help: source.kind.clone(),
            sample: source.sample.as_ref().map(reach::short).unwrap_or_default(),
            label: source.title.clone(),
            ..plain(Suggests::Value, &source.expression, "")
        }));
    } else {
        // `steps` by itself is what one types on the way to a step.
        if "steps".starts_with(typed) && typed != "steps" && !reach.members(&["steps"]).is_empty() {
            found.push(plain(Suggests::Value, "steps", "What earlier steps gave."));
        }
        found.extend(reach.search(typed, MOST / 2).into_iter().map(|value| {
            let label = value.names.last().unwrap_or(&value.source.title).clone();
            let help = if value.names.is_empty() {
                &value.source.kind
            } else {
                &value.source.title
            };
            Suggestion {
                sample: value.sample.map(reach::short).unwrap_or_default(),
                help: help.clone(),
                label,
                ..plain(Suggests::Value, &value.expression, "")
            }
        }));
    }
    found.extend(words(Suggests::Function, &FUNCTION_WORDS, typed));
    found
}

#[cfg(test)]
mod tests;
