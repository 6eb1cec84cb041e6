//! What a reviewer is told of e-mails and queries.

use serde_json::json;
use uuid::Uuid;

use super::notes::{document, step, told};

#[test]
fn whoever_gets_an_email_is_told_as_the_host_of_a_request_is() {
    let mail = |to: &str, bcc: &str| {
        let config = json!({ "to": to, "bcc": bcc, "subject": "Order {{ trigger.body.id }}" });
        document(&[(None, step(1, "email.send", "Tell", config))])
    };
    let none = document(&[]);
    let one = mail("Ada@example.com", "");
    let table = [
        (
            &none,
            &one,
            "A new e-mail to ada@example.com: “Tell” sends it, with `trigger.body.id`.",
        ),
        (
            &one,
            &mail("ada@example.com", "audit@example.com"),
            "“Tell” sends its e-mail also to audit@example.com, with `trigger.body.id`.",
        ),
        (
            &mail("ada@example.com, bob@example.com", ""),
            &one,
            "“Tell” no longer sends its e-mail to bob@example.com.",
        ),
        (
            &one,
            &mail("bob@example.com", ""),
            "“Tell” sends its e-mail to bob@example.com instead of ada@example.com, with `trigger.body.id`.",
        ),
        (
            &one,
            &none,
            "A write is gone: “Tell” sent an e-mail to ada@example.com.",
        ),
        (
            &none,
            &mail("аda@example.com, {{ trigger.body.all | join(', ') }}", ""),
            "A new e-mail to an address made from `{{ trigger.body.all | join(', ') }}` and аda@example.com (with letters beyond a to z): “Tell” sends it, with `trigger.body.all` and `trigger.body.id`.",
        ),
    ];
    for (before, after, expected) in table {
        let told = told(before, after);
        assert_eq!(told, [expected]);
    }
    // What who stays gets is told by itself, without those who got it before.
    let both = mail("ada@example.com, bob@example.com", "");
    let mut more = one.clone();
    let step = more.steps.values_mut().next().expect("it is there");
    step.config
        .insert("text".to_owned(), json!("{{ trigger.body.total }}"));
    assert_eq!(
        told(&both, &more),
        [
            "“Tell” no longer sends its e-mail to bob@example.com.",
            "`trigger.body.total` now goes to ada@example.com, in “Tell”.",
        ]
    );
    // In another order, or from one field into another, nobody else gets it.
    let same = told(&both, &mail(" bob@example.com", "ADA@example.com"));
    assert_eq!(same, [""; 0]);
}

#[test]
fn what_a_query_may_do_and_which_statement_it_runs_is_told() {
    let query = |connection: u128, access: &str, sql: &str| {
        let connection = Uuid::from_u128(connection).to_string();
        let config = json!({ "connection": connection, "access": access, "sql": sql });
        document(&[(None, step(1, "postgres.query", "Save", config))])
    };
    let none = document(&[]);
    let reads = query(7, "read", "select 1");
    let writes = query(7, "write", "select 1");
    let table = [
        (
            &none,
            &reads,
            vec!["A database is used for the first time: “Save” sends a query that only reads."],
        ),
        (&reads, &query(7, "read", "select 2"), Vec::new()),
        (
            &reads,
            &writes,
            vec![
                "A read became a write: “Save” sends a query that may write to a database, instead of a query that only reads.",
            ],
        ),
        (
            &writes,
            &query(7, "write", "delete from orders"),
            vec!["“Save” runs another SQL statement, which may write to a database."],
        ),
        (
            &writes,
            &query(8, "write", "select 1"),
            vec![
                "“Save” sends a query that may write to another database than before, not used until now.",
            ],
        ),
    ];
    for (before, after, expected) in table {
        assert_eq!(told(before, after), expected);
    }
    // A database that one query leaves and another one, which is deleted, used.
    let mut both = reads.clone();
    let mut other = reads.steps.values().next().expect("it is there").clone();
    other.id = step(2, "log", "Other", json!({})).id;
    both.flow.push(other.id);
    both.steps.insert(other.id, other);
    assert_eq!(
        told(&both, &query(8, "read", "select 1")),
        [
            "“Save” sends a query that only reads to another database than before, not used until now.",
            "A database is not used any more: “Save” sent a query that only reads.",
        ]
    );
}
