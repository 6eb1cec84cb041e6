//! Values between JSON and PostgreSQL, which writes and reads all of them as texts.
//!
//! A number stays one where JSON and code can hold it exactly, and is a text else.

use serde_json::{Number, Value};

/// Largest whole number that JavaScript holds exactly.
const EXACT: u64 = (1 << 53) - 1;
/// Digits that a double holds in any case.
const DIGITS: usize = 15;
/// Most nested lists of an array (PostgreSQL has 6).
const NESTED: usize = 8;

mod oid {
    pub(super) const BOOL: u32 = 16;
    pub(super) const INT8: u32 = 20;
    pub(super) const INT2: u32 = 21;
    pub(super) const INT4: u32 = 23;
    pub(super) const OID: u32 = 26;
    pub(super) const JSON: u32 = 114;
    pub(super) const FLOAT4: u32 = 700;
    pub(super) const FLOAT8: u32 = 701;
    pub(super) const TIMESTAMP: u32 = 1114;
    pub(super) const TIMESTAMPTZ: u32 = 1184;
    pub(super) const NUMERIC: u32 = 1700;
    pub(super) const JSONB: u32 = 3802;
    pub(super) const TEXT: u32 = 25;
}

/// Returns the type of the items of an array type that PostgreSQL itself has.
fn items(oid: u32) -> Option<u32> {
    Some(match oid {
        1000 => oid::BOOL,
        1005 => oid::INT2,
        1007 => oid::INT4,
        1016 => oid::INT8,
        1028 => oid::OID,
        1021 => oid::FLOAT4,
        1022 => oid::FLOAT8,
        1231 => oid::NUMERIC,
        1115 => oid::TIMESTAMP,
        1185 => oid::TIMESTAMPTZ,
        199 => oid::JSON,
        3807 => oid::JSONB,
        // bytea, char, name, text, bpchar, varchar, inet, cidr, macaddr, date, time, timetz,
        // interval, uuid, bit, varbit, money
        1001 | 1002 | 1003 | 1009 | 1014 | 1015 | 1041 | 651 | 1040 | 1182 | 1183 | 1270 | 1187
        | 2951 | 1561 | 1563 | 791 => oid::TEXT,
        _ => return None,
    })
}

/// Reads a value that is not null.
pub(super) fn read(text: &str, oid: u32) -> Value {
    match items(oid) {
        Some(item) => read_array(text, item).unwrap_or_else(|| text.into()),
        None => read_one(text, oid),
    }
}

fn read_one(text: &str, oid: u32) -> Value {
    let read = match oid {
        oid::BOOL => Some((text == "t").into()),
        oid::INT2 | oid::INT4 | oid::INT8 | oid::OID => {
            let number = text.parse::<i64>().ok();
            number
                .filter(|number| number.unsigned_abs() <= EXACT)
                .map(Value::from)
        }
        oid::FLOAT4 | oid::FLOAT8 => text
            .parse()
            .ok()
            .and_then(Number::from_f64)
            .map(Value::from),
        oid::NUMERIC => exact(text),
        oid::JSON | oid::JSONB => serde_json::from_str(text).ok(),
        oid::TIMESTAMP | oid::TIMESTAMPTZ => moment(text).map(Value::from),
        _ => None,
    };
    read.unwrap_or_else(|| text.into())
}

/// Reads a decimal number that a double holds exactly enough to be written the same again.
fn exact(text: &str) -> Option<Value> {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    if digits > DIGITS {
        return None;
    }
    match text.parse::<i64>() {
        Ok(whole) => Some(whole.into()),
        Err(_) => text
            .parse()
            .ok()
            .and_then(Number::from_f64)
            .map(Value::from),
    }
}

/// Writes a moment as ISO 8601 does; nothing for what that cannot say, such as `infinity`.
fn moment(text: &str) -> Option<String> {
    let (date, time) = text.split_once(' ')?;
    if time.contains(' ') {
        return None;
    }
    let time = match time.strip_suffix("+00") {
        Some(utc) => format!("{utc}Z"),
        None => time.to_owned(),
    };
    Some(format!("{date}T{time}"))
}

/// Reads an array as PostgreSQL writes it: `{1,NULL,"a b"}`.
fn read_array(text: &str, item: u32) -> Option<Value> {
    // Bounds other than from 1 stand in front: `[0:1]={1,2}`.
    let start = text.find('{')?;
    let mut rest = text[start..].chars().peekable();
    rest.next();
    let value = read_list(&mut rest, item, 1)?;
    rest.next().is_none().then_some(value)
}

fn read_list(
    rest: &mut std::iter::Peekable<std::str::Chars<'_>>,
    item: u32,
    depth: usize,
) -> Option<Value> {
    if depth > NESTED {
        return None;
    }
    let mut list = Vec::new();
    if rest.peek() == Some(&'}') {
        rest.next();
        return Some(Value::Array(list));
    }
    loop {
        let value = match rest.peek()? {
            '{' => {
                rest.next();
                read_list(rest, item, depth + 1)?
            }
            '"' => {
                rest.next();
                let mut text = String::new();
                loop {
                    match rest.next()? {
                        '"' => break,
                        '\\' => text.push(rest.next()?),
                        sign => text.push(sign),
                    }
                }
                read_one(&text, item)
            }
            _ => {
                let mut text = String::new();
                while let Some(sign) = rest.peek().filter(|sign| !matches!(sign, ',' | '}')) {
                    text.push(*sign);
                    rest.next();
                }
                match text.eq_ignore_ascii_case("null") {
                    true => Value::Null,
                    false => read_one(&text, item),
                }
            }
        };
        list.push(value);
        match rest.next()? {
            ',' => {}
            '}' => return Some(Value::Array(list)),
            _ => return None,
        }
    }
}

/// Writes a parameter for a type that the statement wants; `None` is null.
///
/// # Errors
/// A sentence, when it cannot be one.
pub(super) fn write(value: &Value, oid: u32) -> Result<Option<String>, String> {
    let text = match (value, items(oid)) {
        (Value::Null, _) => return Ok(None),
        (Value::Array(list), Some(item)) => {
            let mut text = String::new();
            write_list(list, item, &mut text, 1)?;
            text
        }
        _ => write_one(value, oid),
    };
    if text.contains('\0') {
        return Err("it holds the character U+0000, which PostgreSQL does not keep.".to_owned());
    }
    Ok(Some(text))
}

fn write_one(value: &Value, oid: u32) -> String {
    match (value, oid) {
        // A text is a value in JSON, too.
        (value, oid::JSON | oid::JSONB) => value.to_string(),
        (Value::String(text), _) => text.clone(),
        // What an expression computes is often a whole number with a fraction of zero.
        (Value::Number(number), oid::INT2 | oid::INT4 | oid::INT8) => {
            whole(number).map_or_else(|| number.to_string(), |whole| whole.to_string())
        }
        (value, _) => value.to_string(),
    }
}

/// Returns a number with a fraction of zero that is exact as the whole number that it is.
fn whole(number: &serde_json::Number) -> Option<i64> {
    let float = number.as_f64().filter(|_| number.is_f64())?;
    let is_exact = float.fract() == 0.0 && float.abs() <= 9_007_199_254_740_992.0;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "it is whole, and not larger"
    )]
    is_exact.then_some(float as i64)
}

fn write_list(list: &[Value], item: u32, out: &mut String, depth: usize) -> Result<(), String> {
    if depth > NESTED {
        return Err("its lists are nested too deep.".to_owned());
    }
    out.push('{');
    for (place, value) in list.iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        match value {
            Value::Null => out.push_str("NULL"),
            Value::Array(inner) if !matches!(item, oid::JSON | oid::JSONB) => {
                write_list(inner, item, out, depth + 1)?;
            }
            value => {
                out.push('"');
                for sign in write_one(value, item).chars() {
                    if matches!(sign, '"' | '\\') {
                        out.push('\\');
                    }
                    out.push(sign);
                }
                out.push('"');
            }
        }
    }
    out.push('}');
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_is_read_exactly_or_stays_the_text_that_it_was() {
        for (text, oid, value) in [
            ("t", oid::BOOL, json!(true)),
            ("f", oid::BOOL, json!(false)),
            ("-7", oid::INT4, json!(-7)),
            (
                "9007199254740991",
                oid::INT8,
                json!(9_007_199_254_740_991_i64),
            ),
            ("9007199254740992", oid::INT8, json!("9007199254740992")),
            (
                "-9223372036854775808",
                oid::INT8,
                json!("-9223372036854775808"),
            ),
            ("1.5", oid::FLOAT8, json!(1.5)),
            ("NaN", oid::FLOAT8, json!("NaN")),
            ("12.50", oid::NUMERIC, json!(12.5)),
            ("3", oid::NUMERIC, json!(3)),
            (
                "0.1234567890123456",
                oid::NUMERIC,
                json!("0.1234567890123456"),
            ),
            ("NaN", oid::NUMERIC, json!("NaN")),
            ("{\"a\": [1]}", oid::JSONB, json!({"a": [1]})),
            (
                "2026-11-28 06:30:00.5+00",
                oid::TIMESTAMPTZ,
                json!("2026-11-28T06:30:00.5Z"),
            ),
            (
                "2026-11-28 06:30:00",
                oid::TIMESTAMP,
                json!("2026-11-28T06:30:00"),
            ),
            ("infinity", oid::TIMESTAMP, json!("infinity")),
            (
                "0044-03-15 12:00:00 BC",
                oid::TIMESTAMP,
                json!("0044-03-15 12:00:00 BC"),
            ),
            ("a \u{e4}", oid::TEXT, json!("a \u{e4}")),
            ("{1,NULL,3}", 1007, json!([1, null, 3])),
            ("{{1,2},{3,4}}", 1007, json!([[1, 2], [3, 4]])),
            ("[0:1]={1,2}", 1007, json!([1, 2])),
            ("{}", 1009, json!([])),
            (
                "{\"a,\\\"b\\\\\",\"NULL\",c d}",
                1009,
                json!(["a,\"b\\", "NULL", "c d"]),
            ),
            ("{\"{\\\"a\\\": 1}\"}", 3807, json!([{"a": 1}])),
            ("{broken", 1009, json!("{broken")),
        ] {
            assert_eq!(read(text, oid), value, "{text}");
        }
    }

    #[test]
    fn a_parameter_is_written_as_its_type_wants_it() {
        for (value, oid, text) in [
            (json!(null), oid::TEXT, None),
            (json!("a"), oid::TEXT, Some("a")),
            (json!(7), oid::TEXT, Some("7")),
            (json!(true), oid::BOOL, Some("true")),
            (json!("a"), oid::JSONB, Some("\"a\"")),
            (json!({"a": 1}), oid::JSON, Some("{\"a\":1}")),
            (json!({"a": 1}), oid::TEXT, Some("{\"a\":1}")),
            (json!([1, 2]), oid::JSONB, Some("[1,2]")),
            (json!([1, null]), 1007, Some("{\"1\",NULL}")),
            (json!(5.0), oid::INT4, Some("5")),
            (json!(-1e15), oid::INT8, Some("-1000000000000000")),
            (json!(5.5), oid::INT4, Some("5.5")),
            (json!(5.0), oid::FLOAT8, Some("5.0")),
            (json!([4.0]), 1007, Some("{\"4\"}")),
            (json!(["a\"b\\", "}"]), 1009, Some("{\"a\\\"b\\\\\",\"}\"}")),
            (json!([[1], [2]]), 1007, Some("{{\"1\"},{\"2\"}}")),
            (json!("{1}"), 1007, Some("{1}")),
        ] {
            assert_eq!(
                write(&value, oid).expect("it can be").as_deref(),
                text,
                "{value}"
            );
        }
        assert!(write(&json!("a\0b"), oid::TEXT).is_err());
    }
}
