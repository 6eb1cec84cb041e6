//! Judges expressions and collects what they use.
//!
//! The grammar is MiniJinja's for one expression, a little stricter: words such as `and` are
//! never names. No tree is built: one pass over the text tells whether it is an expression,
//! what it refers to and where, and what is wrong in words that a person can use. What MiniJinja
//! might see otherwise (odd numbers, escapes) makes the answer unsure, and then it is asked.
//!
//! Depth is bounded here because MiniJinja's compiler is recursive without a bound of its own
//! for long chains: `1+1+1…` would end the process.

use std::ops::Range;

use super::fault::Fault;
use super::token::{Keyword, Lexer, Token};

/// Most brackets within brackets. MiniJinja allows about 75.
const NESTING: u32 = 50;
/// Deepest tree: operators, dots and filters in a row count like brackets.
const DEPTH: u32 = 150;
/// Most arguments of a call, far below MiniJinja's 2,000.
const ARGUMENTS: u32 = 500;

/// What expressions use, as slices of their text. Places are bytes of the whole text.
#[derive(Debug, Default)]
pub(crate) struct Found<'a> {
    names: Vec<&'a str>,
    references: Vec<Mention>,
    /// Filters, functions and tests.
    pub(crate) calls: Vec<Called<'a>>,
}

/// A value that an expression uses.
#[derive(Clone, Debug)]
pub(crate) struct Mention {
    names: Range<usize>,
    /// Where it stands.
    pub(crate) at: Range<usize>,
    /// Where its second name stands.
    pub(crate) second: Option<Range<usize>>,
}

/// A filter, function or test that an expression uses.
#[derive(Clone, Debug)]
pub(crate) struct Called<'a> {
    /// Its name.
    pub(crate) name: &'a str,
    /// What it is.
    pub(crate) kind: CallKind,
    /// Where its name stands.
    pub(crate) at: Range<usize>,
}

/// How something is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallKind {
    /// Behind `|`.
    Filter,
    /// With `(` behind it.
    Function,
    /// Behind `is`.
    Test,
}

impl<'a> Found<'a> {
    /// Returns each reference with its names.
    pub(crate) fn references(&self) -> impl Iterator<Item = (&[&'a str], &Mention)> {
        self.references
            .iter()
            .map(|mention| (&self.names[mention.names.clone()], mention))
    }

    /// Returns how many references there are.
    pub(crate) fn count(&self) -> usize {
        self.references.len()
    }

    /// Forgets the references and calls behind the first few.
    pub(crate) fn cut(&mut self, references: usize, calls: usize) {
        self.references.truncate(references);
        self.calls.truncate(calls);
    }

    /// Forgets everything, keeping the memory.
    pub(crate) fn clear(&mut self) {
        self.names.clear();
        self.references.clear();
        self.calls.clear();
    }
}

/// What is wrong with an expression, and where in the whole text.
pub(super) type Refused = Box<(Fault, Range<usize>)>;

/// Reads the expression that begins at `from` and goes to the end of `source`. `Ok(true)`:
/// MiniJinja takes it for sure; `Ok(false)`: it has to be asked.
///
/// # Errors
/// When it is not an expression. References are collected all the same, also behind the fault,
/// so that a rename reaches them while someone is still typing.
pub(super) fn read<'a>(
    source: &'a str,
    from: usize,
    found: &mut Found<'a>,
) -> Result<bool, Refused> {
    let mut reader = Reader {
        lexer: Lexer::new(source, from),
        nesting: 0,
        found,
    };
    let mut result = reader.whole();
    while reader.lexer.token != Token::End {
        reader.lexer.advance();
        reader.nesting = 0;
        if reader.lexer.token != Token::End {
            result = result.and(reader.whole());
        }
    }
    result.map(|()| reader.lexer.sure)
}

/// Reads the expression behind a `{{`, without knowing yet where it ends; returns where the `}}`
/// starts, and whether MiniJinja takes it for sure. `None` when something is wrong with it.
pub(super) fn read_within<'a>(
    text: &'a str,
    from: usize,
    found: &mut Found<'a>,
) -> Option<(usize, bool)> {
    let mut reader = Reader {
        lexer: Lexer::within(text, from),
        nesting: 0,
        found,
    };
    reader.whole().ok()?;
    let end = reader.lexer.start;
    (end < text.len()).then_some((end, reader.lexer.sure))
}

struct Reader<'a, 'f> {
    lexer: Lexer<'a>,
    nesting: u32,
    found: &'f mut Found<'a>,
}

impl<'a> Reader<'a, '_> {
    fn whole(&mut self) -> Result<(), Refused> {
        self.expression()?;
        match self.lexer.token {
            Token::End => Ok(()),
            _ => Err(self.refused(self.unjoined())),
        }
    }

    fn refused(&self, fault: Fault) -> Refused {
        Box::new((fault, self.lexer.start..self.lexer.end))
    }

    /// Says what is wrong with a token that stands behind a whole expression.
    fn unjoined(&self) -> Fault {
        match self.lexer.token {
            Token::OpenQuote => Fault::OpenQuote,
            Token::Unknown => Fault::Unknown(self.lexer.text().to_owned()),
            Token::Sign(b'=') => Fault::Assignment,
            _ => Fault::Unjoined(self.lexer.text().to_owned()),
        }
    }

    /// Says what is wrong with a token that stands where a value should.
    fn no_value(&self) -> Fault {
        match self.lexer.token {
            Token::OpenQuote => Fault::OpenQuote,
            Token::Unknown => Fault::Unknown(self.lexer.text().to_owned()),
            Token::End => Fault::ValueAtEnd,
            _ => Fault::ValueBefore(self.lexer.text().to_owned()),
        }
    }

    fn is_sign(&self, sign: u8) -> bool {
        self.lexer.token == Token::Sign(sign)
    }

    fn skip(&mut self, token: Token) -> bool {
        let is_it = self.lexer.token == token;
        if is_it {
            self.lexer.advance();
        }
        is_it
    }

    fn skip_keyword(&mut self, keyword: Keyword) -> bool {
        self.skip(Token::Keyword(keyword))
    }

    /// Returns a depth, refused when it is beyond the bound.
    fn deep(&self, depth: u32) -> Result<u32, Refused> {
        if depth > DEPTH {
            Err(self.refused(Fault::TooDeep))
        } else {
            Ok(depth)
        }
    }

    /// Reads an expression, with its conditions: `a if b else c`. Returns its depth, as do all below.
    fn expression(&mut self) -> Result<u32, Refused> {
        self.nesting += 1;
        if self.nesting > NESTING {
            return Err(self.refused(Fault::TooDeep));
        }
        let mut depth = self.chain()?;
        while self.skip_keyword(Keyword::If) {
            let right = self.chain()?;
            depth = self.deep(depth.max(right) + 1)?;
            if self.skip_keyword(Keyword::Else) {
                let right = self.chain()?;
                depth = self.deep(depth.max(right) + 1)?;
            }
        }
        self.nesting -= 1;
        Ok(depth)
    }

    /// Reads values joined by operators. What binds how tightly does not matter here.
    fn chain(&mut self) -> Result<u32, Refused> {
        let mut depth = self.negated()?;
        loop {
            let takes_not = match self.lexer.token {
                Token::Keyword(Keyword::And | Keyword::Or) => true,
                Token::Keyword(Keyword::In) | Token::Pair | Token::Power => false,
                Token::Sign(b'+' | b'-' | b'*' | b'/' | b'%' | b'~' | b'<' | b'>') => false,
                Token::Keyword(Keyword::Not) => {
                    self.lexer.advance();
                    if self.lexer.token != Token::Keyword(Keyword::In) {
                        return Err(self.refused(Fault::NotWithoutIn));
                    }
                    false
                }
                _ => return Ok(depth),
            };
            self.lexer.advance();
            let right = if takes_not {
                self.negated()?
            } else {
                self.operand()?
            };
            depth = self.deep(depth.max(right) + 1)?;
        }
    }

    fn negated(&mut self) -> Result<u32, Refused> {
        let mut depth = 0;
        while self.skip_keyword(Keyword::Not) {
            depth = self.deep(depth + 1)?;
        }
        let operand = self.operand()?;
        self.deep(depth + operand)
    }

    /// Reads a value with its filters and tests.
    fn operand(&mut self) -> Result<u32, Refused> {
        let mut depth = self.signed()?;
        loop {
            if self.skip(Token::Sign(b'|')) {
                self.call_name(CallKind::Filter)?;
                if self.is_sign(b'(') {
                    depth = depth.max(self.arguments()?);
                }
            } else if self.skip_keyword(Keyword::Is) {
                self.skip_keyword(Keyword::Not);
                self.call_name(CallKind::Test)?;
                depth = depth.max(self.test_argument()?) + 1;
            } else if self.is_sign(b'.') || self.is_sign(b'[') {
                return Err(self.refused(Fault::AfterFilter));
            } else {
                return Ok(depth);
            }
            depth = self.deep(depth + 1)?;
        }
    }

    fn test_argument(&mut self) -> Result<u32, Refused> {
        match self.lexer.token {
            Token::Sign(b'(') => self.arguments(),
            Token::Keyword(Keyword::And | Keyword::Or | Keyword::Else | Keyword::Is) => Ok(0),
            Token::Keyword(_) | Token::Sign(b'+') => {
                Err(self.refused(Fault::AfterTest(self.lexer.text().to_owned())))
            }
            Token::Name | Token::Constant | Token::Text | Token::Number => self.signed(),
            Token::Sign(b'-' | b'[' | b'{') => self.signed(),
            _ => Ok(0),
        }
    }

    /// Reads the name of a filter or test; MiniJinja allows dots in it.
    fn call_name(&mut self, kind: CallKind) -> Result<(), Refused> {
        let (start, mut end) = (self.lexer.start, self.lexer.end);
        loop {
            if !self.is_word() {
                let is_filter = kind == CallKind::Filter;
                return Err(self.refused(if is_filter {
                    Fault::FilterName
                } else {
                    Fault::TestName
                }));
            }
            end = end.max(self.lexer.end);
            self.lexer.advance();
            if !self.skip(Token::Sign(b'.')) {
                break;
            }
        }
        let name = self.lexer.slice(start..end);
        self.found.calls.push(Called {
            name,
            kind,
            at: start..end,
        });
        Ok(())
    }

    /// Reads a value with signs before it, and what is taken from it by dots and brackets.
    fn signed(&mut self) -> Result<u32, Refused> {
        let mut depth = 0;
        while self.skip(Token::Sign(b'-')) {
            depth = self.deep(depth + 1)?;
        }
        let value = self.value()?;
        let taken = self.postfix(value)?;
        self.deep(depth + taken)
    }

    fn value(&mut self) -> Result<u32, Refused> {
        match self.lexer.token {
            Token::Name => Ok(self.name()),
            Token::Text => {
                while self.lexer.token == Token::Text {
                    self.lexer.advance();
                }
                Ok(1)
            }
            Token::Number | Token::Constant => {
                self.lexer.advance();
                Ok(1)
            }
            Token::Sign(b'(') => self.items(b')', Self::expression),
            Token::Sign(b'[') => self.items(b']', Self::expression),
            Token::Sign(b'{') => self.items(b'}', Self::entry),
            _ => Err(self.refused(self.no_value())),
        }
    }

    /// Reads items with commas between them, up to the closing bracket.
    fn items(
        &mut self,
        close: u8,
        mut item: impl FnMut(&mut Self) -> Result<u32, Refused>,
    ) -> Result<u32, Refused> {
        let open = self.lexer.start..self.lexer.end;
        let unclosed = || Box::new((Fault::Unclosed(close), open.clone()));
        self.lexer.advance();
        let mut depth = 0;
        loop {
            if self.skip(Token::Sign(close)) {
                return self.deep(depth + 1);
            }
            if self.lexer.token == Token::End {
                return Err(unclosed());
            }
            depth = depth.max(item(self)?);
            match self.lexer.token {
                Token::Sign(b',') => self.lexer.advance(),
                Token::Sign(sign) if sign == close => {}
                Token::End => return Err(unclosed()),
                _ => return Err(self.refused(self.unjoined())),
            }
        }
    }

    fn entry(&mut self) -> Result<u32, Refused> {
        let key = self.expression()?;
        if !self.skip(Token::Sign(b':')) {
            return Err(self.refused(Fault::Colon));
        }
        Ok(key.max(self.expression()?))
    }

    fn arguments(&mut self) -> Result<u32, Refused> {
        let (mut named, mut count) = (false, 0);
        let depth = self.items(b')', |reader| {
            count += 1;
            reader.argument(&mut named)
        })?;
        if count > ARGUMENTS {
            Err(self.refused(Fault::TooDeep))
        } else {
            Ok(depth)
        }
    }

    fn argument(&mut self, named: &mut bool) -> Result<u32, Refused> {
        if self.skip(Token::Power) {
            *named = true;
        } else if !self.skip(Token::Sign(b'*')) {
            let mut behind = self.lexer;
            behind.advance();
            if self.lexer.token == Token::Name && behind.token == Token::Sign(b'=') {
                behind.advance();
                self.lexer = behind;
                *named = true;
            } else if *named {
                return Err(self.refused(Fault::UnnamedArgument));
            }
        }
        self.expression()
    }

    /// Reads a name: of a function, or a reference as far as its names are written out.
    fn name(&mut self) -> u32 {
        let (name, start) = (self.lexer.text(), self.lexer.start);
        let first = self.found.names.len();
        let mut end = self.lexer.end;
        let mut second = None;
        self.lexer.advance();
        if self.is_sign(b'(') {
            let at = start..end;
            self.found.calls.push(Called {
                name,
                kind: CallKind::Function,
                at,
            });
            return 1;
        }
        self.found.names.push(name);
        while let Some((name, at)) = self.segment() {
            if self.found.names.len() == first + 1 {
                second = Some(at);
            }
            self.found.names.push(name);
            end = self.lexer.last_end;
        }
        let names = first..self.found.names.len();
        let depth = u32::try_from(names.len()).unwrap_or(u32::MAX);
        let at = start..end;
        self.found.references.push(Mention { names, at, second });
        depth
    }

    /// Reads `.name` or `["name"]`; stays before anything else, such as the call of a method.
    fn segment(&mut self) -> Option<(&'a str, Range<usize>)> {
        if !self.is_sign(b'.') && !self.is_sign(b'[') {
            return None;
        }
        let before = self.lexer;
        let segment = if self.skip(Token::Sign(b'.')) {
            let (name, at) = (self.lexer.text(), self.lexer.start..self.lexer.end);
            let is_name = self.is_word();
            self.lexer.advance();
            (is_name && !self.is_sign(b'(')).then_some((name, at))
        } else if self.skip(Token::Sign(b'[')) {
            let at = self.lexer.start + 1..self.lexer.end.saturating_sub(1);
            let is_text = self.lexer.token == Token::Text;
            let name = if is_text {
                self.lexer.slice(at.clone())
            } else {
                ""
            };
            self.lexer.advance();
            let is_whole = is_text && self.is_sign(b']') && !name.contains('\\');
            self.lexer.advance();
            is_whole.then_some((name, at))
        } else {
            None
        };
        if segment.is_none() {
            self.lexer = before;
        }
        segment
    }

    fn is_word(&self) -> bool {
        matches!(
            self.lexer.token,
            Token::Name | Token::Constant | Token::Keyword(_)
        )
    }

    /// Reads what is taken from a value of some depth: `.name`, `.0`, `[…]` and calls.
    fn postfix(&mut self, mut depth: u32) -> Result<u32, Refused> {
        loop {
            if self.skip(Token::Sign(b'.')) {
                if !self.is_word() && self.lexer.token != Token::Number {
                    return Err(self.refused(Fault::NameAfterDot));
                }
                self.lexer.advance();
            } else if self.is_sign(b'[') {
                depth = depth.max(self.subscript()?);
            } else if self.is_sign(b'(') {
                depth = depth.max(self.arguments()?);
            } else {
                return Ok(depth);
            }
            depth = self.deep(depth + 1)?;
        }
    }

    /// Reads `[index]` or `[from:to:step]`.
    fn subscript(&mut self) -> Result<u32, Refused> {
        let open = self.lexer.start..self.lexer.end;
        self.lexer.advance();
        let (mut depth, mut colons) = (0, 0);
        if self.is_sign(b']') {
            return Err(self.refused(Fault::EmptySubscript));
        }
        loop {
            if self.skip(Token::Sign(b']')) {
                return Ok(depth);
            }
            if self.lexer.token == Token::End {
                return Err(Box::new((Fault::Unclosed(b']'), open)));
            }
            if colons < 2 && self.skip(Token::Sign(b':')) {
                colons += 1;
                if self.is_sign(b':') || self.is_sign(b']') {
                    continue;
                }
            }
            depth = depth.max(self.expression()?);
            match self.lexer.token {
                Token::Sign(b']') | Token::End => {}
                Token::Sign(b':') if colons < 2 => {}
                _ => return Err(self.refused(self.unjoined())),
            }
        }
    }
}
