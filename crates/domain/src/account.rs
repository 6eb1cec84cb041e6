//! People: accounts, roles, members, invitations, and the rules of their texts.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{AccountId, InvitationId, OrganizationId, Timestamp, limit};

/// What a member may do; [`crate::policy::allow`] has the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// May do everything in the organization.
    Admin,
    /// Builds, tests and publishes.
    Collaborator,
    /// Looks and comments.
    Reader,
}

impl Role {
    /// All roles, most powerful first.
    pub const ALL: [Role; 3] = [Role::Admin, Role::Collaborator, Role::Reader];

    /// Returns the name on screen.
    pub const fn title(self) -> &'static str {
        match self {
            Role::Admin => "Admin",
            Role::Collaborator => "Collaborator",
            Role::Reader => "Reader",
        }
    }

    /// Returns the name in the database and on the wire.
    pub const fn key(self) -> &'static str {
        match self {
            Role::Admin => "admin",
            Role::Collaborator => "collaborator",
            Role::Reader => "reader",
        }
    }

    /// Returns the role with that key.
    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.key() == key)
    }
}

/// Who is signed in, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Me {
    /// The account.
    pub account: AccountId,
    /// What others call this person.
    pub name: String,
    /// Where to reach this person; also the name to sign in with.
    pub email: String,
    /// The organization that this session works in.
    pub organization: OrganizationId,
    /// Its name.
    pub organization_name: String,
    /// Whether it holds demonstration data.
    pub is_demo: bool,
    /// What this person may do there.
    pub role: Role,
}

/// A member of an organization, as the members page lists them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// The account.
    pub account: AccountId,
    /// What others call this person.
    pub name: String,
    /// Where to reach this person.
    pub email: String,
    /// What this person may do.
    pub role: Role,
    /// Since when.
    pub joined_at: Timestamp,
}

/// An invitation that nobody has taken yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    /// Identity, to take it back by.
    pub id: InvitationId,
    /// The role that whoever takes it gets.
    pub role: Role,
    /// Who made it.
    pub invited_by: String,
    /// When.
    pub created_at: Timestamp,
    /// From then on it is of no use.
    pub expires_at: Timestamp,
}

/// What someone sees who opens an invitation link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvitationOffer {
    /// The organization to join.
    pub organization_name: String,
    /// The role it gives.
    pub role: Role,
    /// Who made it.
    pub invited_by: String,
}

/// Why a text about a person or organization cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// A name is empty.
    #[error("The name is missing. Fill it in.")]
    NameMissing,
    /// A name is longer than [`limit::NAME`].
    #[error("The name is longer than {max} characters. Shorten it.", max = limit::NAME)]
    NameTooLong,
    /// A text does not look like an e-mail address.
    #[error("This is not an e-mail address. Write it like name@example.com.")]
    NotAnEmail,
    /// A password is shorter than [`limit::PASSWORD_MIN`].
    #[error("The password is shorter than {min} characters. A few words in a row are easy to remember.", min = limit::PASSWORD_MIN)]
    PasswordTooShort,
    /// A password is longer than [`limit::PASSWORD_MAX`].
    #[error("The password is longer than {max} bytes. Shorten it.", max = limit::PASSWORD_MAX)]
    PasswordTooLong,
}

/// Checks the name of a person, organization, integration or draft; returns it without spaces around it.
///
/// # Errors
/// When it is empty or too long.
pub fn check_name(name: &str) -> Result<String, Refusal> {
    let name: String = name
        .chars()
        .filter(|character| !character.is_control())
        .collect();
    let name = name.trim();
    if name.is_empty() {
        Err(Refusal::NameMissing)
    } else if name.chars().nth(limit::NAME).is_some() {
        Err(Refusal::NameTooLong)
    } else {
        Ok(name.to_owned())
    }
}

/// Checks an e-mail address; returns it in the form in which accounts are compared.
///
/// # Errors
/// When it has no `@` between two parts, or is longer than SMTP allows (254, RFC 5321).
pub fn check_email(email: &str) -> Result<String, Refusal> {
    let email = email.trim().to_lowercase();
    let well_formed = email.split_once('@').is_some_and(|(name, host)| {
        !name.is_empty()
            && host.contains('.')
            && !host.starts_with('.')
            && !host.ends_with('.')
            && !host.contains('@')
    });
    let clean = !email.chars().any(|c| c.is_whitespace() || c.is_control());
    if well_formed && clean && email.len() <= 254 {
        Ok(email)
    } else {
        Err(Refusal::NotAnEmail)
    }
}

/// Checks a new password.
///
/// # Errors
/// When it is too short or too long. There are no rules on kinds of characters (NIST SP 800-63B).
pub fn check_password(password: &str) -> Result<(), Refusal> {
    if password.chars().count() < limit::PASSWORD_MIN {
        Err(Refusal::PasswordTooShort)
    } else if password.len() > limit::PASSWORD_MAX {
        Err(Refusal::PasswordTooLong)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_trimmed_and_has_something_to_see() {
        assert_eq!(check_name("  Ada \u{7} "), Ok("Ada".to_owned()));
        assert_eq!(
            check_name(&"é".repeat(limit::NAME)),
            Ok("é".repeat(limit::NAME))
        );
        for name in ["", " \t", "\u{1}\u{2}", " \u{1} "] {
            assert_eq!(check_name(name), Err(Refusal::NameMissing), "{name:?}");
        }
        assert_eq!(check_name(&"x".repeat(10_000)), Err(Refusal::NameTooLong));
    }

    #[test]
    fn an_email_address_has_two_parts_and_is_compared_in_lower_case() {
        assert_eq!(
            check_email(" Ada@Example.COM "),
            Ok("ada@example.com".to_owned())
        );
        for email in [
            "", "ada", "@x.y", "a@", "a@b", "a@.b", "a@b.", "a@b@c.d", "a b@c.d", "a@b.c\n",
            "a\n@b.c",
        ] {
            let taken = check_email(email).is_ok();
            assert_eq!(taken, email == "a@b.c\n", "{email:?}");
        }
        assert!(check_email(&format!("{}@b.c", "a".repeat(260))).is_err());
    }

    #[test]
    fn a_password_has_a_length_and_no_other_rules() {
        assert_eq!(check_password("correct horse"), Ok(()));
        assert_eq!(check_password(&"ä".repeat(12)), Ok(()));
        assert_eq!(check_password("short"), Err(Refusal::PasswordTooShort));
        assert_eq!(
            check_password(&"x".repeat(513)),
            Err(Refusal::PasswordTooLong)
        );
    }

    #[test]
    fn every_role_comes_back_from_its_key() {
        for role in Role::ALL {
            assert_eq!(Role::from_key(role.key()), Some(role));
        }
    }
}
