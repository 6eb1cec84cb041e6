//! Merges texts of several lines: changes in different places of a text are both kept.

use std::ops::Range;

/// What a side changed: lines of the base, and what stands there instead.
struct Hunk<'a> {
    at: Range<usize>,
    lines: &'a [&'a str],
}

/// Returns the text with the changes of both sides, or `None` when it has only one line or when
/// no unchanged line stands between the changes.
pub(super) fn merged(base: &str, ours: &str, theirs: &str) -> Option<String> {
    let split = |text| str::split(text, '\n').collect::<Vec<_>>();
    let (base, ours, theirs) = (split(base), split(ours), split(theirs));
    let (one, other) = (hunk(&base, &ours), hunk(&base, &theirs));
    let (first, second) = if one.at.start <= other.at.start {
        (one, other)
    } else {
        (other, one)
    };
    if first.at.end >= second.at.start {
        return None;
    }
    let parts = [
        &base[..first.at.start],
        first.lines,
        &base[first.at.end..second.at.start],
        second.lines,
        &base[second.at.end..],
    ];
    Some(parts.concat().join("\n"))
}

fn hunk<'a>(base: &[&str], side: &'a [&'a str]) -> Hunk<'a> {
    let same = |(a, b): &(&&str, &&str)| a == b;
    let start = base.iter().zip(side).take_while(same).count();
    let (base, left) = (&base[start..], &side[start..]);
    let end = base.iter().rev().zip(left.iter().rev());
    let end = end.take_while(same).count();
    Hunk {
        at: start..start + base.len() - end,
        lines: &left[..left.len() - end],
    }
}
