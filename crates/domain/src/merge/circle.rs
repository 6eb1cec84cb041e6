//! Finds steps that moves would put into each other.

/// Returns the groups of two or more numbers of which each can be reached from each other one, by
/// the method of Tarjan, without recursion. `edges` holds where each number leads to.
pub(super) fn circles(edges: &[[Option<usize>; 2]]) -> Vec<Vec<usize>> {
    let mut found = Vec::new();
    // When each was reached, counted from 1, and the earliest that can be reached from it.
    let mut reached = vec![0; edges.len()];
    let mut earliest = vec![0; edges.len()];
    let mut is_open = vec![false; edges.len()];
    let (mut open, mut count) = (Vec::new(), 0);
    let mut path: Vec<(usize, usize)> = Vec::new();
    for start in 0..edges.len() {
        if reached[start] == 0 {
            path.push((start, 0));
        }
        while let Some((number, edge)) = path.last_mut() {
            let number = *number;
            if reached[number] == 0 {
                count += 1;
                (reached[number], earliest[number]) = (count, count);
                open.push(number);
                is_open[number] = true;
            }
            if let Some(next) = edges[number].get(*edge) {
                *edge += 1;
                match *next {
                    Some(next) if reached[next] == 0 => path.push((next, 0)),
                    Some(next) if is_open[next] => {
                        earliest[number] = earliest[number].min(reached[next]);
                    }
                    _ => {}
                }
                continue;
            }
            path.pop();
            if let Some((above, _)) = path.last() {
                earliest[*above] = earliest[*above].min(earliest[number]);
            }
            if earliest[number] == reached[number] {
                let from = open.iter().rposition(|one| *one == number);
                let mut group = open.split_off(from.unwrap_or(open.len()));
                for one in &group {
                    is_open[*one] = false;
                }
                if group.len() > 1 {
                    group.sort_unstable();
                    found.push(group);
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_circle_is_what_leads_back_to_itself(
            pairs in prop::collection::vec((0..24_usize, 0..24_usize), 0..12),
        ) {
            let edge = |to| Some(to).filter(|to| *to < pairs.len());
            let edges: Vec<_> = pairs.iter().map(|(a, b)| [edge(*a), edge(*b)]).collect();
            let mut leads = vec![vec![false; edges.len()]; edges.len()];
            for (from, to) in edges.iter().enumerate() {
                to.iter().flatten().for_each(|to| leads[from][*to] = true);
            }
            for by in 0..edges.len() {
                for from in 0..edges.len() {
                    for to in 0..edges.len() {
                        leads[from][to] |= leads[from][by] && leads[by][to];
                    }
                }
            }
            let mut expected: Vec<Vec<usize>> = Vec::new();
            for (one, led) in leads.iter().enumerate() {
                let with = |other: &usize| *other == one || led[*other] && leads[*other][one];
                let group: Vec<usize> = (0..edges.len()).filter(with).collect();
                if group.len() > 1 && group[0] == one {
                    expected.push(group);
                }
            }
            let mut found = circles(&edges);
            found.sort();
            prop_assert_eq!(found, expected);
        }
    }
}
