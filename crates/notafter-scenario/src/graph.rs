//! Order among things that depend on each other.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The order in which each node comes after all that it depends on, and otherwise as listed.
///
/// `depends_on[node]` holds the nodes that must come before `node`.
///
/// # Errors
/// One cycle, each node depending on the next and the last on the first.
pub(crate) fn order(depends_on: &[Vec<usize>]) -> Result<Vec<usize>, Vec<usize>> {
    let mut waiting: Vec<usize> = depends_on.iter().map(Vec::len).collect();
    let mut dependents = vec![Vec::new(); depends_on.len()];
    for (node, dependencies) in depends_on.iter().enumerate() {
        for dependency in dependencies {
            dependents[*dependency].push(node);
        }
    }
    let mut ready: BinaryHeap<Reverse<usize>> =
        (0..depends_on.len()).filter(|node| waiting[*node] == 0).map(Reverse).collect();
    let mut order = Vec::with_capacity(depends_on.len());
    while let Some(Reverse(node)) = ready.pop() {
        order.push(node);
        for dependent in &dependents[node] {
            waiting[*dependent] -= 1;
            if waiting[*dependent] == 0 {
                ready.push(Reverse(*dependent));
            }
        }
    }
    match waiting.iter().position(|count| *count > 0) {
        None => Ok(order),
        Some(stuck) => Err(cycle(depends_on, &waiting, stuck)),
    }
}

/// Follows the dependencies that never became ready until a node comes again.
fn cycle(depends_on: &[Vec<usize>], waiting: &[usize], start: usize) -> Vec<usize> {
    let mut visited_at = vec![None; depends_on.len()];
    let mut path = Vec::new();
    let mut node = start;
    loop {
        if let Some(first) = visited_at[node] {
            let mut cycle: Vec<usize> = path.split_off(first);
            let smallest = (0..cycle.len()).min_by_key(|at| cycle[*at]).unwrap_or(0);
            cycle.rotate_left(smallest);
            return cycle;
        }
        visited_at[node] = Some(path.len());
        path.push(node);
        // A node that waits has a dependency that waits, or it would have become ready.
        match depends_on[node].iter().find(|dependency| waiting[**dependency] > 0) {
            Some(next) => node = *next,
            None => return path,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_come_first_and_the_rest_stays_in_order() {
        assert_eq!(order(&[vec![2], vec![], vec![], vec![0, 0]]), Ok(vec![1, 2, 0, 3]));
        assert_eq!(order(&[]), Ok(vec![]));
    }

    #[test]
    fn a_cycle_is_named_from_its_first_node() {
        assert_eq!(order(&[vec![], vec![3], vec![1], vec![2]]), Err(vec![1, 3, 2]));
        assert_eq!(order(&[vec![0]]), Err(vec![0]));
    }

    #[test]
    fn nodes_behind_a_cycle_are_not_part_of_it() {
        assert_eq!(order(&[vec![1], vec![2], vec![1]]), Err(vec![1, 2]));
    }

    #[test]
    fn long_chains_need_no_stack() {
        let chain: Vec<Vec<usize>> =
            (0..100_000).map(|node| if node == 0 { vec![] } else { vec![node - 1] }).collect();
        assert_eq!(order(&chain).map(|order| order.len()), Ok(100_000));
    }
}
