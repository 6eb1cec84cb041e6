//! Alerts: letters that say that an integration began to fail, and that it recovered.
//!
//! An integration is failing from the first run that ends badly until one succeeds, and from when
//! its polls go on failing ([`crate::poll::is_failing`]) until one is answered. Both [causes](Cause)
//! begin and end by themselves. Whoever should know is told once when one begins and once when it is
//! over, and not of what fails in between. An alert names the integration, the step and the reason;
//! what runs received and sent is in none.

use crate::letter::one_line;
use crate::{IntegrationId, RunId};

/// Seconds between two letters that say of the same integration that it began to fail. Until they
/// are over, another one waits; it is never sent when the integration has recovered by then.
pub const QUIET_SECONDS: u32 = 15 * 60;
/// Most characters of a reason.
const REASON: usize = 1_000;

/// What an alert says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The integration was healthy, and a run of it ended badly, or its polls fail.
    Failing,
    /// It was failing, and a run of it succeeded, or a poll was answered.
    Recovered,
}

impl Kind {
    /// Both.
    pub const ALL: [Kind; 2] = [Kind::Failing, Kind::Recovered];

    /// Returns the name in the database.
    pub const fn key(self) -> &'static str {
        match self {
            Kind::Failing => "failing",
            Kind::Recovered => "recovered",
        }
    }

    /// Returns the kind with that key.
    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.key() == key)
    }
}

/// What of an integration fails, or failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Its runs.
    Runs {
        /// The one that ended badly, or that succeeded.
        run: RunId,
        /// The name of the step at which it ended, when it is known.
        step: Option<String>,
    },
    /// Its polls.
    Polls,
}

/// What one member is told of one integration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// What it says.
    pub kind: Kind,
    /// The name of the organization.
    pub organization: String,
    /// What others call whoever gets it.
    pub to: String,
    /// The integration.
    pub integration: IntegrationId,
    /// Its name.
    pub name: String,
    /// What of it.
    pub cause: Cause,
    /// Why the run ended, or the poll failed, in a sentence without secrets; empty when it did not.
    pub reason: String,
    /// Since when it fails, or failed, in RFC 3339.
    pub since: String,
}

impl Letter {
    /// Returns the subject: one line.
    pub fn subject(&self) -> String {
        let organization = one_line(&self.organization);
        let name = one_line(&self.name);
        let says = match (self.kind, &self.cause) {
            (Kind::Failing, Cause::Runs { .. }) => "is failing",
            (Kind::Recovered, Cause::Runs { .. }) => "works again",
            (Kind::Failing, Cause::Polls) => "cannot poll",
            (Kind::Recovered, Cause::Polls) => "polls again",
        };
        format!("[{organization}] “{name}” {says}")
    }

    /// Returns the text, with links below the address that people use.
    pub fn text(&self, public_url: &str) -> String {
        let name = one_line(&self.name);
        let (integration, since) = (self.integration, &self.since);
        let mut text = match (self.kind, &self.cause) {
            (Kind::Failing, Cause::Runs { .. }) => {
                format!("A run of “{name}” ended without success at {since}.\n\n")
            }
            (Kind::Recovered, Cause::Runs { .. }) => {
                format!("A run of “{name}” succeeded. It had been failing since {since}.\n\n")
            }
            (Kind::Failing, Cause::Polls) => {
                format!("The polls of “{name}” have been failing since {since}.\n\n")
            }
            (Kind::Recovered, Cause::Polls) => format!(
                "A poll of “{name}” was answered. Its polls had been failing since {since}.\n\n"
            ),
        };
        if let Cause::Runs {
            step: Some(step), ..
        } = &self.cause
        {
            text.push_str(&format!("Step: {}\n", one_line(step)));
        }
        let reason: String = one_line(&self.reason).chars().take(REASON).collect();
        if !reason.is_empty() {
            text.push_str(&format!("Reason: {reason}\n"));
        }
        if let Cause::Runs { run, .. } = &self.cause {
            text.push_str(&format!("Run: {public_url}/runs/{run}\n"));
        }
        text.push_str(&format!(
            "Integration: {public_url}/integrations/{integration}\n\n"
        ));
        text.push_str(match (self.kind, &self.cause) {
            (Kind::Failing, Cause::Runs { .. }) => {
                "You get no more letters about it until it works again. What failed can be resumed from its run.\n\n"
            }
            (Kind::Failing, Cause::Polls) => {
                "You get no more letters about it until a poll is answered. It is tried again by itself, and what is in the list then that is new starts runs.\n\n"
            }
            (Kind::Recovered, _) => "",
        });
        let organization = one_line(&self.organization);
        text.push_str(&format!(
            "-- \nYou get this because you published “{name}”, or are an Admin, in {organization} on Sluice. \
             Switch it off: {public_url}/settings/alerts\n"
        ));
        text
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::{Cause, Kind, Letter};
    use crate::{IntegrationId, RunId};

    const URL: &str = "https://sluice.example.com";

    fn letter(kind: Kind) -> Letter {
        Letter {
            kind,
            organization: "Workshop".to_owned(),
            to: "Grace".to_owned(),
            integration: IntegrationId(Uuid::from_u128(1)),
            name: "Orders".to_owned(),
            cause: cause(Some("Ask stock")),
            reason: "Step `Ask stock` failed: `stock.example` answered 500.".to_owned(),
            since: "2026-03-01T05:00:00Z".to_owned(),
        }
    }

    fn cause(step: Option<&str>) -> Cause {
        Cause::Runs {
            run: RunId(Uuid::from_u128(2)),
            step: step.map(str::to_owned),
        }
    }

    #[test]
    fn who_is_told_of_a_failure_reads_where_why_and_which_run() {
        let failing = letter(Kind::Failing);
        assert_eq!(failing.subject(), "[Workshop] “Orders” is failing");
        assert_eq!(
            failing.text(URL),
            "A run of “Orders” ended without success at 2026-03-01T05:00:00Z.\n\n\
             Step: Ask stock\n\
             Reason: Step `Ask stock` failed: `stock.example` answered 500.\n\
             Run: https://sluice.example.com/runs/00000000-0000-0000-0000-000000000002\n\
             Integration: https://sluice.example.com/integrations/00000000-0000-0000-0000-000000000001\n\n\
             You get no more letters about it until it works again. What failed can be resumed \
             from its run.\n\n\
             -- \nYou get this because you published “Orders”, or are an Admin, in Workshop on \
             Sluice. Switch it off: https://sluice.example.com/settings/alerts\n"
        );
    }

    #[test]
    fn who_is_told_of_a_recovery_reads_since_when_it_failed() {
        let mut recovered = letter(Kind::Recovered);
        (recovered.cause, recovered.reason) = (cause(None), String::new());
        assert_eq!(recovered.subject(), "[Workshop] “Orders” works again");
        let text = recovered.text(URL);
        assert!(text.starts_with(
            "A run of “Orders” succeeded. It had been failing since 2026-03-01T05:00:00Z.\n\nRun: "
        ));
        assert!(
            !text.contains("Step:") && !text.contains("Reason:"),
            "{text}"
        );
    }

    #[test]
    fn who_is_told_of_polls_reads_why_they_fail_and_of_no_run() {
        let mut letter = letter(Kind::Failing);
        letter.cause = Cause::Polls;
        letter.reason = "`stock.example` answered 500.".to_owned();
        assert_eq!(letter.subject(), "[Workshop] “Orders” cannot poll");
        assert_eq!(
            letter.text(URL),
            "The polls of “Orders” have been failing since 2026-03-01T05:00:00Z.\n\n\
             Reason: `stock.example` answered 500.\n\
             Integration: https://sluice.example.com/integrations/00000000-0000-0000-0000-000000000001\n\n\
             You get no more letters about it until a poll is answered. It is tried again by itself, \
             and what is in the list then that is new starts runs.\n\n\
             -- \nYou get this because you published “Orders”, or are an Admin, in Workshop on \
             Sluice. Switch it off: https://sluice.example.com/settings/alerts\n"
        );
        (letter.kind, letter.reason) = (Kind::Recovered, String::new());
        assert_eq!(letter.subject(), "[Workshop] “Orders” polls again");
        let text = letter.text(URL);
        assert!(text.starts_with(
            "A poll of “Orders” was answered. Its polls had been failing since \
             2026-03-01T05:00:00Z.\n\nIntegration: "
        ));
    }

    #[test]
    fn no_name_or_reason_can_begin_a_line_of_its_own_and_reasons_are_bounded() {
        let mut forged = letter(Kind::Failing);
        forged.name = "One\r\nBcc: all@example.com".to_owned();
        forged.reason = format!("Why\n\n-- \n{}", "ä".repeat(9_000));
        forged.cause = cause(Some("A\u{2028}B"));
        assert_eq!(
            forged.subject(),
            "[Workshop] “One Bcc: all@example.com” is failing"
        );
        let text = forged.text(URL);
        assert!(text.contains("Step: A B\nReason: Why -- ä"), "{text}");
        assert!(text.chars().count() < 2_000);
    }

    #[test]
    fn every_kind_comes_back_from_its_key() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_key(kind.key()), Some(kind));
        }
    }
}
