//! Completion as tables, and the property that what it writes can be read.

use proptest::prelude::*;

use super::*;
use crate::reach::tests::{document, id, samples};
use crate::template::{check, check_condition};

fn reach() -> Reach {
    Reach::of(&document(), id(4), &samples())
}

/// Returns the first suggestions for a text whose caret is `|`, as `label` or `label=text`.
fn first(marked: &str, is_condition: bool) -> Vec<String> {
    let caret = marked.find('¦').expect("a caret");
    let text = marked.replacen('¦', "", 1);
    let found = complete(&text, caret, is_condition, &reach());
    let all = found.into_iter().flat_map(|found| found.suggestions);
    all.take(3).map(|one| one.text).collect()
}

#[test]
fn what_fits_the_place_is_suggested() {
    let table: [(&str, &[&str]); 32] = [
        ("plain ¦", &[]),
        ("a /ema¦", &["{{ trigger.body.email }}"]),
        ("/¦", &["{{ item }}", "{{ index }}", "{{ steps.each }}"]),
        ("https://¦", &[]),
        ("/a/b¦", &[]),
        ("¦{{ x }}", &[]),
        ("{{ x }}¦", &[]),
        ("{{ ¦ }}", &["item", "index", "steps.each"]),
        ("{{¦", &["item", "index", "steps.each"]),
        ("{{ tri¦ }}", &["trigger"]),
        (
            "{{ st¦ }}",
            &["steps", "steps.order.status", "run.started_at"],
        ),
        ("{{ steps.¦ }}", &[".each", ".totals", ".order"]),
        ("{{ steps.or¦der }}", &[".order"]),
        ("{{ steps.order.¦", &[".status", ".headers", ".body"]),
        ("{{ steps.order.body.¦ }}", &[".id", "['two words']"]),
        ("{{ steps.order.body['t¦ }}", &["['two words']"]),
        ("{{ steps.order['body'].i¦ }}", &[".id"]),
        ("{{ trigger.body.lines[0].¦ }}", &[".sku"]),
        ("{{ trigger.body.lines.0.¦ }}", &[".sku"]),
        ("{{ email¦ }}", &["trigger.body.email"]),
        ("{{ trigger.body.email | lo¦ }}", &["lower", "float"]),
        (
            "{{ trigger.body.email | d¦ }}",
            &["d('')", "date_add(1, 'days')", "date_format('%d.%m.%Y')"],
        ),
        ("{{ trigger.body.email | defa¦ }}", &["default('')"]),
        (
            "{{ item | sort(¦) }}",
            &["attribute=''", "reverse=true", "case_sensitive=true"],
        ),
        ("{{ item | sort(reverse=true, attr¦) }}", &["attribute=''"]),
        ("{{ item is def¦ }}", &["defined", "undefined"]),
        ("{{ item is not def¦ }}", &["defined", "undefined"]),
        ("{{ item ¦ }}", &[]),
        ("{{ item a¦ }}", &["and"]),
        ("{{ 'steps.¦' }}", &[]),
        ("{{ 1 + ra¦ }}", &["range(10)"]),
        ("{{ item }} and {{ item.¦ }}", &[".sku"]),
    ];
    for (marked, expected) in table {
        let found = first(marked, false);
        assert_eq!(
            found,
            expected.iter().take(3).copied().collect::<Vec<_>>(),
            "{marked}"
        );
    }
}

#[test]
fn a_condition_is_an_expression_without_braces() {
    assert_eq!(first("steps.order.st¦ == 200", true), [".status"]);
    assert_eq!(first("¦", true), ["item", "index", "steps.each"]);
    assert_eq!(first("{{ steps.order.st¦ }}", true), [".status"]);
}

#[test]
fn a_value_is_put_in_with_braces_where_there_are_none() {
    let written = |text: &str, caret, is_condition| insertion(text, caret, is_condition, "item");
    assert_eq!(written("a ", 2, false), "{{ item }}");
    assert_eq!(written("{{  }}", 3, false), "item");
    assert_eq!(written("", 0, true), "item");
    assert_eq!(written("{{ item }}", 10, false), "{{ item }}");
}

/// Texts around the edges of the language.
fn texts() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec![
        "{{", "}}", "{{ ", " }}", "steps", "order", ".", "[", "]", "'", "\"", "|", " ", "(", ")",
        ",", "=", "is ", "not ", "and ", "item", "trigger", "body", "lower", "default", "sort",
        "0", "é", "\n", "\\", "{", "}", "~ ", "if ", "else ", "1",
    ]);
    prop::collection::vec(part, 0..14).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn no_text_and_no_caret_is_too_odd(text in texts(), caret in 0_usize..80, is_condition: bool) {
        if let Some(found) = complete(&text, caret, is_condition, &reach()) {
            prop_assert!(found.at.start <= caret.min(text.len()) && found.at.end <= text.len());
            prop_assert!(text.is_char_boundary(found.at.start) && text.is_char_boundary(found.at.end));
            for one in found.suggestions {
                prop_assert!(one.text.is_char_boundary(one.caret), "{one:?}");
            }
        }
        let _ = insertion(&text, caret, is_condition, "item");
    }

    #[test]
    fn what_is_suggested_can_be_read_where_a_name_could(text in texts(), caret in 0_usize..80, is_condition: bool) {
        let reads = |text: &str| if is_condition { check_condition(text).is_ok() } else { check(text).is_ok() };
        if let Some(found) = complete(&text, caret, is_condition, &reach()) {
            let (before, behind) = (&text[..found.at.start], &text[found.at.end..]);
            let is_member = text[found.at.start..].starts_with(['.', '[']);
            let name = if is_member { ".x" } else { "x" };
            if reads(&format!("{before}{name}{behind}")) {
                for one in found.suggestions.iter().filter(|one| one.what != Suggests::Word) {
                    let whole = format!("{before}{}{behind}", one.text);
                    prop_assert!(reads(&whole), "{text} at {caret}: {whole}");
                }
            }
        }
    }
}
