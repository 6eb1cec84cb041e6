//! Reading and making JSON and XML.

use domain::limit;
use serde_json::{Value, json};

use crate::stage::step;

async fn read(xml: &str) -> Result<Value, String> {
    step("xml.read", "text", json!(xml), json!({}))
        .await
        .map(|output| output["value"].clone())
}

async fn write(value: Value) -> Result<String, String> {
    let output = step(
        "xml.write",
        "value",
        value,
        json!({"declaration": "without"}),
    )
    .await?;
    Ok(output["text"].as_str().expect("a text").to_owned())
}

#[tokio::test]
async fn json_is_read_and_made() {
    for (text, value) in [
        ("{\"a\": [1, 2.5, null]}", json!({"a": [1, 2.5, null]})),
        ("\u{feff} 7 ", json!(7)),
        ("\"ü\"", json!("ü")),
        (
            "{\"__proto__\": {\"x\": 1}}",
            json!({"__proto__": {"x": 1}}),
        ),
    ] {
        let output = step("json.read", "text", json!(text), json!({})).await;
        assert_eq!(output, Ok(json!({ "value": value })), "{text}");
        let output = step("json.write", "value", value.clone(), json!({})).await;
        assert_eq!(output, Ok(json!({ "text": value.to_string() })), "{text}");
    }
    let lines = json!({"layout": "lines"});
    assert_eq!(
        step("json.write", "value", json!({"a": [1]}), lines).await,
        Ok(json!({ "text": "{\n  \"a\": [\n    1\n  ]\n}" }))
    );
}

#[tokio::test]
async fn a_text_that_is_no_json_is_told_with_its_place() {
    for (text, said) in [
        ("", "This is not JSON"),
        ("{'a': 1}", "This is not JSON"),
        ("{\n\"a\": 1,\n}", "line 3"),
        ("1 2", "This is not JSON"),
    ] {
        let error = step("json.read", "text", json!(text), json!({}))
            .await
            .expect_err(text);
        assert!(error.contains(said), "{text}: {error}");
    }
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    let error = step("json.read", "text", json!(deep), json!({}))
        .await
        .expect_err("it is too deep");
    assert!(error.contains("nested deeper than 100 levels"), "{error}");
}

#[tokio::test]
async fn an_element_is_an_object_with_attributes_text_and_elements() {
    for (xml, value) in [
        ("<a/>", json!({"a": ""})),
        ("<a>one</a>", json!({"a": "one"})),
        ("<a> one\n two </a>", json!({"a": " one\n two "})),
        ("<a id='7'/>", json!({"a": {"@id": "7"}})),
        (
            "<a id=\"7\">x</a>",
            json!({"a": {"@id": "7", "#text": "x"}}),
        ),
        ("<a><b>1</b><c/></a>", json!({"a": {"b": "1", "c": ""}})),
        (
            "<a><b>1</b><b>2</b><c/><b>3</b></a>",
            json!({"a": {"b": ["1", "2", "3"], "c": ""}}),
        ),
        (
            "<a>x <b>1</b> y</a>",
            json!({"a": {"b": "1", "#text": "x  y"}}),
        ),
        ("<a>\n  <b>1</b>\n</a>\n", json!({"a": {"b": "1"}})),
        (
            "<a>&lt;b&gt; &amp; &quot;&apos; &#65;&#x42;</a>",
            json!({"a": "<b> & \"' AB"}),
        ),
        ("<a t='&lt;&#10;&amp;'/>", json!({"a": {"@t": "<\n&"}})),
        ("<a><![CDATA[<b>&amp;]]>!</a>", json!({"a": "<b>&amp;!"})),
        (
            "\u{feff}<?xml version='1.0'?><!-- c --><?p i?><a><!-- c -->1</a><!-- c -->",
            json!({"a": "1"}),
        ),
        (
            "<s:E xmlns:s='urn:x'><s:B>ü</s:B></s:E>",
            json!({"s:E": {"@xmlns:s": "urn:x", "s:B": "ü"}}),
        ),
        (
            "<a><__proto__>1</__proto__></a>",
            json!({"a": {"__proto__": "1"}}),
        ),
    ] {
        assert_eq!(read(xml).await, Ok(value), "{xml}");
    }
}

#[tokio::test]
async fn what_is_named_so_is_a_list_also_when_there_is_one() {
    let lists = json!({"lists": "line\n tag "});
    let xml = "<o><line><tag>a</tag></line><id>7</id></o>";
    let output = step("xml.read", "text", json!(xml), lists).await;
    let value = json!({"o": {"line": [{"tag": ["a"]}], "id": "7"}});
    assert_eq!(output, Ok(json!({"value": value, "root": "o"})));
}

#[tokio::test]
async fn xml_that_is_broken_or_would_expand_is_refused() {
    let bomb = "<!DOCTYPE a [<!ENTITY l 'lol'><!ENTITY m '&l;&l;&l;&l;&l;&l;'>]>\n<a>&m;</a>";
    let file = "<?xml version=\"1.0\"?>\n<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><a>&x;</a>";
    for (xml, said) in [
        (bomb, "document type"),
        (file, "document type"),
        ("<!DOCTYPE html><a/>", "document type"),
        ("<a>&nbsp;</a>", "`&nbsp;`"),
        ("<a t='&x;'/>", "line 1"),
        ("", "no element"),
        ("text", "beside the outermost element"),
        ("<a/>text", "beside the outermost element"),
        ("<a/><b/>", "second element"),
        ("<a>", "`<a>` is never closed"),
        ("<a>\n</b>", "line 2"),
        ("<a", "line 1"),
        ("<a b=1/>", "line 1"),
        ("<a b='1' c='2' b='3'/>", "`b` is there twice"),
        ("</a>", "line 1"),
    ] {
        let error = read(xml).await.expect_err(xml);
        assert!(error.contains(said), "{xml}: {error}");
    }
    let deep = "<a>".repeat(50_000) + &"</a>".repeat(50_000);
    assert!(
        read(&deep)
            .await
            .expect_err("it is too deep")
            .contains("nested deeper")
    );
    let wide = format!("<a>{}</a>", "<b/>".repeat(limit::LOOP_ITEMS));
    assert!(
        read(&wide)
            .await
            .expect_err("it is too wide")
            .contains("more than 100000")
    );
    let names: String = (0..=limit::LOOP_ITEMS)
        .map(|n| format!(" a{n}=''"))
        .collect();
    assert!(
        read(&format!("<a{names}/>"))
            .await
            .expect_err("too many")
            .contains("more than 100000")
    );
}

#[tokio::test]
async fn xml_is_made_of_what_reading_gives() {
    for xml in [
        "<a/>",
        "<a>one</a>",
        "<a id=\"7\">x</a>",
        "<a><b>1</b><b>2</b><c d=\"&lt;&amp;&quot;\"/></a>",
        "<s:E xmlns:s=\"urn:x\"><s:B>ü &gt; 1</s:B></s:E>",
    ] {
        let value = read(xml).await.expect(xml);
        let made = write(value.clone()).await.expect(xml);
        // An empty element is an empty text, which is written with two tags.
        assert_eq!(made.replace("<a></a>", "<a/>"), xml);
        assert_eq!(read(&made).await, Ok(value), "{xml}");
    }
    let value = json!({"o": {"@n": 7, "@gone": null, "line": [{"q": 1.5}, {"q": true}], "none": null, "empty": []}});
    assert_eq!(
        write(value.clone()).await.as_deref(),
        Ok("<o n=\"7\" gone=\"\"><line><q>1.5</q></line><line><q>true</q></line><none/></o>")
    );
    let output = step("xml.write", "value", value, json!({"layout": "lines"}))
        .await
        .expect("it is right");
    assert_eq!(
        output["text"],
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<o n=\"7\" gone=\"\">\n  <line>\n    <q>1.5</q>\n  </line>\n  <line>\n    <q>true</q>\n  </line>\n  <none/>\n</o>\n"
    );
}

#[tokio::test]
async fn no_value_can_bring_markup_of_its_own() {
    for (value, said) in [
        (json!("text"), "it is a text"),
        (json!({}), "it has 0"),
        (json!({"a": 1, "b": 2}), "it has 2"),
        (json!({"a": []}), "cannot be a list"),
        (json!({"a": {"b": [[1]]}}), "a list in a list"),
        (json!({"a": {"@b": {}}}), "must be a text"),
        (json!({"a><b": 1}), "is not a name"),
        (json!({"a": {"b c='1'": 1}}), "is not a name"),
        (json!({"a": {"@b='1' c": 1}}), "is not a name"),
        (json!({"a": {"": 1}}), "is not a name"),
        (json!({"1a": 1}), "is not a name"),
        (json!({"!DOCTYPE": 1}), "is not a name"),
        (json!({"a": "\u{1}"}), "U+0001"),
        (json!({"a": "\u{fffe}"}), "U+FFFE"),
    ] {
        let error = write(value.clone()).await.expect_err("it is wrong");
        assert!(error.contains(said), "{value}: {error}");
    }
    let hostile = "]]><!-- --><b x=\"'\">&e;</b>\r\n";
    let made = write(json!({"a": {"@t": hostile, "#text": hostile}}))
        .await
        .expect("it is a text");
    assert_eq!(made.matches('<').count(), 2, "{made}");
    let back = read(&made).await.expect("it is XML");
    assert_eq!(back["a"]["#text"], hostile);
}
