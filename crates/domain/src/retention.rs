//! How long runs are kept once they are over.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::limit::{RETENTION_DAYS_MAX, RETENTION_DAYS_MIN};

/// How long an organization that never set it keeps its runs, in days.
pub const DEFAULT_DAYS: u32 = 30;

/// Why runs cannot be kept that long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// Not a number of days.
    #[error("Write a number of days from {RETENTION_DAYS_MIN} to {RETENTION_DAYS_MAX}.")]
    Days,
}

/// Checks for how many days runs are to be kept, with what they received and what their steps did.
/// They count from the end of a run.
///
/// # Errors
/// When it is less than [`RETENTION_DAYS_MIN`] or more than [`RETENTION_DAYS_MAX`].
pub fn check_days(days: u32) -> Result<u32, Refusal> {
    match days {
        RETENTION_DAYS_MIN..=RETENTION_DAYS_MAX => Ok(days),
        _ => Err(Refusal::Days),
    }
}

#[cfg(test)]
mod tests {
    use super::{DEFAULT_DAYS, Refusal, check_days};
    use crate::limit::{RETENTION_DAYS_MAX, RETENTION_DAYS_MIN};

    #[test]
    fn runs_are_kept_for_a_number_of_days_within_bounds() {
        for fits in [RETENTION_DAYS_MIN, DEFAULT_DAYS, RETENTION_DAYS_MAX] {
            assert_eq!(check_days(fits), Ok(fits));
        }
        for refused in [0, RETENTION_DAYS_MAX + 1, u32::MAX] {
            assert_eq!(check_days(refused), Err(Refusal::Days));
        }
    }
}
