//! What filters, functions and tests do, one line each with an example: for whoever writes an
//! expression. The tests compute every example.

/// A filter, function or test, explained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word {
    /// What it is called.
    pub name: &'static str,
    /// What it does, in one sentence.
    pub help: &'static str,
    /// An expression that uses it.
    pub example: &'static str,
    /// What the example gives, as JSON.
    pub gives: &'static str,
    /// What stands in its brackets, as it is written at first; without brackets when empty.
    pub arguments: &'static str,
    /// Arguments that have a name.
    pub named: &'static [&'static str],
}

const fn word(
    name: &'static str,
    arguments: &'static str,
    named: &'static [&'static str],
    help: &'static str,
    example: &'static str,
    gives: &'static str,
) -> Word {
    Word {
        name,
        help,
        example,
        gives,
        arguments,
        named,
    }
}

const BY: &[&str] = &["attribute"];
const SORTED_BY: &[&str] = &["attribute", "reverse", "case_sensitive"];

/// The filters, in the order of [`super::FILTERS`].
#[rustfmt::skip]
pub const FILTER_WORDS: [Word; 51] = [
    word("abs", "", &[], "A number without its sign.", "-3 | abs", "3"),
    word("attr", "''", &[], "The field of an object with that name.", "{'a': 1} | attr('a')", "1"),
    word("batch", "2", &[], "A list in parts of so many items.", "[1, 2, 3] | batch(2)", "[[1,2],[3]]"),
    word("bool", "", &[], "Whether a value counts as true.", "1 | bool", "true"),
    word("capitalize", "", &[], "The first letter large, the others small.", "'aDA' | capitalize", "\"Ada\""),
    word("chain", "[]", &[], "Two lists, one behind the other.", "[1] | chain([2])", "[1,2]"),
    word("count", "", &[], "How many letters, items or fields there are.", "[5, 6] | count", "2"),
    word("d", "''", &[], "Another value where one is missing. Short for default.", "trigger.nope | d('none')", "\"none\""),
    word("date_add", "1, 'days'", &[], "A date some years, months, weeks, days, hours, minutes or seconds later; a negative number is earlier.", "'2026-01-31' | date_add(1, 'months')", "\"2026-02-28\""),
    word("date_format", "'%d.%m.%Y'", &[], "A date as a pattern says: %Y year, %m month, %d day, %H hour, %M minute, %S second, %B and %A names.", "'2026-11-28T06:30:00Z' | date_format('%d.%m.%Y, %H:%M')", "\"28.11.2026, 06:30\""),
    word("date_offset", "'+00:00'", &[], "The same moment by a clock that is so many hours from UTC.", "'2026-11-28T06:30:00Z' | date_offset('+02:00')", "\"2026-11-28T08:30:00+02:00\""),
    word("date_parse", "'%d.%m.%Y'", &[], "A date from a text that looks as a pattern says; without %z it is UTC.", "'28.11.2026' | date_parse('%d.%m.%Y')", "\"2026-11-28\""),
    word("default", "''", &[], "Another value where one is missing.", "trigger.nope | default('none')", "\"none\""),
    word("dictsort", "", &["by", "reverse", "case_sensitive"], "The fields of an object as pairs, sorted by name.", "{'b': 1, 'a': 2} | dictsort", "[[\"a\",2],[\"b\",1]]"),
    word("first", "", &[], "The first item of a list.", "[5, 6] | first", "5"),
    word("float", "", &[], "A number with a fraction, from a text or number.", "'1.5' | float", "1.5"),
    word("format", "", &[], "A text in which %s and %d are filled in.", "'%s-%03d' | format('a', 7)", "\"a-007\""),
    word("groupby", "''", BY, "A list in groups of items with the same field.", "[{'a': 1}, {'a': 1}] | groupby('a') | length", "1"),
    word("html", "", &[], "A text that stays a text in HTML, whatever signs are in it.", "'a < b' | html", "\"a &lt; b\""),
    word("indent", "2", &[], "A text whose lines, but the first, begin with spaces.", "'a\\nb' | indent(2)", "\"a\\n  b\""),
    word("int", "", &[], "A whole number, from a text or number.", "'42' | int", "42"),
    word("items", "", &[], "The fields of an object as pairs of name and value.", "{'a': 1} | items", "[[\"a\",1]]"),
    word("join", "', '", &[], "A list as one text, with a text between the items.", "[1, 2] | join(', ')", "\"1, 2\""),
    word("last", "", &[], "The last item of a list.", "[5, 6] | last", "6"),
    word("length", "", &[], "How many letters, items or fields there are.", "'abc' | length", "3"),
    word("lines", "", &[], "A text as a list of its lines.", "'a\\nb' | lines", "[\"a\",\"b\"]"),
    word("list", "", &[], "A value as a list: letters of a text, names of an object.", "'ab' | list", "[\"a\",\"b\"]"),
    word("lower", "", &[], "A text in small letters.", "'ADA' | lower", "\"ada\""),
    word("map", "attribute=''", BY, "One field of each item of a list.", "[{'a': 1}, {'a': 2}] | map(attribute='a')", "[1,2]"),
    word("max", "", &[], "The largest item of a list.", "[1, 3, 2] | max", "3"),
    word("min", "", &[], "The smallest item of a list.", "[1, 3, 2] | min", "1"),
    word("reject", "''", &[], "The items of a list that do not pass a test.", "[1, 2, 3] | reject('odd')", "[2]"),
    word("rejectattr", "''", &[], "The items of a list whose field does not pass a test.", "[{'a': 1}, {'a': 0}] | rejectattr('a')", "[{\"a\":0}]"),
    word("replace", "'', ''", &[], "A text with one part replaced by another, everywhere.", "'a-b' | replace('-', '+')", "\"a+b\""),
    word("reverse", "", &[], "A list or text backwards.", "[1, 2] | reverse", "[2,1]"),
    word("round", "2", &[], "A number, rounded to so many digits.", "3.14159 | round(2)", "3.14"),
    word("select", "''", &[], "The items of a list that pass a test.", "[1, 2, 3] | select('odd')", "[1,3]"),
    word("selectattr", "''", &[], "The items of a list whose field passes a test.", "[{'a': 1}, {'a': 2}] | selectattr('a', 'eq', 2)", "[{\"a\":2}]"),
    word("slice", "2", &[], "A list in so many parts.", "[1, 2, 3] | slice(2)", "[[1,2],[3]]"),
    word("slug", "", &[], "A text for an address: small letters and digits, with - between them.", "'Hello, World!' | slug", "\"hello-world\""),
    word("sort", "", SORTED_BY, "A list, sorted.", "[2, 1] | sort", "[1,2]"),
    word("split", "','", &[], "A text in parts, cut at another text.", "'a,b' | split(',')", "[\"a\",\"b\"]"),
    word("string", "", &[], "A value as a text.", "42 | string", "\"42\""),
    word("sum", "", &[], "The items of a list, added up.", "[1, 2, 3] | sum", "6"),
    word("title", "", &[], "The first letter of each word large.", "'ada lovelace' | title", "\"Ada Lovelace\""),
    word("tojson", "", &[], "A value as a text in JSON.", "[7] | tojson", "\"[7]\""),
    word("trim", "", &[], "A text without spaces at its ends.", "' a ' | trim", "\"a\""),
    word("truncate", "80", &[], "A text of so many letters at most, with … where it was cut.", "'A long text' | truncate(7)", "\"A long…\""),
    word("unique", "", &["attribute", "case_sensitive"], "A list in which no item comes twice.", "[1, 1, 2] | unique", "[1,2]"),
    word("upper", "", &[], "A text in large letters.", "'ada' | upper", "\"ADA\""),
    word("zip", "[]", &[], "Two lists as one list of pairs.", "[1, 2] | zip(['a', 'b'])", "[[1,\"a\"],[2,\"b\"]]"),
];

/// The functions, in the order of [`super::FUNCTIONS`].
#[rustfmt::skip]
pub const FUNCTION_WORDS: [Word; 2] = [
    word("dict", "", &[], "An object made of named values.", "dict(a=1)", "{\"a\":1}"),
    word("range", "10", &[], "The numbers from 0 up to, but without, another.", "range(3)", "[0,1,2]"),
];

/// The tests, in the order of [`super::TESTS`].
#[rustfmt::skip]
pub const TEST_WORDS: [Word; 32] = [
    word("boolean", "", &[], "It is true or false.", "true is boolean", "true"),
    word("defined", "", &[], "It is there.", "trigger.nope is defined", "false"),
    word("divisibleby", "2", &[], "It can be divided without a rest.", "6 is divisibleby(3)", "true"),
    word("endingwith", "''", &[], "The text ends with another.", "'a.pdf' is endingwith('.pdf')", "true"),
    word("eq", "''", &[], "It equals another value.", "1 is eq(1)", "true"),
    word("equalto", "''", &[], "It equals another value.", "1 is equalto(2)", "false"),
    word("even", "", &[], "The number is even.", "2 is even", "true"),
    word("false", "", &[], "It is false.", "false is false", "true"),
    word("float", "", &[], "It is a number with a fraction.", "1.5 is float", "true"),
    word("ge", "0", &[], "It is as large as another value, or larger.", "2 is ge(2)", "true"),
    word("greaterthan", "0", &[], "It is larger than another value.", "2 is greaterthan(1)", "true"),
    word("gt", "0", &[], "It is larger than another value.", "2 is gt(2)", "false"),
    word("in", "[]", &[], "It is an item of a list, or a part of a text.", "1 is in([1, 2])", "true"),
    word("int", "", &[], "It is a whole number.", "1 is int", "true"),
    word("integer", "", &[], "It is a whole number.", "1.5 is integer", "false"),
    word("iterable", "", &[], "It has items.", "[] is iterable", "true"),
    word("le", "0", &[], "It is as small as another value, or smaller.", "2 is le(2)", "true"),
    word("lessthan", "0", &[], "It is smaller than another value.", "1 is lessthan(2)", "true"),
    word("lower", "", &[], "The text has small letters only.", "'ada' is lower", "true"),
    word("lt", "0", &[], "It is smaller than another value.", "2 is lt(1)", "false"),
    word("mapping", "", &[], "It is an object.", "{'a': 1} is mapping", "true"),
    word("ne", "''", &[], "It differs from another value.", "1 is ne(2)", "true"),
    word("none", "", &[], "It is null.", "none is none", "true"),
    word("number", "", &[], "It is a number.", "'1' is number", "false"),
    word("odd", "", &[], "The number is odd.", "2 is odd", "false"),
    word("sameas", "''", &[], "It is the very same value.", "true is sameas(true)", "true"),
    word("sequence", "", &[], "It is a list.", "[1] is sequence", "true"),
    word("startingwith", "''", &[], "The text begins with another.", "'order-7' is startingwith('order')", "true"),
    word("string", "", &[], "It is a text.", "'a' is string", "true"),
    word("true", "", &[], "It is true.", "true is true", "true"),
    word("undefined", "", &[], "It is not there.", "trigger.nope is undefined", "true"),
    word("upper", "", &[], "The text has large letters only.", "'ADA' is upper", "true"),
];

impl Word {
    /// Returns how it is written at first, and where in that the caret goes: into quotes, else in
    /// front of what is in brackets, else behind all.
    pub(super) fn written(&self) -> (String, usize) {
        if self.arguments.is_empty() {
            return (self.name.to_owned(), self.name.len());
        }
        let quote = self.arguments.find('\'').map_or(0, |at| at + 1);
        let caret = self.name.len() + 1 + quote;
        (format!("{}({})", self.name, self.arguments), caret)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::template::{FILTERS, FUNCTIONS, Scope, TESTS, Template};

    #[test]
    fn every_filter_function_and_test_is_explained() {
        assert_eq!(FILTER_WORDS.map(|word| word.name), FILTERS);
        assert_eq!(FUNCTION_WORDS.map(|word| word.name), FUNCTIONS);
        assert_eq!(TEST_WORDS.map(|word| word.name), TESTS);
    }

    #[test]
    fn every_example_gives_what_it_says() {
        let scope = Scope::new(json!({}), json!({}));
        for word in FILTER_WORDS
            .iter()
            .chain(&FUNCTION_WORDS)
            .chain(&TEST_WORDS)
        {
            assert!(word.help.ends_with('.'), "{}", word.name);
            assert!(word.example.contains(word.name), "{}", word.name);
            let template = Template::parse_condition(word.example).expect(word.example);
            let given = template.evaluate(&scope).expect(word.example);
            let says: Value = serde_json::from_str(word.gives).expect(word.example);
            assert_eq!(given, says, "{}", word.example);
        }
    }
}
