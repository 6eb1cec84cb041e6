//! The table of roles, acts and states of drafts, every cell of it.

use super::*;
use crate::draft::DraftState;

#[test]
fn only_admins_and_collaborators_create_edit_and_publish() {
    for act in [
        Act::CreateIntegration,
        Act::EditDraft,
        Act::Publish,
        Act::Test,
    ] {
        assert!(allow(Role::Admin, act).is_ok());
        assert!(allow(Role::Collaborator, act).is_ok());
        let denied = allow(Role::Reader, act).expect_err("a Reader may not");
        assert!(
            denied
                .to_string()
                .starts_with("Only Admins and Collaborators can")
        );
    }
}

#[test]
fn only_admins_manage_members_network_retention_secrets_and_connectors() {
    for act in [
        Act::ManageMembers,
        Act::ManageNetwork,
        Act::ManageRetention,
        Act::ManageSecrets,
        Act::ManageConnectors,
    ] {
        assert!(allow(Role::Admin, act).is_ok());
        let denied = allow(Role::Collaborator, act).expect_err("a Collaborator may not");
        assert!(denied.to_string().starts_with("Only Admins can"));
        assert!(allow(Role::Reader, act).is_err());
    }
}

#[test]
fn readers_look_but_see_no_payloads() {
    assert!(allow(Role::Reader, Act::See).is_ok());
    assert!(allow(Role::Reader, Act::SeePayloads).is_err());
}

/// What of an act a role may do to a draft in each state, in the order of [`DraftState::ALL`]:
/// editing, in review, approved, changes requested, published, discarded. `+` may, `-` the role may
/// not, `x` the role may but the state does not allow it.
const TABLE: [(Act, &str, &str, &str); 18] = [
    // Act                    Admin     Collaborator  Reader
    (Act::See, "++++++", "++++++", "++++++"),
    (Act::SeePayloads, "++++++", "++++++", "------"),
    (Act::CreateIntegration, "++++++", "++++++", "------"),
    (Act::EditDraft, "++++xx", "++++xx", "------"),
    (Act::Test, "++++xx", "++++xx", "------"),
    (Act::Publish, "++++xx", "++++xx", "------"),
    (Act::Override, "++++xx", "------", "------"),
    (Act::CreateReview, "+xxxxx", "+xxxxx", "------"),
    (Act::Comment, "x+++xx", "x+++xx", "x+++xx"),
    (Act::Decide, "x+++xx", "x+++xx", "------"),
    (Act::ManagePolicy, "++++++", "------", "------"),
    (Act::Operate, "++++++", "++++++", "------"),
    (Act::ManageMembers, "++++++", "------", "------"),
    (Act::ManageNetwork, "++++++", "------", "------"),
    (Act::ManageRetention, "++++++", "------", "------"),
    (Act::ManageSecrets, "++++++", "------", "------"),
    (Act::ManageConnectors, "++++++", "------", "------"),
    (Act::SeeMembers, "++++++", "++++++", "++++++"),
];

#[test]
fn every_role_may_do_to_a_draft_in_every_state_what_the_table_says() {
    for act in Act::ALL {
        let rows: Vec<_> = TABLE.iter().filter(|row| row.0 == act).collect();
        let [(_, admin, collaborator, reader)] = rows[..] else {
            panic!("{act:?} stands {} times in the table", rows.len());
        };
        for (role, right) in Role::ALL.into_iter().zip([admin, collaborator, reader]) {
            let cells: String = DraftState::ALL
                .into_iter()
                .map(|state| match (allow(role, act), state.permits(act)) {
                    (Err(_), _) => '-',
                    (Ok(()), true) => '+',
                    (Ok(()), false) => 'x',
                })
                .collect();
            assert_eq!(&cells, right, "{act:?} by {role:?}");
        }
    }
    assert_eq!(TABLE.len(), Act::ALL.len(), "no act stands there twice");
}
