//! Folders of scenarios.

use crate::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

const SCENARIO: &str = "scenario.yaml";
/// A folder in folders deeper than this is not looked into: whoever names a whole machine gets an answer.
const DEEPEST: usize = 4;

/// The scenarios in a folder, sorted: directories with a `scenario.yaml`, at any depth down to four. None where `path` is
/// itself a scenario, or no directory at all.
///
/// # Errors
/// [`Error::Folder`].
pub(crate) fn scenarios(path: &Path) -> Result<Option<Vec<PathBuf>>, Error> {
    if !path.is_dir() || path.join(SCENARIO).exists() {
        return Ok(None);
    }
    let mut found = Vec::new();
    collect(path, DEEPEST, &mut found)?;
    found.sort();
    Ok(Some(found))
}

fn collect(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), Error> {
    let unreadable = |source| Error::Folder { path: folder.to_owned(), source };
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        // A link may lead back here.
        if !entry.file_type().map_err(unreadable)?.is_dir() {
            continue;
        }
        let path = entry.path();
        if path.join(SCENARIO).exists() {
            found.push(path);
        } else if depth > 1 {
            collect(&path, depth - 1, found)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_holds_the_scenarios_below_it_in_their_order() {
        let folder = tempfile::tempdir().unwrap();
        for scenario in ["b", "a", "more/c", "b/inner", "1/2/3/4", "1/2/3/4/5"] {
            fs::create_dir_all(folder.path().join(scenario)).unwrap();
            fs::write(folder.path().join(scenario).join(SCENARIO), "").unwrap();
        }
        fs::create_dir(folder.path().join("empty")).unwrap();
        fs::write(folder.path().join("compose.yaml"), "").unwrap();
        std::os::unix::fs::symlink(folder.path(), folder.path().join("loop")).unwrap();
        let found = scenarios(folder.path()).unwrap().unwrap();
        let names: Vec<&Path> = found.iter().map(|path| path.strip_prefix(folder.path()).unwrap()).collect();
        // What lies in a scenario is its own affair.
        assert_eq!(names, ["1/2/3/4", "a", "b", "more/c"].map(Path::new));
        assert_eq!(scenarios(&folder.path().join("a")).unwrap(), None, "a scenario");
        assert_eq!(scenarios(&folder.path().join("nothing")).unwrap(), None, "the reader says what is wrong");
    }
}
