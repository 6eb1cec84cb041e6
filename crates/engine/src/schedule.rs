//! When a schedule fires next, right also where clocks are changed.
//!
//! A fixed time that a spring change skips fires at the first instant after the gap; one that an
//! autumn change repeats fires once. Patterns such as every 15 minutes follow elapsed time.

use croner::parser::{CronParser, Seconds, Year};
use domain::Timestamp;
use jiff::tz::TimeZone;

/// Most fires that are computed at once.
const MOST: usize = 1_000;

/// Returns the next `n` (at most 1,000) fires after an instant, soonest first.
///
/// Empty when the schedule or the time zone is none (validation says why) or it never fires,
/// as on the 30th of February.
pub fn next_fires(cron: &str, zone: &str, after: Timestamp, n: usize) -> Vec<Timestamp> {
    let parser = CronParser::builder()
        .seconds(Seconds::Disallowed)
        .year(Year::Disallowed)
        .build();
    let (Ok(cron), Ok(zone)) = (parser.parse(cron.trim()), TimeZone::get(zone)) else {
        return Vec::new();
    };
    let Ok(after) = jiff::Timestamp::from_millisecond(after.0) else {
        return Vec::new();
    };
    cron.iter_after(after.to_zoned(zone))
        .take(n.min(MOST))
        .map(|fire| Timestamp(fire.timestamp().as_millisecond()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fires(cron: &str, zone: &str, after: &str, n: usize) -> Vec<String> {
        let after: jiff::Timestamp = after.parse().expect("an instant");
        next_fires(cron, zone, Timestamp(after.as_millisecond()), n)
            .into_iter()
            .map(|fire| {
                jiff::Timestamp::from_millisecond(fire.0)
                    .expect("in range")
                    .to_string()
            })
            .collect()
    }

    #[test]
    fn clock_changes_neither_lose_nor_double_a_fire() {
        // In Berlin, 2026-03-29 has no 02:00 to 03:00; 2026-10-25 has it twice.
        let cases: [(&str, &str, &[&str]); 8] = [
            (
                "0 6 * * *",
                "2026-03-28T00:00:00Z",
                &[
                    "2026-03-28T05:00:00Z",
                    "2026-03-29T04:00:00Z",
                    "2026-03-30T04:00:00Z",
                ],
            ),
            (
                "30 2 * * *",
                "2026-03-28T00:00:00Z",
                &[
                    "2026-03-28T01:30:00Z",
                    "2026-03-29T01:00:00Z",
                    "2026-03-30T00:30:00Z",
                ],
            ),
            (
                "0 3 * * *",
                "2026-03-28T12:00:00Z",
                &["2026-03-29T01:00:00Z", "2026-03-30T01:00:00Z"],
            ),
            (
                "*/30 * * * *",
                "2026-03-29T00:15:00Z",
                &[
                    "2026-03-29T00:30:00Z",
                    "2026-03-29T01:00:00Z",
                    "2026-03-29T01:30:00Z",
                ],
            ),
            (
                "30 2 * * *",
                "2026-10-24T12:00:00Z",
                &["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"],
            ),
            (
                "0 * * * *",
                "2026-10-24T23:30:00Z",
                &[
                    "2026-10-25T00:00:00Z",
                    "2026-10-25T01:00:00Z",
                    "2026-10-25T02:00:00Z",
                ],
            ),
            (
                "*/30 2 * * *",
                "2026-10-24T23:30:00Z",
                &[
                    "2026-10-25T00:00:00Z",
                    "2026-10-25T00:30:00Z",
                    "2026-10-25T01:00:00Z",
                ],
            ),
            (
                "0 6 * * *",
                "2026-10-24T12:00:00Z",
                &["2026-10-25T05:00:00Z", "2026-10-26T05:00:00Z"],
            ),
        ];
        for (cron, after, expected) in cases {
            assert_eq!(
                fires(cron, "Europe/Berlin", after, expected.len()),
                expected,
                "{cron} after {after}"
            );
        }
    }

    #[test]
    fn a_fire_is_never_repeated_when_asked_from_itself() {
        for (zone, cron) in [
            ("Europe/Berlin", "*/20 * * * *"),
            ("America/New_York", "15 1 * * *"),
            ("Australia/Lord_Howe", "*/30 * * * *"),
        ] {
            let start = Timestamp(1_790_000_000_000);
            let all = next_fires(cron, zone, start, 1_000);
            assert_eq!(all.len(), 1_000);
            assert!(
                all.windows(2).all(|pair| pair[0] < pair[1]),
                "{zone} {cron}"
            );
            for pair in all.windows(2).step_by(17) {
                assert_eq!(
                    next_fires(cron, zone, pair[0], 1),
                    [pair[1]],
                    "{zone} {cron}"
                );
            }
        }
    }

    #[test]
    fn every_zone_that_can_be_chosen_is_known() {
        let unknown: Vec<&str> = domain::schedule::time_zones()
            .filter(|zone| next_fires("0 6 * * *", zone, Timestamp(0), 1).len() != 1)
            .collect();
        assert_eq!(unknown, Vec::<&str>::new());
    }

    #[test]
    fn what_is_no_schedule_never_fires() {
        for (cron, zone) in [
            ("nonsense", "UTC"),
            ("* * * * * *", "UTC"),
            ("0 0 30 2 *", "UTC"),
            ("0 6 * * *", "Europe/Atlantis"),
        ] {
            assert!(
                next_fires(cron, zone, Timestamp(0), 3).is_empty(),
                "{cron} {zone}"
            );
        }
    }
}
