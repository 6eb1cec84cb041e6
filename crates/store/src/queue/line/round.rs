//! One claim's way round the circle of lines, from where it began to there again.

use uuid::Uuid;

/// How far a claim has come. A claim that is cut off leaves it to the next one, so that what is
/// claimed again and again comes to its end, however many lines there are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Round {
    /// Behind which line it began.
    begun: Uuid,
    /// Whether it went on from the last line to the first.
    has_wrapped: bool,
    /// Whether a line had something due and gave nothing: others may have no room, either.
    pub(super) is_wary: bool,
}

impl Round {
    /// Returns one that begins behind a line.
    pub(super) fn behind(line: Uuid) -> Self {
        Self {
            begun: line,
            has_wrapped: false,
            is_wary: false,
        }
    }

    /// Goes on from one line to another, at most once round; returns whether all lines were come by.
    /// Lines come and go meanwhile: where it began there may be none any more, and it ends at the
    /// next one then.
    pub(super) fn goes_on(&mut self, from: Uuid, to: Uuid) -> bool {
        if to <= from {
            if self.has_wrapped {
                return true;
            }
            self.has_wrapped = true;
        }
        self.has_wrapped && to >= self.begun
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    /// Goes from line to line; returns how many it took until the round was over.
    fn length(begun: u128, lines: &[u128]) -> Option<usize> {
        let mut round = Round::behind(line(begun));
        let mut from = line(begun);
        let ends = lines.iter().position(|to| {
            let is_over = round.goes_on(from, line(*to));
            from = line(*to);
            is_over
        });
        ends.map(|last| last + 1)
    }

    #[test]
    fn a_round_is_over_when_it_comes_to_where_it_began() {
        assert_eq!(length(5, &[7, 9, 3, 5, 7]), Some(4));
        assert_eq!(length(5, &[5]), Some(1), "a line alone");
        assert_eq!(length(9, &[3, 5, 9, 3]), Some(3), "behind the last one");
        assert_eq!(length(0, &[3, 5, 9, 3]), Some(4), "behind none");
        assert_eq!(length(5, &[7, 9, 3]), None);
    }

    #[test]
    fn a_round_is_over_also_when_lines_come_and_go() {
        assert_eq!(length(5, &[7, 9, 3, 6]), Some(4), "where it began is gone");
        assert_eq!(length(9, &[3, 5, 3]), Some(3), "and nothing is behind it");
        assert_eq!(length(5, &[7, 1, 2, 3, 4, 5]), Some(6), "some came");
        assert_eq!(length(5, &[7, 2, 2]), Some(3), "one is left");
    }
}
