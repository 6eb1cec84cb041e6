//! Instants between `domain` and Postgres; the only place that knows the crate `time`.

use domain::Timestamp;
use time::{Date, OffsetDateTime, Time, UtcOffset};

/// Returns the instant as the database gave it, cut to milliseconds.
pub(crate) fn read(instant: OffsetDateTime) -> Timestamp {
    let millis = instant.unix_timestamp_nanos().div_euclid(1_000_000);
    Timestamp(i64::try_from(millis).expect("the years of a date fit into milliseconds"))
}

/// Returns the instant for the database; beyond the year 9999 its last day.
pub(crate) fn write(instant: Timestamp) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(instant.0) * 1_000_000).unwrap_or_else(
        |_| OffsetDateTime::new_in_offset(Date::MAX, Time::MIDNIGHT, UtcOffset::UTC),
    )
}

/// Returns the instant in RFC 3339, in UTC and to the second.
pub(crate) fn text(instant: Timestamp) -> String {
    let at = write(instant);
    let (date, time) = (at.date(), at.time());
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
        date.year(),
        u8::from(date.month()),
        date.day(),
        time.hour(),
        time.minute(),
        time.second(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_comes_back_to_the_millisecond() {
        for millis in [0, 1, -1, 1_795_000_000_123, -62_000_000_000_000] {
            assert_eq!(read(write(Timestamp(millis))), Timestamp(millis));
        }
    }

    #[test]
    fn an_instant_is_written_as_expressions_read_it() {
        assert_eq!(text(Timestamp(1_772_341_200_999)), "2026-03-01T05:00:00Z");
    }

    #[test]
    fn an_instant_beyond_all_calendars_is_kept_as_the_last_day() {
        assert_eq!(write(Timestamp(i64::MAX)).year(), 9999);
    }
}
