//! Days of schedules on a simulated clock, on which clocks are changed, in three zones.

use domain::Timestamp;
use engine::schedule::next_fires;
use jiff::civil::Time;
use jiff::tz::TimeZone;

const MINUTE_MS: i64 = 60_000;
const DAY_MINUTES: i64 = 24 * 60;

/// The instants at which clocks change in 2026: forward, then back (Lord Howe by half an hour).
const CHANGES: [(&str, &str, &str); 3] = [
    (
        "Europe/Berlin",
        "2026-03-29T01:00:00Z",
        "2026-10-25T01:00:00Z",
    ),
    (
        "America/New_York",
        "2026-03-08T07:00:00Z",
        "2026-11-01T06:00:00Z",
    ),
    (
        "Australia/Lord_Howe",
        "2026-10-03T15:30:00Z",
        "2026-04-04T15:00:00Z",
    ),
];

/// A schedule, and when it must fire: at each minute of an hour that its step divides, or once a
/// day, at a time.
#[derive(Clone, Copy)]
enum When {
    Each(i8),
    At(i8, i8),
}

impl When {
    fn cron(self) -> String {
        match self {
            When::Each(60) => "0 * * * *".to_owned(),
            When::Each(minutes) => format!("*/{minutes} * * * *"),
            When::At(hour, minute) => format!("{minute} {hour} * * *"),
        }
    }
}

/// Fires as the scheduler does, which looks once a minute and then asks for the next instant;
/// returns the minutes in which it fired, and each instant that it fired for.
fn simulate(cron: &str, zone: &str, first_minute: i64) -> Vec<(i64, Timestamp)> {
    let start = Timestamp(first_minute * MINUTE_MS);
    let just_before = Timestamp(start.0 - 1);
    let mut next = next_fires(cron, zone, just_before, 1)[0];
    let mut fired = Vec::new();
    for minute in first_minute..first_minute + DAY_MINUTES {
        // It looks a moment after the minute began.
        let now = Timestamp(minute * MINUTE_MS + 2);
        if next <= now {
            fired.push((minute, next));
            next = next_fires(cron, zone, now.max(next), 1)[0];
        }
    }
    fired
}

/// Returns the minutes in which a schedule must fire, found by reading a wall clock each minute.
fn expected(when: When, zone: &TimeZone, first_minute: i64) -> Vec<i64> {
    let wall = |minute: i64| {
        let instant = jiff::Timestamp::from_millisecond(minute * MINUTE_MS).expect("in range");
        zone.to_datetime(instant)
    };
    let day = first_minute..first_minute + DAY_MINUTES;
    match when {
        When::Each(minutes) => day
            .filter(|minute| wall(*minute).minute() % minutes.min(60) == 0)
            .collect(),
        When::At(hour, minute) => {
            let time = Time::new(hour, minute, 0, 0).expect("a time");
            // The first minute of its date at which the clock shows that time or has passed it.
            let mut done = None;
            let mut fires = Vec::new();
            for minute in first_minute - DAY_MINUTES..first_minute + DAY_MINUTES {
                let shown = wall(minute);
                if shown.time() >= time && done != Some(shown.date()) {
                    done = Some(shown.date());
                    fires.push(minute);
                }
            }
            fires.retain(|minute| day.contains(minute));
            fires
        }
    }
}

#[test]
fn in_a_day_on_which_clocks_change_each_schedule_fires_right_to_the_minute_and_never_twice() {
    let whens = [
        When::Each(1),
        When::Each(15),
        When::Each(30),
        When::Each(60),
        When::At(0, 0),
        When::At(1, 15),
        When::At(1, 45),
        When::At(2, 0),
        When::At(2, 15),
        When::At(2, 30),
        When::At(3, 0),
        When::At(12, 7),
        When::At(23, 59),
    ];
    let mut days = 0;
    for (name, forward, back) in CHANGES {
        let zone = TimeZone::get(name).expect("it is known");
        for change in [forward, back] {
            let change: jiff::Timestamp = change.parse().expect("an instant");
            let minute = change.as_millisecond() / MINUTE_MS;
            let offset = |minute: i64| {
                let instant = jiff::Timestamp::from_second(minute * 60).expect("in range");
                zone.to_offset(instant)
            };
            assert_ne!(offset(minute - 1), offset(minute), "{name} at {change}");
            // Half a day before the change until half a day after it.
            let first = minute - DAY_MINUTES / 2;
            for when in whens {
                let fired = simulate(&when.cron(), name, first);
                let minutes: Vec<_> = fired.iter().map(|(minute, _)| *minute).collect();
                let about = format!("{} in {name} around {change}", when.cron());
                assert_eq!(minutes, expected(when, &zone, first), "{about}");
                let late = fired.iter().find(|(minute, at)| at.0 != minute * MINUTE_MS);
                assert_eq!(late, None, "{about}");
                days += 1;
            }
        }
    }
    assert_eq!(days, 78);
}
