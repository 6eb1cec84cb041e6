//! The connectors that come with Sluice, in the form in which anyone can write one.

use std::sync::LazyLock;

use domain::connector::Connector;

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        &[$(include_str!(concat!("../../connectors/", $name, ".json"))),*]
    };
}

const FILES: &[&str] = files![
    "airtable", "github", "gitlab", "hubspot", "jira", "notion", "sendgrid", "shopify", "slack",
    "stripe", "twilio", "zendesk",
];

static OURS: LazyLock<Vec<Connector>> = LazyLock::new(|| {
    let read = |file: &&str| Connector::read(file).expect("our own connectors are tested");
    FILES.iter().map(read).collect()
});

/// Returns the connectors that come with this version of Sluice, by title.
pub(super) fn ours() -> &'static [Connector] {
    &OURS
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn our_connectors_pass_their_own_check_and_their_recorded_examples() {
        let mut keys = BTreeSet::new();
        for file in FILES {
            let connector = match Connector::read(file) {
                Ok(connector) => connector,
                Err(faults) => panic!("{}: {faults:#?}", &file[..60]),
            };
            assert_eq!(connector.broken_examples(), [], "{}", connector.key);
            assert!(keys.insert(connector.key.clone()), "{}", connector.key);
            let tested: BTreeSet<&str> = connector
                .tests
                .iter()
                .map(|test| test.action.as_str())
                .collect();
            for action in &connector.actions {
                let key = action.key.as_str();
                assert!(
                    tested.contains(key),
                    "{}: {key} has no example",
                    connector.key
                );
                assert!(!action.description.is_empty(), "{}: {key}", connector.key);
            }
            assert!(!connector.auth.is_empty(), "{}", connector.key);
        }
        assert!(ours().is_sorted_by_key(|one| one.title.to_lowercase()));
    }
}
