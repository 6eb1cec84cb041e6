//! Reading and making CSV.

use serde_json::{Value, json};

use crate::stage::step;

async fn read(text: &str, more: Value) -> Result<Value, String> {
    step("csv.read", "text", json!(text), more).await
}

async fn write(rows: Value, more: Value) -> Result<Value, String> {
    step("csv.write", "rows", rows, more).await
}

#[tokio::test]
async fn rows_are_read_by_the_names_in_the_first_one() {
    let text = "\u{feff}id, note \r\n1,\"a \"\"quote\"\", and\nmore\"\r\n2,\r\n";
    let rows = json!([{ "id": "1", "note": "a \"quote\", and\nmore" }, { "id": "2", "note": "" }]);
    assert_eq!(
        read(text, json!({})).await,
        Ok(json!({ "rows": rows, "columns": ["id", "note"], "count": 2 }))
    );
    for (separator, text) in [
        (";", "a;b\n1;2,5"),
        ("tab", "a\tb\n1\t2,5"),
        ("|", "a|b\n1|2,5"),
    ] {
        let table = read(text, json!({ "separator": separator })).await;
        assert_eq!(
            table.expect(text)["rows"],
            json!([{ "a": "1", "b": "2,5" }])
        );
    }
    let values = json!({ "first_row": "values" });
    assert_eq!(
        read("a,b\n1,2", values).await,
        Ok(json!({ "rows": [["a", "b"], ["1", "2"]], "columns": [], "count": 2 }))
    );
    for empty in ["", "\n\n", "a,b", "a,b\n"] {
        assert_eq!(
            read(empty, json!({})).await.expect(empty)["count"],
            0,
            "{empty:?}"
        );
    }
}

#[tokio::test]
async fn what_is_no_table_is_refused_with_the_line() {
    for (text, error) in [
        (
            "a,b\n1,2\n3",
            "The row in line 3 has 1 value, the first one has 2. Check the separator and the quotes.",
        ),
        (
            "a;b\n1;2,5",
            "The row in line 2 has 2 values, the first one has 1. Check the separator and the quotes.",
        ),
        ("a,b,a\n1,2,3", "Two columns are called `a` in line 1."),
        (
            "a,,c\n1,2,3",
            "Column 2 has no name in line 1. Name it, or read the first row as values.",
        ),
    ] {
        assert_eq!(
            read(text, json!({})).await,
            Err(error.to_owned()),
            "{text:?}"
        );
    }
}

#[tokio::test]
async fn rows_become_text_with_the_columns_that_are_wanted() {
    let rows = json!([{ "id": 1, "note": "a, \"b\"" }, { "id": 2, "lines": [1, 2] }, {}]);
    let table = write(rows.clone(), json!({})).await.expect("it is one");
    assert_eq!(
        table["text"],
        "id,note,lines\r\n1,\"a, \"\"b\"\"\",\r\n2,,\"[1,2]\"\r\n,,\r\n"
    );
    assert_eq!(table["count"], 3);
    let chosen = json!({ "columns": "lines\n id \n", "separator": ";" });
    let table = write(rows.clone(), chosen).await.expect("it is one");
    assert_eq!(table["text"], "lines;id\r\n;1\r\n[1,2];2\r\n;\r\n");
    let bare = json!({ "columns": "id", "first_row": "values" });
    let table = write(rows, bare).await.expect("it is one");
    assert_eq!(table["text"], "1\r\n2\r\n\"\"\r\n");
    let lists = write(json!([[1, null], ["x", true]]), json!({})).await;
    assert_eq!(lists.expect("it is one")["text"], "1,\r\nx,true\r\n");
    assert_eq!(
        write(json!([]), json!({})).await.expect("it is one")["text"],
        ""
    );
}

#[tokio::test]
async fn rows_that_are_none_are_refused_by_number() {
    for (rows, more, error) in [
        (
            json!({ "a": 1 }),
            json!({}),
            "Rows must be a list, and it is an object.",
        ),
        (
            json!([{ "a": 1 }, 2]),
            json!({}),
            "Row 2 must be an object or a list, and it is a number.",
        ),
        (
            json!([[1, 2], [1]]),
            json!({ "columns": "a\nb" }),
            "Row 2 has 1 value for 2 columns.",
        ),
    ] {
        assert_eq!(
            write(rows.clone(), more).await,
            Err(error.to_owned()),
            "{rows}"
        );
    }
}

#[tokio::test]
async fn what_is_made_of_rows_is_read_as_the_same_rows() {
    let rows = json!([
        { "a": "plain", "b": "with, separator", "c": "with \"quotes\"" },
        { "a": "two\r\nlines", "b": "", "c": " spaces " },
        { "a": "\u{e4}\u{1f600}", "b": "=1+1", "c": "'" },
    ]);
    for separator in [",", ";", "tab", "|"] {
        let more = json!({ "separator": separator });
        let made = write(rows.clone(), more.clone()).await.expect("it is one");
        let text = made["text"].as_str().expect("it is a text");
        assert_eq!(
            read(text, more).await.expect("it is one")["rows"],
            rows,
            "{separator}"
        );
    }
}
