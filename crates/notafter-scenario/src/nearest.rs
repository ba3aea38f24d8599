//! The name that a reader most likely meant.

/// Names beyond this many are not compared; keeps a hostile file from buying quadratic work.
const MAX_NAMES: usize = 256;
/// Longer texts are no misspelt names.
const MAX_CHARS: usize = 64;

/// The one of `names` that is nearest to `wrong`, if it is near enough to be what was meant.
pub(crate) fn nearest<'a>(wrong: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wrong: Vec<char> = wrong.chars().take(MAX_CHARS + 1).collect();
    if wrong.len() > MAX_CHARS {
        return None;
    }
    names
        .into_iter()
        .take(MAX_NAMES)
        .map(|name| (distance(&wrong, name), name))
        .filter(|(distance, name)| *distance <= (wrong.len().min(name.len()) / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Edits (insert, delete, replace, swap neighbours) between two texts, without regard to case.
fn distance(left: &[char], right: &str) -> usize {
    let lower = |char: &char| char.to_ascii_lowercase();
    let right: Vec<char> = right.chars().take(MAX_CHARS).collect();
    let (mut before, mut above): (Vec<usize>, Vec<usize>) = (Vec::new(), (0..=right.len()).collect());
    for (row, char) in left.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, other) in right.iter().enumerate() {
            let same = lower(char) == lower(other);
            let mut best =
                (above[column] + usize::from(!same)).min(above[column + 1] + 1).min(current[column] + 1);
            let swapped = row > 0
                && column > 0
                && lower(char) == lower(&right[column - 1])
                && lower(&left[row - 1]) == lower(other);
            if swapped {
                best = best.min(before[column - 1] + 1);
            }
            current.push(best);
        }
        before = std::mem::replace(&mut above, current);
    }
    above[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_offered_and_far_ones_are_not() {
        let names = ["command", "env", "files", "needs"];
        for (wrong, meant) in [
            ("comand", Some("command")),
            ("cmomand", Some("command")),
            ("Needs", Some("needs")),
            ("evn", Some("env")),
            ("image", None),
            ("", None),
        ] {
            assert_eq!(nearest(wrong, names), meant, "{wrong}");
        }
    }
}
