//! XML: read into values, and made of values.
//!
//! An element is an object: its attributes under `@name`, its text under `#text`, the elements in it
//! by their names, as a list where there are several of one name. One that has nothing but text is
//! that text. Document types, and with them entities of one's own, are refused: nothing expands.

use std::collections::HashSet;

use domain::limit;
use quick_xml::Reader;
use quick_xml::escape::unescape;
use quick_xml::events::{BytesStart, Event};
use serde_json::{Map, Value, json};

use super::{kind_of, text};

/// Deepest nesting of elements: each is an object in a list at most.
const DEPTH: usize = limit::JSON_DEPTH / 2 - 2;
/// What stands before the name of an attribute.
const ATTRIBUTE: char = '@';
/// Most of a wrong name that an error shows, in characters.
const SHOWN: usize = 60;
/// The name of the text of an element that has more than that.
const TEXT: &str = "#text";

/// An element that is being read.
struct Open {
    name: String,
    content: Map<String, Value>,
    text: String,
}

/// Returns the value of a text.
pub(crate) fn read(config: &Map<String, Value>) -> Result<Value, String> {
    let given = text(config.get("text"));
    let lists = text(config.get("lists"));
    let lists: HashSet<&str> = lists.lines().map(str::trim).collect();
    let mut reader = Reader::from_str(given.trim_start_matches('\u{feff}'));
    let mut open: Vec<Open> = Vec::new();
    let mut root = None;
    let mut elements = 0;
    loop {
        let at = reader.buffer_position();
        let event = reader
            .read_event()
            .map_err(|error| format!("{} {error}.", not_xml(&given, reader.error_position())))?;
        let wrong = |what: &str| format!("{} {what}", not_xml(&given, at));
        match event {
            Event::Start(start) => {
                begin(&mut open, &start, &mut elements, root.is_some()).map_err(|e| wrong(&e))?;
            }
            Event::Empty(start) => {
                begin(&mut open, &start, &mut elements, root.is_some()).map_err(|e| wrong(&e))?;
                end(&mut open, &mut root, &lists);
            }
            Event::End(_) => end(&mut open, &mut root, &lists),
            Event::Text(found) => {
                let found = found.xml10_content();
                put(&mut open, &found).map_err(|e| wrong(&e))?;
            }
            Event::CData(found) => put(&mut open, &found.xml10_content()).map_err(|e| wrong(&e))?,
            Event::GeneralRef(found) => {
                let entity = format!("&{};", found.into_inner());
                let found = unescape(&entity).map_err(|_| {
                    wrong(&format!(
                        "It uses `{entity}`, which it would have to declare itself."
                    ))
                })?;
                put(&mut open, &found).map_err(|e| wrong(&e))?;
            }
            Event::DocType(_) => {
                return Err(wrong(
                    "It has a document type (`<!DOCTYPE …>`), which is not read. Remove it.",
                ));
            }
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            Event::Eof => break,
        }
    }
    if let Some(left) = open.last() {
        return Err(format!(
            "The text is not XML: `<{}>` is never closed.",
            left.name
        ));
    }
    match root {
        Some((name, value)) => Ok(Value::from_iter([
            ("value", Value::from_iter([(name.clone(), value)])),
            ("root", name.into()),
        ])),
        None => Err("The text is not XML: there is no element in it.".to_owned()),
    }
}

fn not_xml(text: &str, at: u64) -> String {
    let at = usize::try_from(at).unwrap_or(usize::MAX).min(text.len());
    let line = text.as_bytes()[..at]
        .iter()
        .filter(|byte| **byte == b'\n')
        .count();
    format!(
        "The text is not XML that can be read, in line {}:",
        line + 1
    )
}

fn begin(
    open: &mut Vec<Open>,
    start: &BytesStart<'_>,
    elements: &mut usize,
    has_root: bool,
) -> Result<(), String> {
    if open.is_empty() && has_root {
        return Err("There is a second element beside the outermost one.".to_owned());
    }
    if open.len() >= DEPTH {
        return Err(format!("It is nested deeper than {DEPTH} levels."));
    }
    let mut content = Map::new();
    let mut attributes = start.attributes();
    // Looking for each name among all earlier ones takes long where there are many; the map knows.
    attributes.with_checks(false);
    for attribute in attributes {
        let attribute = attribute.map_err(|error| format!("{error}."))?;
        let name = attribute.key.as_ref();
        let value = unescape(&attribute.value).map_err(|error| format!("{error}."))?;
        let key = format!("{ATTRIBUTE}{name}");
        if content.insert(key, Value::from(value.as_ref())).is_some() {
            return Err(format!("The attribute `{name}` is there twice."));
        }
        *elements += 1;
    }
    *elements += 1;
    if *elements > limit::LOOP_ITEMS {
        return Err(format!(
            "It has more than {} elements and attributes. Send it in parts.",
            limit::LOOP_ITEMS
        ));
    }
    open.push(Open {
        name: start.name().as_ref().to_owned(),
        content,
        text: String::new(),
    });
    Ok(())
}

fn put(open: &mut [Open], text: &str) -> Result<(), String> {
    match open.last_mut() {
        Some(element) => element.text.push_str(text),
        None if text.trim().is_empty() => {}
        None => return Err("There is text beside the outermost element.".to_owned()),
    }
    Ok(())
}

/// Puts the innermost element, which ends here, into the one around it.
fn end(open: &mut Vec<Open>, root: &mut Option<(String, Value)>, lists: &HashSet<&str>) {
    let Some(mut element) = open.pop() else {
        return;
    };
    let has_elements = element
        .content
        .keys()
        .any(|name| !name.starts_with(ATTRIBUTE));
    if has_elements {
        // White space between elements is layout.
        element.text = element.text.trim().to_owned();
    }
    let value = if element.content.is_empty() {
        Value::String(element.text)
    } else {
        if !element.text.is_empty() {
            element.content.insert(TEXT.to_owned(), element.text.into());
        }
        Value::Object(element.content)
    };
    let Some(around) = open.last_mut() else {
        *root = Some((element.name, value));
        return;
    };
    let is_list = lists.contains(element.name.as_str());
    match around.content.get_mut(&element.name) {
        Some(Value::Array(items)) => items.push(value),
        Some(one) => *one = Value::Array(vec![one.take(), value]),
        None if is_list => {
            around.content.insert(element.name, json!([value]));
        }
        None => {
            around.content.insert(element.name, value);
        }
    }
}

/// Returns the text of a value.
pub(crate) fn write(config: &Map<String, Value>) -> Result<Value, String> {
    let Some(Value::Object(value)) = config.get("value") else {
        let kind = kind_of(config.get("value").unwrap_or(&Value::Null));
        return Err(format!(
            "The value must be an object with one name, that of the outermost element, and it is {kind}."
        ));
    };
    let mut names = value.iter();
    let (Some((name, content)), None) = (names.next(), names.next()) else {
        return Err(format!(
            "The value must have one name, that of the outermost element, and it has {}.",
            value.len()
        ));
    };
    if content.is_array() {
        return Err("The outermost element cannot be a list. Put the list into it.".to_owned());
    }
    let is_spread = config.get("layout").and_then(Value::as_str) == Some("lines");
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
    if config.get("declaration").and_then(Value::as_str) == Some("without") {
        out.clear();
    }
    let mut writer = Writer { out, is_spread };
    writer.element(name, content, 0)?;
    let mut out = writer.out;
    if is_spread {
        out = out.trim_start().to_owned() + "\n";
    }
    Ok(Value::from_iter([("text", out)]))
}

struct Writer {
    out: String,
    is_spread: bool,
}

impl Writer {
    fn element(&mut self, name: &str, value: &Value, depth: usize) -> Result<(), String> {
        check_name(name)?;
        if depth >= DEPTH {
            return Err(format!("The value is nested deeper than {DEPTH} levels."));
        }
        if self.out.len() > limit::RESULT_BYTES {
            return Err(format!(
                "The XML would be larger than {} MiB. Make it in parts.",
                limit::RESULT_BYTES / (1024 * 1024)
            ));
        }
        self.line(depth);
        self.out.push('<');
        self.out.push_str(name);
        let map = match value {
            Value::Object(map) => map,
            Value::Null => {
                self.out.push_str("/>");
                return Ok(());
            }
            Value::Array(_) => {
                return Err(format!(
                    "`{name}` is a list in a list, which XML does not have."
                ));
            }
            value => {
                self.out.push('>');
                self.escaped(&text(Some(value)))?;
                self.close(name);
                return Ok(());
            }
        };
        for (key, value) in map {
            if let Some(attribute) = key.strip_prefix(ATTRIBUTE) {
                check_name(attribute)?;
                if value.is_object() || value.is_array() {
                    let kind = kind_of(value);
                    return Err(format!(
                        "The attribute `{attribute}` of `{name}` must be a text, and it is {kind}."
                    ));
                }
                self.out.push(' ');
                self.out.push_str(attribute);
                self.out.push_str("=\"");
                self.escaped(&text(Some(value)))?;
                self.out.push('"');
            }
        }
        let mut inside = map
            .iter()
            .filter(|(key, _)| !key.starts_with(ATTRIBUTE))
            .peekable();
        if inside.peek().is_none() {
            self.out.push_str("/>");
            return Ok(());
        }
        self.out.push('>');
        let mut has_elements = false;
        for (key, value) in inside {
            if key == TEXT {
                self.escaped(&text(Some(value)))?;
                continue;
            }
            has_elements = true;
            match value {
                Value::Array(items) => {
                    for item in items {
                        self.element(key, item, depth + 1)?;
                    }
                }
                value => self.element(key, value, depth + 1)?,
            }
        }
        if has_elements {
            self.line(depth);
        }
        self.close(name);
        Ok(())
    }

    fn line(&mut self, depth: usize) {
        if self.is_spread {
            self.out.push('\n');
            self.out.extend(std::iter::repeat_n("  ", depth));
        }
    }

    fn close(&mut self, name: &str) {
        self.out.push_str("</");
        self.out.push_str(name);
        self.out.push('>');
    }

    /// Writes a text so that nothing in it is taken for markup.
    fn escaped(&mut self, text: &str) -> Result<(), String> {
        for character in text.chars() {
            match character {
                '&' => self.out.push_str("&amp;"),
                '<' => self.out.push_str("&lt;"),
                '>' => self.out.push_str("&gt;"),
                '"' => self.out.push_str("&quot;"),
                // Readers make a space or a line break of these.
                '\r' => self.out.push_str("&#13;"),
                '\t' | '\n' => self.out.push(character),
                '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => {
                    return Err(format!(
                        "A text holds the character U+{:04X}, which XML does not have. Remove it.",
                        u32::from(character)
                    ));
                }
                character => self.out.push(character),
            }
        }
        Ok(())
    }
}

/// A name with other signs in it could bring in markup.
fn check_name(name: &str) -> Result<(), String> {
    let is_start = |c: char| c.is_alphabetic() || c == '_';
    let is_rest = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':');
    let mut characters = name.chars();
    if characters.next().is_some_and(is_start) && characters.all(is_rest) {
        return Ok(());
    }
    Err(format!(
        "`{}` is not a name in XML. Use letters, digits, `_`, `-` and `.`, beginning with a letter.",
        name.chars().take(SHOWN).collect::<String>()
    ))
}
