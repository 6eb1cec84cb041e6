//! Pairs the items of two lists that are most alike, without crossing.

use crate::limit;

/// A pair, or an item of one list that has no partner in the other.
pub(super) type Pairing = (Option<usize>, Option<usize>);

/// Returns the items of two lists in order, paired so that the likeness of all pairs together is
/// greatest; 0 means that two items are no pair. What has no partner comes before what it gave way
/// to. Items are paired place by place when there are more than [`limit::DIFF_PAIRS`] pairs to
/// choose from.
pub(super) fn align(
    old: usize,
    new: usize,
    likeness: impl Fn(usize, usize) -> u32,
) -> Vec<Pairing> {
    if old.saturating_mul(new) > limit::DIFF_PAIRS {
        return (0..old.max(new))
            .map(|at| {
                (
                    Some(at).filter(|at| *at < old),
                    Some(at).filter(|at| *at < new),
                )
            })
            .collect();
    }
    // What can be had from each place on, in both lists.
    let width = new + 1;
    let mut best = vec![0_u32; (old + 1) * width];
    let mut likenesses = vec![0_u32; old * new];
    for i in (0..old).rev() {
        for j in (0..new).rev() {
            let alike = likeness(i, j);
            likenesses[i * new + j] = alike;
            let paired = if alike > 0 {
                alike.saturating_add(best[(i + 1) * width + j + 1])
            } else {
                0
            };
            best[i * width + j] = paired
                .max(best[(i + 1) * width + j])
                .max(best[i * width + j + 1]);
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut pairs = Vec::with_capacity(old.max(new));
    while i < old || j < new {
        let here = best[i * width + j];
        let alike = if i < old && j < new {
            likenesses[i * new + j]
        } else {
            0
        };
        if alike > 0 && alike.saturating_add(best[(i + 1) * width + j + 1]) == here {
            pairs.push((Some(i), Some(j)));
            (i, j) = (i + 1, j + 1);
        } else if i < old && (j == new || best[(i + 1) * width + j] == here) {
            pairs.push((Some(i), None));
            i += 1;
        } else {
            pairs.push((None, Some(j)));
            j += 1;
        }
    }
    pairs
}
