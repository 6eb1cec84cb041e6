//! Whatever is written: work and results are bounded, and the process goes on.

use serde_json::json;

use super::super::*;
use super::{evaluated, scope};

#[test]
fn division_by_zero_is_an_error_and_never_null() {
    for text in [
        "{{ 1 / 0 }}",
        "{{ 0 / 0 }}",
        "{{ 1 // 0 }}",
        "{{ 1 % 0 }}",
        "{{ [1.5 / 0] }}",
    ] {
        assert!(evaluated(text).is_err(), "{text}: {:?}", evaluated(text));
    }
}

#[test]
fn work_and_results_are_bounded() {
    let mut scope = Scope::new(
        json!({"text": "x".repeat(1_000_000), "list": vec![1; 100_000]}),
        json!({}),
    );
    scope.set_step("a", json!({"list": vec!["some text"; 50_000]}));
    let many = |piece: &str, joint: &str, times: usize| vec![piece; times].join(joint);
    let hostile = [
        "{{ range(100000) | list ~ range(100000) | list }}".to_owned(),
        "{{ 'x' * 100000000 }}".to_owned(),
        "{{ 2 ** 1000000 }}".to_owned(),
        "{{ range(99999) | map('string') | join | length * 'x' }}".to_owned(),
        "{{ range(100000) | sort(reverse=true) | unique | groupby('x') }}".to_owned(),
        format!("{{{{ [{}] }}}}", many("range(100000)", ",", 6000)),
        format!("{{{{ [{}] }}}}", many("trigger.text", ",", 6000)),
        many("{{ trigger.text }}", "", 5000),
        many("{{ trigger.list }}", "", 5000),
        format!("{{{{ {} }}}}", many("trigger.text", " ~ ", 150)),
        format!("{{{{ {} }}}}", many("(steps.a.list | tojson)", " ~ ", 40)),
        "{{ steps.a.list | map('replace', 'e', 'eeeeeeeeeeeeeeeeeeeeeeeeeeeee') | join }}"
            .to_owned(),
        "{{ '%99999999d' | format(1) }}".to_owned(),
        "{{ trigger.text | indent(100000) }}".to_owned(),
        "{{ trigger.list | batch(1) | list | map('list') | list | tojson(indent=100000) }}"
            .to_owned(),
        "{{ range(100000) | slice(99999) | list }}".to_owned(),
    ];
    for text in hostile {
        let result = Template::parse(&text).and_then(|template| template.evaluate(&scope));
        let shown = &text[..text.len().min(90)];
        match result {
            Ok(value) => assert!(value.to_string().len() < 2 * limit::RESULT_BYTES, "{shown}"),
            Err(error) => assert!(error.message.len() < 400, "{shown}: {}", error.message),
        }
    }
}

#[test]
fn endless_chains_and_nesting_are_refused_and_never_end_the_process() {
    let times = limit::TEMPLATE_BYTES / 8;
    let hostile = [
        format!("{{{{ {}1 }}}}", "-".repeat(times)),
        format!("{{{{ {}1 }}}}", "not ".repeat(times)),
        format!("{{{{ 1{} }}}}", "+1".repeat(times)),
        format!("{{{{ a{} }}}}", ".b".repeat(times)),
        format!("{{{{ a{} }}}}", "[0]".repeat(times)),
        format!("{{{{ a{} }}}}", "|d".repeat(times)),
        format!("{{{{ a{} }}}}", "()".repeat(times)),
        format!("{{{{ a{} }}}}", " is x".repeat(times)),
        format!("{{{{ {} }}}}", "1 if ".repeat(times)),
        format!("{{{{ 1{} }}}}", " if 1 else 1".repeat(times / 2)),
        format!("{{{{ {}1 }}}}", "(".repeat(times)),
        format!("{{{{ {} }}}}", "[".repeat(times)),
        format!("{{{{ {}", "{".repeat(times)),
        format!("{{{{ f({}) }}}}", "1,".repeat(times)),
    ];
    for text in hostile {
        assert!(check(&text).is_err(), "{}", &text[..20]);
        assert!(Template::parse(&text).is_err(), "{}", &text[..20]);
        let _ = rename_step(&text, "b", "c", false);
    }
}

#[test]
fn the_deepest_that_is_accepted_compiles_within_a_small_stack() {
    let accepted = [
        format!("{{{{ 1{} }}}}", "+1".repeat(140)),
        format!("{{{{ a{} }}}}", ".b".repeat(140)),
        format!("{{{{ a{} }}}}", "|d".repeat(140)),
        format!("{{{{ {}1 }}}}", "-".repeat(140)),
        format!("{{{{ {}1 }}}}", "not ".repeat(140)),
        format!("{{{{ 1{} }}}}", " if 1 else 1".repeat(70)),
        format!("{{{{ {}1{} }}}}", "(".repeat(48), ")".repeat(48)),
        format!("{{{{ {}1{} }}}}", "[".repeat(48), "]".repeat(48)),
    ];
    // What a module has in the browser; a debug build needs far more than the release build there.
    let small = std::thread::Builder::new().stack_size(1024 * 1024);
    let checked = small.spawn(move || {
        for text in accepted {
            let template = Template::parse(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
            let _ = template.evaluate(&scope());
        }
    });
    checked
        .expect("a thread starts")
        .join()
        .expect("nothing overflows");
}

#[test]
fn a_text_that_is_too_long_is_refused_before_it_is_read() {
    let text = format!("{{{{ '{}' }}}}", "x".repeat(limit::TEMPLATE_BYTES));
    for result in [
        check(&text).map(drop),
        Template::parse(&text).map(drop),
        check_condition(&text).map(drop),
    ] {
        assert!(
            result
                .expect_err("too long")
                .message
                .starts_with("The text has 100")
        );
    }
}
