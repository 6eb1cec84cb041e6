//! Which items of a list stayed and which were moved, with as few moves as can be.

/// Returns for each item whether it stays, given where each stood before (all different) and how
/// heavy it is: as many as possible stay, and of equally many the heaviest.
///
/// The longest increasing subsequence, in n log n.
pub(super) fn stays(stood: &[usize], weight: impl Fn(usize) -> usize) -> Vec<bool> {
    if stood.is_sorted() {
        return vec![true; stood.len()];
    }
    let mut best = Best(vec![None; stood.iter().max().map_or(0, |last| last + 1)]);
    let mut before: Vec<Option<usize>> = Vec::with_capacity(stood.len());
    let mut last: Option<Chain> = None;
    for (item, &place) in stood.iter().enumerate() {
        let chain = best.up_to(place);
        let (count, heavy) = chain.map_or((0, 0), |chain| (chain.count, chain.weight));
        before.push(chain.map(|chain| chain.last));
        let chain = Chain {
            count: count + 1,
            weight: heavy + weight(item),
            last: item,
        };
        best.note(place, chain);
        if last.is_none_or(|last| chain.is_better(&last)) {
            last = Some(chain);
        }
    }
    let mut stays = vec![false; stood.len()];
    let mut at = last.map(|chain| chain.last);
    while let Some(item) = at {
        stays[item] = true;
        at = before[item];
    }
    stays
}

/// An increasing subsequence, known by its last item.
#[derive(Clone, Copy)]
struct Chain {
    count: usize,
    weight: usize,
    last: usize,
}

impl Chain {
    fn is_better(&self, other: &Self) -> bool {
        (self.count, self.weight) > (other.count, other.weight)
    }
}

/// The best chain that ends before a place, by the bits of the place (a Fenwick tree).
struct Best(Vec<Option<Chain>>);

impl Best {
    /// Returns the best chain whose last item stood before a place.
    fn up_to(&self, mut place: usize) -> Option<Chain> {
        let mut best: Option<Chain> = None;
        while place > 0 {
            if let Some(chain) = self.0[place - 1]
                && best.is_none_or(|best| chain.is_better(&best))
            {
                best = Some(chain);
            }
            place &= place - 1;
        }
        best
    }

    fn note(&mut self, place: usize, chain: Chain) {
        let mut at = place + 1;
        while at <= self.0.len() {
            let slot = &mut self.0[at - 1];
            if slot.is_none_or(|slot| chain.is_better(&slot)) {
                *slot = Some(chain);
            }
            at += at & at.wrapping_neg();
        }
    }
}
