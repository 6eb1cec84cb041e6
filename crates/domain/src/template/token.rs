//! The words and signs of an expression, one at a time and without copying.

use std::ops::Range;

/// One token; where it stands is the [`Lexer`]'s to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// Nothing more.
    End,
    /// A word that is none of the others.
    Name,
    /// `true`, `false` or `none`, also with a capital.
    Constant,
    /// `and`, `or`, `not`, `in`, `is`, `if` or `else`.
    Keyword(Keyword),
    /// A text in quotes.
    Text,
    /// A number.
    Number,
    /// `==`, `!=`, `<=`, `>=` or `//`.
    Pair,
    /// `**`.
    Power,
    /// A single sign.
    Sign(u8),
    /// A quote without its partner.
    OpenQuote,
    /// A character that no expression has.
    Unknown,
}

/// A word that joins values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keyword {
    And,
    Or,
    Not,
    In,
    Is,
    If,
    Else,
}

/// Cuts an expression into tokens. Holds the token that comes next.
#[derive(Clone, Copy)]
pub(super) struct Lexer<'a> {
    source: &'a str,
    /// The token at `start..end`.
    pub(super) token: Token,
    /// Where the token starts.
    pub(super) start: usize,
    /// Where the token ends.
    pub(super) end: usize,
    /// Where the token before it ended.
    pub(super) last_end: usize,
    /// Every token so far means the same to MiniJinja for sure.
    pub(super) sure: bool,
    /// The token before was a dot, so that a number is a place in a list.
    after_dot: bool,
    /// How many `{` are open.
    braces: u32,
    /// The first `}}` outside of them is the end.
    ends_at_braces: bool,
}

impl<'a> Lexer<'a> {
    /// Reads a source from a place on, up to its end.
    pub(super) fn new(source: &'a str, from: usize) -> Self {
        Self::begin(source, from, false)
    }

    /// Reads a text from behind a `{{` on, up to the `}}` that closes it.
    pub(super) fn within(text: &'a str, from: usize) -> Self {
        Self::begin(text, from, true)
    }

    fn begin(source: &'a str, from: usize, ends_at_braces: bool) -> Self {
        let mut lexer = Self {
            source,
            token: Token::End,
            start: from,
            end: from,
            last_end: from,
            sure: true,
            after_dot: false,
            braces: 0,
            ends_at_braces,
        };
        lexer.advance();
        lexer
    }

    /// Returns the text of the token.
    pub(super) fn text(&self) -> &'a str {
        &self.source[self.start..self.end]
    }

    /// Returns a part of the source; its ends are ends of tokens.
    pub(super) fn slice(&self, range: Range<usize>) -> &'a str {
        &self.source[range]
    }

    /// Goes to the next token.
    pub(super) fn advance(&mut self) {
        let bytes = self.source.as_bytes();
        self.last_end = self.end;
        self.after_dot = self.token == Token::Sign(b'.');
        let mut at = self.end;
        while at < bytes.len() && bytes[at].is_ascii_whitespace() {
            at += 1;
        }
        self.start = at;
        self.end = at;
        self.token = match bytes.get(at) {
            None => Token::End,
            Some(b'a'..=b'z' | b'A'..=b'Z' | b'_') => self.word(bytes),
            Some(quote @ (b'"' | b'\'')) => self.quoted(bytes, *quote),
            Some(b'0'..=b'9') => self.number(bytes),
            Some(sign) => self.sign(bytes, *sign),
        };
    }

    fn word(&mut self, bytes: &[u8]) -> Token {
        while bytes
            .get(self.end)
            .is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
        {
            self.end += 1;
        }
        word(&bytes[self.start..self.end])
    }

    fn quoted(&mut self, bytes: &[u8], quote: u8) -> Token {
        match end_of_text(bytes, self.start, quote) {
            Some((close, has_escapes)) => {
                self.end = close + 1;
                self.sure &= !has_escapes;
                Token::Text
            }
            None => {
                self.end = bytes.len();
                Token::OpenQuote
            }
        }
    }

    /// Reads whole numbers and plain fractions; MiniJinja judges all other ways to write a number.
    fn number(&mut self, bytes: &[u8]) -> Token {
        let digits = |mut at: usize| {
            while bytes.get(at).is_some_and(u8::is_ascii_digit) {
                at += 1;
            }
            at
        };
        self.end = digits(self.start);
        self.sure &= self.end - self.start < 19;
        let next = |at: usize| bytes.get(at).copied().unwrap_or_default();
        if self.after_dot {
            self.sure &= self.start == self.last_end;
        } else if next(self.end) == b'.' && next(self.end + 1).is_ascii_digit() {
            self.end = digits(self.end + 1);
        } else if next(self.end) == b'.' {
            self.sure = false;
            let is_name = next(self.end + 1).is_ascii_alphabetic() || next(self.end + 1) == b'_';
            self.end += usize::from(!is_name);
        }
        if next(self.end).is_ascii_alphanumeric() || next(self.end) == b'_' {
            self.sure = false;
            let exponent = |byte: u8| matches!(byte, b'e' | b'E');
            while next(self.end).is_ascii_alphanumeric()
                || next(self.end) == b'_'
                || (matches!(next(self.end), b'+' | b'-') && exponent(bytes[self.end - 1]))
            {
                self.end += 1;
            }
        }
        Token::Number
    }

    fn sign(&mut self, bytes: &[u8], sign: u8) -> Token {
        let next = bytes.get(self.start + 1).copied().unwrap_or_default();
        if matches!(
            (sign, next),
            (b'=' | b'!' | b'<' | b'>', b'=') | (b'/', b'/')
        ) {
            self.end += 2;
            Token::Pair
        } else if (sign, next) == (b'*', b'*') {
            self.end += 2;
            Token::Power
        } else if is_sign(sign) {
            if sign == b'}' {
                if self.braces == 0 && next == b'}' && self.ends_at_braces {
                    return Token::End;
                }
                self.braces = self.braces.saturating_sub(1);
            }
            self.braces += u32::from(sign == b'{');
            self.end += 1;
            Token::Sign(sign)
        } else {
            let character = self.source[self.start..].chars().next();
            self.end += character.map_or(1, char::len_utf8);
            Token::Unknown
        }
    }
}

fn is_sign(byte: u8) -> bool {
    matches!(
        byte,
        b'+' | b'-'
            | b'*'
            | b'/'
            | b'%'
            | b'.'
            | b','
            | b':'
            | b'~'
            | b'|'
            | b'='
            | b'<'
            | b'>'
            | b'('
            | b')'
            | b'['
            | b']'
            | b'{'
            | b'}'
    )
}

fn word(text: &[u8]) -> Token {
    if text.len() > 5 {
        return Token::Name;
    }
    match text {
        b"and" => Token::Keyword(Keyword::And),
        b"or" => Token::Keyword(Keyword::Or),
        b"not" => Token::Keyword(Keyword::Not),
        b"in" => Token::Keyword(Keyword::In),
        b"is" => Token::Keyword(Keyword::Is),
        b"if" => Token::Keyword(Keyword::If),
        b"else" => Token::Keyword(Keyword::Else),
        b"true" | b"false" | b"none" | b"True" | b"False" | b"None" => Token::Constant,
        _ => Token::Name,
    }
}

/// Returns where the closing quote stands, and whether a backslash is before it.
pub(super) fn end_of_text(bytes: &[u8], open: usize, quote: u8) -> Option<(usize, bool)> {
    let mut has_escapes = false;
    let mut at = open + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => {
                has_escapes = true;
                at += 1;
            }
            byte if byte == quote => return Some((at, has_escapes)),
            _ => {}
        }
        at += 1;
    }
    None
}
