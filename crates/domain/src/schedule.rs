//! What a schedule's fields may hold. The next fires are computed in `engine`, which has a
//! time-zone database; the browser asks the server for them.

use croner::Weekday;
use croner::parser::{CronParser, Seconds, Year};

/// The five fields: what each is called, and what it may hold.
const FIELDS: [(&str, &str); 5] = [
    ("a minute", "0 to 59"),
    ("an hour", "0 to 23"),
    ("a day of the month", "1 to 31, or L for the last"),
    ("a month", "1 to 12, or JAN to DEC"),
    (
        "a day of the week",
        "0 to 7 with 0 and 7 for Sunday, or SUN to SAT",
    ),
];

/// Checks a cron text of five fields.
///
/// # Errors
/// A sentence that says what is wrong.
pub fn check_cron(text: &str) -> Result<(), String> {
    let shown = crate::template::short(text);
    let fields: Vec<&str> = text.split_whitespace().collect();
    if fields.len() != FIELDS.len() {
        return Err(format!(
            "`{shown}` is not a schedule: it does not have five fields."
        ));
    }
    let parser = CronParser::builder()
        .seconds(Seconds::Disallowed)
        .year(Year::Disallowed)
        .build();
    let is_plain = |field: &str| {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || b"*/-#+".contains(&byte);
        field
            .split(',')
            .all(|part| !part.is_empty() && part.bytes().all(known))
    };
    for (index, (field, (name, allowed))) in fields.iter().zip(FIELDS).enumerate() {
        let mut alone = ["*"; FIELDS.len()];
        alone[index] = field;
        if !is_plain(field) || parser.parse(&alone.join(" ")).is_err() {
            return Err(format!(
                "`{}` is not {name}: it is {allowed}, `*`, a range such as 1-5, a list such as 1,3 or a step such as */2.",
                crate::template::short(field)
            ));
        }
    }
    match parser.parse(text) {
        Ok(cron) if fires(&cron) => Ok(()),
        Ok(_) => Err(format!(
            "`{shown}` never comes: those months do not have that day."
        )),
        Err(_) => Err(format!("`{shown}` is not a schedule.")),
    }
}

/// Returns whether some day of a leap year fits. Each date falls on each day of the week some year.
fn fires(cron: &croner::Cron) -> bool {
    const WEEK: [Weekday; 7] = [
        Weekday::Sunday,
        Weekday::Monday,
        Weekday::Tuesday,
        Weekday::Wednesday,
        Weekday::Thursday,
        Weekday::Friday,
        Weekday::Saturday,
    ];
    let fits = |month, day| {
        WEEK.iter()
            .any(|weekday| matches!(cron.pattern.day_match(2024, month, day, *weekday), Ok(true)))
    };
    (1..=12)
        .filter(|month| matches!(cron.pattern.month_match(*month), Ok(true)))
        .any(|month| (1..=31).any(|day| fits(month, day)))
}

/// The names of the IANA time zone database that can be chosen, sorted.
pub fn time_zones() -> impl Iterator<Item = &'static str> {
    include_str!("../catalog/time_zones.txt").lines()
}

/// Returns whether a name is one of [`time_zones`].
pub fn is_time_zone(name: &str) -> bool {
    time_zones().any(|zone| zone == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_has_five_fields_that_can_come() {
        for text in [
            "* * * * *",
            "*/5 0-6 1,15 JAN-MAR MON-FRI",
            "0 6 L * *",
            "0 0 29 2 *",
            "0 0 * * 7",
            "0 0 * * MON#2",
            "0 6 * * mon-fri",
            "59 23 31 12 *",
        ] {
            assert_eq!(check_cron(text), Ok(()), "{text}");
        }
        let allowed = "`*`, a range such as 1-5, a list such as 1,3 or a step such as */2.";
        let table = [
            (
                "",
                "`` is not a schedule: it does not have five fields.".to_owned(),
            ),
            (
                "@daily",
                "`@daily` is not a schedule: it does not have five fields.".to_owned(),
            ),
            (
                "0 0 6 * * *",
                "`0 0 6 * * *` is not a schedule: it does not have five fields.".to_owned(),
            ),
            (
                "60 * * * *",
                format!("`60` is not a minute: it is 0 to 59, {allowed}"),
            ),
            (
                "0 24 * * *",
                format!("`24` is not an hour: it is 0 to 23, {allowed}"),
            ),
            (
                "0 6 0 * *",
                format!(
                    "`0` is not a day of the month: it is 1 to 31, or L for the last, {allowed}"
                ),
            ),
            (
                "0 6 * FOO *",
                format!("`FOO` is not a month: it is 1 to 12, or JAN to DEC, {allowed}"),
            ),
            (
                "0 6 * * 8",
                format!(
                    "`8` is not a day of the week: it is 0 to 7 with 0 and 7 for Sunday, or SUN to SAT, {allowed}"
                ),
            ),
            (
                "0 6 * * @daily",
                format!(
                    "`@daily` is not a day of the week: it is 0 to 7 with 0 and 7 for Sunday, or SUN to SAT, {allowed}"
                ),
            ),
            (
                "0 0 30 2 *",
                "`0 0 30 2 *` never comes: those months do not have that day.".to_owned(),
            ),
            (
                "0 0 31 4,6,9,11 *",
                "`0 0 31 4,6,9,11 *` never comes: those months do not have that day.".to_owned(),
            ),
        ];
        for (text, expected) in table {
            assert_eq!(check_cron(text), Err(expected), "{text}");
        }
        assert!(check_cron(&"9".repeat(10_000)).is_err());
        assert!(
            check_cron(&format!("{} * * * *", "1,".repeat(10_000)))
                .expect_err("no")
                .len()
                < 300
        );
    }

    #[test]
    fn time_zones_are_names_in_order() {
        let zones: Vec<_> = time_zones().collect();
        assert!(zones.is_sorted() && zones.len() > 400);
        assert!(
            zones
                .iter()
                .all(|zone| !zone.is_empty() && zone.trim() == *zone)
        );
        for zone in [
            "UTC",
            "Europe/Berlin",
            "America/Argentina/Buenos_Aires",
            "Asia/Kolkata",
        ] {
            assert!(is_time_zone(zone), "{zone}");
        }
        for zone in ["", "utc", "Mars/Base", "Europe", "Europe/Berlin "] {
            assert!(!is_time_zone(zone), "{zone}");
        }
    }
}
