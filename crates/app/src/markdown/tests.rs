//! What comes through, and what never does.

use std::ops::Range;

use super::typing::{self, Mark};
use super::{Address, DEPTH, Kind, NODES, Node, read};

fn text(words: &str) -> Node {
    Node::Text(words.to_owned())
}

fn element(kind: Kind, inner: Vec<Node>) -> Node {
    Node::Element(kind, inner)
}

fn link(address: &str, words: &str) -> Node {
    let address = Address::of(address).expect("the test's address is fine");
    element(Kind::Link(address), vec![text(words)])
}

fn paragraph(inner: Vec<Node>) -> Vec<Node> {
    vec![element(Kind::Paragraph, inner)]
}

fn addresses(nodes: &[Node]) -> Vec<String> {
    let of = |node: &Node| match node {
        Node::Element(Kind::Link(address), inner) => {
            let mut all = vec![address.as_str().to_owned()];
            all.extend(addresses(inner));
            all
        }
        Node::Element(_, inner) => addresses(inner),
        _ => Vec::new(),
    };
    nodes.iter().flat_map(of).collect()
}

fn depth(nodes: &[Node]) -> usize {
    let of = |node: &Node| match node {
        Node::Element(_, inner) => 1 + depth(inner),
        _ => 1,
    };
    nodes.iter().map(of).max().unwrap_or(0)
}

fn count(nodes: &[Node]) -> usize {
    let of = |node: &Node| match node {
        Node::Element(_, inner) => 1 + count(inner),
        _ => 1,
    };
    nodes.iter().map(of).sum()
}

#[test]
fn words_lists_tables_and_code_are_read() {
    assert_eq!(
        read("**a** _b_ ~~c~~ `d`\ne"),
        paragraph(vec![
            element(Kind::Strong, vec![text("a")]),
            text(" "),
            element(Kind::Emphasis, vec![text("b")]),
            text(" "),
            element(Kind::Strike, vec![text("c")]),
            text(" "),
            Node::Code("d".to_owned()),
            Node::Break,
            text("e"),
        ])
    );
    assert_eq!(
        read("- [x] done\n- [ ] open"),
        [element(
            Kind::List,
            vec![
                element(Kind::Item, vec![Node::Task(true), text("done")]),
                element(Kind::Item, vec![Node::Task(false), text("open")]),
            ]
        )]
    );
    assert_eq!(
        read("| a |\n| --- |\n| b |"),
        [element(
            Kind::Table,
            vec![
                element(Kind::Head, vec![element(Kind::Cell, vec![text("a")])]),
                element(Kind::Row, vec![element(Kind::Cell, vec![text("b")])]),
            ]
        )]
    );
    assert_eq!(
        read("```json\n{}\n```"),
        [Node::CodeBlock("json".to_owned(), "{}\n".to_owned())]
    );
    assert_eq!(
        read("3. third"),
        [element(
            Kind::Numbered(3),
            vec![element(Kind::Item, vec![text("third")])]
        )]
    );
}

#[test]
fn markup_of_the_writer_stays_text() {
    for written in [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
        "<svg><style onload=alert(1)></style></svg>",
        "<a href=\"javascript:alert(1)\" onclick=\"alert(1)\">x</a>",
        "<!-- --!><img src=x onerror=alert(1)> -->",
        "</p><style>* { display: none }</style>",
    ] {
        for around in ["", "a ", "> ", "- ", "**b** "] {
            let nodes = read(&format!("{around}{written}"));
            assert_eq!(addresses(&nodes), [""; 0], "{written}");
            // Whatever is drawn from a tree is drawn as text, so it is enough that it is text.
            let mut shown = String::new();
            gather(&nodes, &mut shown);
            assert!(shown.contains(written), "{written} became {shown}");
        }
    }
}

fn gather(nodes: &[Node], into: &mut String) {
    for node in nodes {
        match node {
            Node::Text(text) | Node::Code(text) | Node::CodeBlock(_, text) => into.push_str(text),
            Node::Element(_, inner) => gather(inner, into),
            Node::Break => into.push('\n'),
            Node::Rule | Node::Task(_) => {}
        }
    }
}

#[test]
fn links_lead_to_web_pages_mail_addresses_and_this_site_only() {
    for fine in [
        "https://example.org/a?b=c#d",
        "HTTP://example.org",
        "mailto:ada@example.org",
        "/drafts/1",
        "runs?state=failed",
        "#part",
        "//example.org/a",
        "/a:b",
        "?next=javascript:alert(1)",
    ] {
        assert_eq!(addresses(&read(&format!("[x]({fine})"))), [fine]);
    }
    for wrong in [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "javascript&colon;alert(1)",
        "java&#x09;script:alert(1)",
        "java&#10;script:alert(1)",
        "&#1;javascript:alert(1)",
        "&#106;avascript:alert(1)",
        "vbscript:x",
        "data:text/html,<script>alert(1)</script>",
        "data:text/html;base64,PHNjcmlwdD4=",
        "file:///etc/passwd",
        "blob:a",
        "view-source:a",
        "\\\\example.org",
        "intent://x#Intent;end",
    ] {
        for form in [
            format!("[x](<{wrong}>)"),
            format!("![x](<{wrong}>)"),
            format!("[x]\n\n[x]: <{wrong}>"),
            format!("<{wrong}>"),
        ] {
            assert_eq!(addresses(&read(&form)), [""; 0], "{form}");
        }
    }
}

#[test]
fn a_link_that_leaves_the_site_is_told_apart() {
    let leads_away = |address| Address::of(address).map(|address| address.leads_away());
    assert_eq!(leads_away("https://example.org"), Some(true));
    assert_eq!(leads_away("//example.org"), Some(true));
    assert_eq!(leads_away("/drafts/1"), Some(false));
    assert_eq!(leads_away("?a=b:c"), Some(false));
}

#[test]
fn a_picture_becomes_a_link() {
    assert_eq!(
        read("![chart](https://example.org/a.png)"),
        paragraph(vec![link("https://example.org/a.png", "chart")])
    );
}

#[test]
fn an_address_among_words_becomes_a_link_without_the_full_stop() {
    assert_eq!(
        read("See https://example.org/a_b, and (http://b.org/c)."),
        paragraph(vec![
            text("See "),
            link("https://example.org/a_b", "https://example.org/a_b"),
            text(", and ("),
            link("http://b.org/c", "http://b.org/c"),
            text(")."),
        ])
    );
    assert_eq!(
        read("xhttps://a.org https:// http"),
        paragraph(vec![text("xhttps://a.org https:// http")])
    );
    assert_eq!(
        addresses(&read("[https://a.org](https://b.org)")),
        ["https://b.org"]
    );
}

#[test]
fn size_and_depth_are_bounded() {
    let deep = [
        "> ".repeat(5_000) + "x",
        (0..2_000).map(|n| " ".repeat(n % 80) + "- a\n").collect(),
        "[".repeat(9_000) + &"](a)".repeat(2_000),
        "*a **a ".repeat(2_500),
    ];
    for written in deep {
        assert!(depth(&read(&written)) <= DEPTH + 2);
    }
    let wide = [
        "|a".repeat(4_000) + "\n" + &"|-".repeat(4_000) + "\n" + &"|\n".repeat(3_000),
        "- \n".repeat(60_000),
        "<b>".repeat(6_000),
    ];
    for written in wide {
        let nodes = read(&written);
        assert!(count(&nodes) <= NODES + DEPTH + 2, "{}", count(&nodes));
    }
}

/// Puts a mark around what stands between brackets, and shows the selection after it the same way.
fn marked(written: &str, mark: Mark) -> String {
    let (text, selected) = selection(written);
    let put = typing::mark(&text, selected, mark);
    shown(&put.applied(&text), put.select)
}

fn selection(written: &str) -> (String, Range<usize>) {
    let start = written.find('«').expect("the test marks the selection");
    let text = written.replacen('«', "", 1);
    let end = text.find('»').expect("the test marks the selection");
    (text.replacen('»', "", 1), start..end)
}

fn shown(text: &str, selected: Range<usize>) -> String {
    let (start, end) = (selected.start, selected.end);
    format!("{}«{}»{}", &text[..start], &text[start..end], &text[end..])
}

#[test]
fn a_mark_is_put_around_the_selection_and_taken_back() {
    assert_eq!(marked("a «b» c", Mark::Bold), "a **«b»** c");
    assert_eq!(marked("a **«b»** c", Mark::Bold), "a «b» c");
    assert_eq!(marked("«»", Mark::Italic), "_«»_");
    assert_eq!(marked("é «b»", Mark::Code), "é `«b»`");
    assert_eq!(marked("«a\nb»", Mark::Code), "```\n«a\nb»\n```");
    assert_eq!(marked("«words»", Mark::Link), "[words](«»)");
    assert_eq!(marked("«https://a.org»", Mark::Link), "[«»](https://a.org)");
    assert_eq!(marked("x\na«b\nc»d", Mark::List), "x\n«- ab\n- cd»");
    assert_eq!(marked("«- a\n- b»", Mark::List), "«a\nb»");
    assert_eq!(marked("a«»b", Mark::Quote), "> ab«»");
}

#[test]
fn enter_goes_on_with_a_list_and_an_empty_item_ends_it() {
    let entered = |text: &str| typing::enter(text, text.len()).map(|put| put.applied(text));
    assert_eq!(entered("- a").as_deref(), Some("- a\n- "));
    assert_eq!(entered("  - [x] a").as_deref(), Some("  - [x] a\n  - [ ] "));
    assert_eq!(entered("9. a").as_deref(), Some("9. a\n10. "));
    assert_eq!(entered("> a").as_deref(), Some("> a\n> "));
    assert_eq!(entered("- a\n- ").as_deref(), Some("- a\n"));
    assert_eq!(entered("a"), None);
    assert_eq!(entered("1.5 a"), None);
}

#[test]
fn a_name_is_asked_for_behind_an_at_sign_only() {
    assert_eq!(typing::mention("hello @Gra"), Some((6, "Gra")));
    assert_eq!(typing::mention("@"), Some((0, "")));
    assert_eq!(typing::mention("@Grace Hop"), Some((0, "Grace Hop")));
    assert_eq!(typing::mention("ada@example"), None);
    assert_eq!(typing::mention("@ x"), None);
    assert_eq!(typing::mention("@Grace\nx"), None);
    assert!(typing::fits("Grace Hopper", "hop"));
    assert!(typing::fits("Grace Hopper", "grace h"));
    assert!(!typing::fits("Grace Hopper", "race"));
}

#[test]
fn places_are_counted_as_browsers_do() {
    let text = "a😀é";
    assert_eq!(typing::byte(text, 1), 1);
    assert_eq!(typing::byte(text, 2), 1);
    assert_eq!(typing::byte(text, 3), 5);
    assert_eq!(typing::byte(text, 99), text.len());
    assert_eq!(typing::units(text, 5), 3);
}
