//! Dates as tables, and against each other.

use proptest::prelude::*;

use super::*;

fn read(text: &str) -> String {
    Date::read(text).map_or_else(|error| error, |date| date.to_string())
}

#[test]
fn a_date_is_read_as_it_is_written() {
    for (text, told) in [
        ("2026-11-28", "2026-11-28"),
        (" 2024-02-29 ", "2024-02-29"),
        ("2026-11-28T06:30", "2026-11-28T06:30:00Z"),
        (
            "2026-11-28 06:30:15.5+01:00",
            "2026-11-28T06:30:15.500+01:00",
        ),
        ("2026-11-28t06:30:15z", "2026-11-28T06:30:15Z"),
        (
            "2026-11-28T06:30:15.123456789-0530",
            "2026-11-28T06:30:15.123-05:30",
        ),
    ] {
        assert_eq!(read(text), told, "{text}");
    }
    for text in [
        "",
        "2026",
        "2026-02-29",
        "2026-13-01",
        "0000-01-01",
        "2026-11-28T",
        "2026-11-28T24:00",
        "2026-11-28TT06:30",
        "2026-11-28T06:30:00+25:00",
        "2026-11-28x",
        "1é26-11-28",
        "28.11.2026",
        "2026-11-28T06:30:00Zé",
    ] {
        assert!(read(text).contains("is not a date"), "{text}");
    }
}

#[test]
fn a_pattern_reads_what_it_writes() {
    let date = Date::read("2026-03-08T15:04:05.060+02:00").expect("it is one");
    for (pattern, text) in [
        ("%d.%m.%Y", "08.03.2026"),
        ("%e %B %Y, %H:%M", "8 March 2026, 15:04"),
        (
            "%b %e, %y %I:%M:%S.%L %p %z",
            "Mar 8, 26 03:04:05.060 PM +02:00",
        ),
        ("%F %T%%", "2026-03-08 15:04:05%"),
    ] {
        assert_eq!(date.write(pattern).as_deref(), Ok(text));
        let parsed = Date::parse(text, pattern).expect(text);
        assert_eq!(parsed.write(pattern).as_deref(), Ok(text));
    }
    assert_eq!(date.write("%a %A %j").as_deref(), Ok("Sun Sunday 067"));
    assert!(date.write("%q").is_err_and(|error| error.contains("%q")));
    assert!(date.write("100%").is_err());
    let refused = [
        ("8.3.", "%d.%m.%Y", "does not look like"),
        ("31.02.2026", "%d.%m.%Y", "does not look like"),
        ("08.03.2026 more", "%d.%m.%Y", "does not look like"),
        ("08.03.", "%d.%m.", "lacks"),
        ("x", "%A", "%A is not"),
        ("Märzen", "%B", "does not look like"),
    ];
    for (text, pattern, said) in refused {
        let error = Date::parse(text, pattern).expect_err(text);
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn time_is_added_by_the_calendar() {
    for (from, amount, unit, to) in [
        ("2026-01-31", 1, "month", "2026-02-28"),
        ("2024-02-29", 1, "year", "2025-02-28"),
        ("2026-03-31", -1, "months", "2026-02-28"),
        ("2026-12-31", 1, "days", "2027-01-01"),
        ("2026-11-28", 2, "weeks", "2026-12-12"),
        ("2026-11-28", 90, "minutes", "2026-11-28T01:30:00Z"),
        (
            "2026-11-28T23:30:00+01:00",
            1,
            "hour",
            "2026-11-29T00:30:00+01:00",
        ),
        (
            "2026-11-28T00:00:00Z",
            -1,
            "seconds",
            "2026-11-27T23:59:59Z",
        ),
    ] {
        let date = Date::read(from).expect(from);
        let later = date.plus(amount, unit).map(|date| date.to_string());
        assert_eq!(later.as_deref(), Ok(to), "{from} {amount} {unit}");
    }
    let date = Date::read("2026-11-28").expect("it is one");
    for (amount, unit) in [
        (i64::MAX, "years"),
        (i64::MIN, "days"),
        (9000, "years"),
        (1, "moons"),
    ] {
        assert!(date.plus(amount, unit).is_err(), "{amount} {unit}");
    }
}

#[test]
fn an_offset_changes_how_an_instant_is_told_and_not_when_it_is() {
    let date = Date::read("2026-11-28T23:30:00Z").expect("it is one");
    let there = date.at_offset("+05:30").expect("it is one");
    assert_eq!(there.to_string(), "2026-11-29T05:00:00+05:30");
    assert_eq!(there.at_offset("Z"), Ok(date));
    assert!(date.at_offset("Europe/Berlin").is_err());
}

proptest! {
    #[test]
    fn every_day_comes_back_from_its_number(number in -719_162_i64..2_932_897) {
        let (year, month, day) = civil(number);
        prop_assert_eq!(days(year, month, day), Some(number));
        let (_, _, next) = civil(number + 1);
        prop_assert!(next == day + 1 || next == 1);
    }

    #[test]
    fn nothing_that_is_typed_breaks_it(text in ".{0,30}", pattern in "(%?.){0,8}", amount in any::<i64>()) {
        let _ = Date::parse(&text, &pattern);
        if let Ok(date) = Date::read(&text) {
            let _ = date.write(&pattern);
            let _ = date.plus(amount, "months");
        }
        let date = Date::read("2026-11-28T06:30:00Z").expect("it is one");
        let _ = (date.write(&pattern), date.at_offset(&text), date.plus(amount, &text));
    }
}
