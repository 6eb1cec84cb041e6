//! Dates and times as texts, for filters: read, written, added to. By the proleptic Gregorian
//! calendar and fixed offsets: nothing here knows the rules of places, as the page that computes
//! the same has no time-zone database.

use std::fmt;

/// Days from 0000-03-01 to 1970-01-01, from which the calendar's arithmetic counts.
const TO_EPOCH: i64 = 719_468;
const DAY_MS: i64 = 86_400_000;
const YEARS: std::ops::RangeInclusive<i64> = 1..=9999;
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEK: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];
/// What stands for a part of a date in a pattern.
const PARTS: &str = "%Y %m %d %H %M %S %L %y %e %b %B %a %A %j %I %p %z %F %T %%";

/// A day, or an instant with the offset that it is told in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Date {
    /// Milliseconds from 1970-01-01T00:00 by the clock that shows it.
    local_ms: i64,
    /// Minutes east of Greenwich; `None` for a day without a time.
    offset: Option<i64>,
}

impl Date {
    /// Reads a text as RFC 3339 has it: `2026-11-28`, or `2026-11-28T06:30:00+01:00`. Seconds, their
    /// fraction and the offset may be missing; without an offset it is UTC.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let mut reader = Reader(text);
        let read = reader.day().and_then(|days| {
            if reader.0.is_empty() {
                return Some((days, 0, None));
            }
            let at = reader.take(|c| matches!(c, 'T' | 't' | ' '))?;
            (at.len() == 1).then_some(())?;
            let time = reader.time()?;
            let offset = if reader.0.is_empty() {
                0
            } else {
                reader.offset()?
            };
            Some((days, time, Some(offset)))
        });
        match read.filter(|_| reader.0.is_empty()) {
            Some((days, ms, offset)) => Self::new(days * DAY_MS + ms, offset),
            None => Err(format!(
                "`{}` is not a date such as 2026-11-28 or 2026-11-28T06:30:00Z. Read other forms with date_parse.",
                super::short(text)
            )),
        }
    }

    /// Reads a text that looks as a pattern says.
    pub(super) fn parse(text: &str, pattern: &str) -> Result<Self, String> {
        let mut reader = Reader(text.trim());
        let (mut year, mut month, mut day) = (None, None, None);
        let mut clock = [0_i64; 4];
        let (mut is_afternoon, mut has_time, mut offset) = (None, false, None);
        let mut letters = pattern.trim().chars();
        let differs = || format!("`{}` does not look like {pattern}.", super::short(text));
        while let Some(letter) = letters.next() {
            if letter != '%' {
                reader.0 = reader.0.strip_prefix(letter).ok_or_else(differs)?;
                continue;
            }
            let part = letters.next();
            has_time |= matches!(part, Some('H' | 'I' | 'M' | 'S' | 'L' | 'T' | 'p' | 'z'));
            let read = match part {
                Some('Y') => reader.number(4).map(|n| year = Some(n)),
                Some('y') => reader.number(2).map(|n| year = Some(2000 + n)),
                Some('m') => reader.number(2).map(|n| month = Some(n)),
                Some('d') => reader.number(2).map(|n| day = Some(n)),
                Some('e') => {
                    reader.0 = reader.0.trim_start();
                    reader.number(2).map(|n| day = Some(n))
                }
                Some('b') => reader.name(3).map(|n| month = Some(n)),
                Some('B') => reader.name(usize::MAX).map(|n| month = Some(n)),
                Some('H' | 'I') => reader.number(2).map(|n| clock[0] = n),
                Some('M') => reader.number(2).map(|n| clock[1] = n),
                Some('S') => reader.number(2).map(|n| clock[2] = n),
                Some('L') => reader.number(3).map(|n| clock[3] = n),
                Some('p') => reader.half().map(|half| is_afternoon = Some(half)),
                Some('z') => reader.offset().map(|minutes| offset = Some(minutes)),
                Some('F') => reader.day().map(|days| {
                    let (y, m, d) = civil(days);
                    (year, month, day) = (Some(y), Some(m), Some(d));
                }),
                Some('T') => reader.time().map(|ms| {
                    clock = [ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60, ms % 1000];
                }),
                Some('%') => reader.0.strip_prefix('%').map(|rest| reader.0 = rest),
                other => return Err(unknown(other)),
            };
            read.ok_or_else(differs)?;
        }
        if let Some(is_afternoon) = is_afternoon {
            clock[0] = clock[0] % 12 + if is_afternoon { 12 } else { 0 };
        }
        let (Some(year), Some(month), Some(day)) = (year, month, day) else {
            return Err(format!("{pattern} lacks the year, the month or the day."));
        };
        let days = days(year, month, day).filter(|_| reader.0.is_empty());
        let days = days.ok_or_else(differs)?;
        let ms = clock_ms(clock).ok_or_else(differs)?;
        Self::new(days * DAY_MS + ms, has_time.then_some(offset.unwrap_or(0)))
    }

    /// Writes it as a pattern says.
    pub(super) fn write(self, pattern: &str) -> Result<String, String> {
        use fmt::Write as _;
        let days = self.local_ms.div_euclid(DAY_MS);
        let ms = self.local_ms.rem_euclid(DAY_MS);
        let (year, month, day) = civil(days);
        let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
        let month_name = usize::try_from(month - 1).map_or("", |index| MONTHS[index]);
        // 1970-01-01 was a Thursday.
        let weekday = usize::try_from((days + 3).rem_euclid(7)).map_or("", |index| WEEK[index]);
        let mut out = String::new();
        let mut letters = pattern.chars();
        while let Some(letter) = letters.next() {
            if letter != '%' {
                out.push(letter);
                continue;
            }
            let written = match letters.next() {
                Some('Y') => write!(out, "{year:04}"),
                Some('y') => write!(out, "{:02}", year % 100),
                Some('m') => write!(out, "{month:02}"),
                Some('d') => write!(out, "{day:02}"),
                Some('e') => write!(out, "{day}"),
                Some('H') => write!(out, "{hour:02}"),
                Some('I') => write!(out, "{:02}", (hour + 11) % 12 + 1),
                Some('M') => write!(out, "{minute:02}"),
                Some('S') => write!(out, "{second:02}"),
                Some('L') => write!(out, "{:03}", ms % 1000),
                Some('p') => write!(out, "{}", if hour < 12 { "AM" } else { "PM" }),
                Some('b') => write!(out, "{}", &month_name[..3]),
                Some('B') => write!(out, "{month_name}"),
                Some('a') => write!(out, "{}", &weekday[..3]),
                Some('A') => write!(out, "{weekday}"),
                Some('j') => {
                    let first = self::days(year, 1, 1).unwrap_or(days);
                    write!(out, "{:03}", days - first + 1)
                }
                Some('z') => write!(out, "{}", Offset(self.offset.unwrap_or(0))),
                Some('F') => write!(out, "{year:04}-{month:02}-{day:02}"),
                Some('T') => write!(out, "{hour:02}:{minute:02}:{second:02}"),
                Some('%') => write!(out, "%"),
                other => return Err(unknown(other)),
            };
            written.map_err(|error| error.to_string())?;
        }
        Ok(out)
    }

    /// Returns what is some time later, or earlier when `amount` is negative. A month later is the
    /// same day of the next month, or its last one. An hour from a day is one from its midnight in UTC.
    pub(super) fn plus(self, amount: i64, unit: &str) -> Result<Self, String> {
        let out_of_range = || "The date is not between the years 1 and 9999.".to_owned();
        let months = match unit.strip_suffix('s').unwrap_or(unit) {
            "year" => amount.checked_mul(12),
            "month" => Some(amount),
            clock => {
                let (ms, is_time) = match clock {
                    "week" => (7 * DAY_MS, false),
                    "day" => (DAY_MS, false),
                    "hour" => (3_600_000, true),
                    "minute" => (60_000, true),
                    "second" => (1000, true),
                    _ => {
                        return Err(format!(
                            "`{}` is not one of years, months, weeks, days, hours, minutes, seconds.",
                            super::short(unit)
                        ));
                    }
                };
                let added = amount.checked_mul(ms);
                let local = added.and_then(|added| self.local_ms.checked_add(added));
                let offset = self.offset.or(is_time.then_some(0));
                return Self::new(local.ok_or_else(out_of_range)?, offset);
            }
        };
        let (year, month, day) = civil(self.local_ms.div_euclid(DAY_MS));
        let months = months.and_then(|months| months.checked_add(year * 12 + month - 1));
        let months = months.ok_or_else(out_of_range)?;
        let (year, month) = (months.div_euclid(12), months.rem_euclid(12) + 1);
        let moved = (28..=day).rev().chain([day.min(28)]);
        let moved = moved.filter_map(|day| days(year, month, day)).next();
        let ms = self.local_ms.rem_euclid(DAY_MS);
        Self::new(moved.ok_or_else(out_of_range)? * DAY_MS + ms, self.offset)
    }

    /// Returns the same instant, told in another offset such as `+02:00` or `Z`.
    pub(super) fn at_offset(self, offset: &str) -> Result<Self, String> {
        let mut reader = Reader(offset.trim());
        let to = reader.offset().filter(|_| reader.0.is_empty());
        let to = to.ok_or_else(|| {
            format!(
                "`{}` is not an offset such as +02:00.",
                super::short(offset)
            )
        })?;
        let utc = self.local_ms - self.offset.unwrap_or(0) * 60_000;
        Self::new(utc + to * 60_000, Some(to))
    }

    fn new(local_ms: i64, offset: Option<i64>) -> Result<Self, String> {
        let first = days(*YEARS.start(), 1, 1).map(|days| days * DAY_MS);
        let last = days(*YEARS.end(), 12, 31).map(|days| (days + 1) * DAY_MS);
        if first.is_some_and(|first| first <= local_ms) && last.is_some_and(|last| local_ms < last)
        {
            Ok(Self { local_ms, offset })
        } else {
            Err("The date is not between the years 1 and 9999.".to_owned())
        }
    }
}

impl fmt::Display for Date {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pattern = match self.offset {
            None => "%F",
            Some(_) if self.local_ms.rem_euclid(1000) == 0 => "%FT%T%z",
            Some(_) => "%FT%T.%L%z",
        };
        out.write_str(&self.write(pattern).map_err(|_| fmt::Error)?)
    }
}

struct Offset(i64);

impl fmt::Display for Offset {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, minutes) = match self.0 {
            0 => return out.write_str("Z"),
            minutes if minutes < 0 => ('-', -minutes),
            minutes => ('+', minutes),
        };
        write!(out, "{sign}{:02}:{:02}", minutes / 60, minutes % 60)
    }
}

/// What is left to be read.
struct Reader<'t>(&'t str);

impl<'t> Reader<'t> {
    fn take(&mut self, fits: impl Fn(char) -> bool) -> Option<&'t str> {
        let end = self.0.find(|c| !fits(c)).unwrap_or(self.0.len());
        let (taken, rest) = self.0.split_at(end);
        self.0 = rest;
        (!taken.is_empty()).then_some(taken)
    }

    /// Reads up to so many digits.
    fn number(&mut self, most: usize) -> Option<i64> {
        let digits = self.0.bytes().take(most).take_while(u8::is_ascii_digit);
        let (number, rest) = self.0.split_at(digits.count());
        self.0 = rest;
        number.parse().ok()
    }

    fn sign(&mut self, sign: char) -> Option<()> {
        self.0 = self.0.strip_prefix(sign)?;
        Some(())
    }

    fn day(&mut self) -> Option<i64> {
        let year = self.number(4)?;
        self.sign('-')?;
        let month = self.number(2)?;
        self.sign('-')?;
        days(year, month, self.number(2)?)
    }

    /// Reads `06:30`, `06:30:15` or `06:30:15.5` as milliseconds.
    fn time(&mut self) -> Option<i64> {
        let hour = self.number(2)?;
        self.sign(':')?;
        let mut clock = [hour, self.number(2)?, 0, 0];
        if self.sign(':').is_some() {
            clock[2] = self.number(2)?;
            if self.sign('.').is_some() {
                let fraction = self.take(|c| c.is_ascii_digit())?;
                clock[3] = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
            }
        }
        clock_ms(clock)
    }

    /// Reads `Z`, `+02:00` or `+0200` as minutes.
    fn offset(&mut self) -> Option<i64> {
        if self.sign('Z').or_else(|| self.sign('z')).is_some() {
            return Some(0);
        }
        let sign = match self.0.chars().next()? {
            '+' => 1,
            '-' => -1,
            _ => return None,
        };
        self.0 = &self.0[1..];
        let hours = self.number(2)?;
        let _ = self.sign(':');
        let minutes = self.number(2)?;
        (hours < 24 && minutes < 60).then_some(sign * (hours * 60 + minutes))
    }

    /// Reads the name of a month, or its first letters; returns its number.
    fn name(&mut self, letters: usize) -> Option<i64> {
        let found = MONTHS.iter().zip(1..).find_map(|(name, number)| {
            let name = &name[..letters.min(name.len())];
            let begins = self.0.get(..name.len())?.eq_ignore_ascii_case(name);
            begins.then_some((name.len(), number))
        });
        let (length, number) = found?;
        self.0 = &self.0[length..];
        Some(number)
    }

    /// Reads AM or PM; returns whether it is the afternoon.
    fn half(&mut self) -> Option<bool> {
        let half = self.take(|c| c.is_ascii_alphabetic())?;
        let is_afternoon = half.eq_ignore_ascii_case("pm");
        (is_afternoon || half.eq_ignore_ascii_case("am")).then_some(is_afternoon)
    }
}

fn clock_ms([hour, minute, second, ms]: [i64; 4]) -> Option<i64> {
    let is_right = hour < 24 && minute < 60 && second < 60;
    is_right.then_some(((hour * 60 + minute) * 60 + second) * 1000 + ms)
}

/// Returns the days from 1970-01-01 to a day, when there is such a day in the calendar.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    if !YEARS.contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Years from March on: the leap day is the last one.
    let shifted = year - i64::from(month <= 2);
    let (era, of_era) = (shifted.div_euclid(400), shifted.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - TO_EPOCH;
    (civil(days) == (year, month, day)).then_some(days)
}

/// Returns year, month and day.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + TO_EPOCH;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = (shifted + 2) % 12 + 1;
    (year + era * 400 + i64::from(month <= 2), month, day)
}

fn unknown(part: Option<char>) -> String {
    let part = part.map_or_else(String::new, String::from);
    format!("%{part} is not a part of a date. Use {PARTS}.")
}

#[cfg(test)]
mod tests;
