//! Tables inside a document: each stands between `<!-- table: NAME -->` and `<!-- end: NAME -->`, and only what is
//! between them is ever written.

use super::Table;
use anyhow::{Context, Result, bail};
use std::path::Path;

/// `document` with the table of this name replaced; every other byte stays as it is.
///
/// # Errors
/// When either marker is missing, stands there twice, or the end comes first: writing anywhere else would destroy
/// what somebody wrote by hand.
pub fn replace_table(document: &str, name: &str, table: &Table) -> Result<String> {
    let (_, begin) = place(document, &format!("<!-- table: {name} -->"))?;
    let (end, _) = place(document, &format!("<!-- end: {name} -->"))?;
    let (Some(before), Some(_), Some(after)) =
        (document.get(..begin), document.get(begin..end), document.get(end..))
    else {
        bail!("the end of table `{name}` stands before its beginning");
    };
    Ok(format!("{before}\n{table}{after}"))
}

/// Replaces the table of this name in a file.
///
/// # Errors
/// As [`replace_table`], and when the file cannot be read or written.
pub fn record(file: &Path, name: &str, table: &Table) -> Result<()> {
    let document =
        std::fs::read_to_string(file).with_context(|| format!("failed to read {}", file.display()))?;
    let document = replace_table(&document, name, table)
        .with_context(|| format!("failed to update {}", file.display()))?;
    std::fs::write(file, document).with_context(|| format!("failed to write {}", file.display()))
}

/// Where the one occurrence of `marker` begins and ends.
fn place(document: &str, marker: &str) -> Result<(usize, usize)> {
    let mut places = document.match_indices(marker);
    match (places.next(), places.next()) {
        (Some((begin, _)), None) => Ok((begin, begin + marker.len())),
        (None, _) => bail!("marker `{marker}` is missing"),
        (Some(_), Some(_)) => bail!("marker `{marker}` stands there more than once"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(&["what", "×"]);
        table.push(vec!["clock read".to_owned(), "1.09".to_owned()]).unwrap();
        table
    }

    #[test]
    fn only_the_text_between_the_markers_changes() {
        let document = "# Before\n<!-- table: clock -->\nold\n<!-- end: clock -->\nAfter, without line end";
        let updated = replace_table(document, "clock", &table()).unwrap();
        insta::assert_snapshot!(updated, @r"
        # Before
        <!-- table: clock -->
        | what       | ×    |
        | ---------- | ---- |
        | clock read | 1.09 |
        <!-- end: clock -->
        After, without line end
        ");
        assert_eq!(replace_table(&updated, "clock", &table()).unwrap(), updated);
    }

    #[test]
    fn a_document_without_its_markers_is_left_alone() {
        for document in [
            "",
            "<!-- table: clock -->",
            "<!-- end: clock -->",
            "<!-- end: clock --><!-- table: clock -->",
            "<!-- table: clock --><!-- table: clock --><!-- end: clock -->",
            "<!-- table: other --><!-- end: other -->",
        ] {
            assert!(replace_table(document, "clock", &table()).is_err(), "{document:?}");
        }
    }
}
