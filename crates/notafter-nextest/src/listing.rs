//! From a directory of scenarios to the names of tests: quick, deterministic, and nothing runs.

use notafter_scenario::{Outline, Palette, load, outline};
use std::fs;
use std::path::{Path, PathBuf};

/// What one test looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Testcase {
    /// `SCENARIO::BUILD::CHECK`, without the build where its candidate has no named ones.
    pub(crate) name: String,
    /// What all checks of one gate have in common; the name of a directory.
    pub(crate) key: String,
    /// The scenario, relative to the package.
    pub(crate) scenario: PathBuf,
    /// The candidate's service and build, where the scenario names builds.
    pub(crate) candidate: Option<String>,
    pub(crate) check: String,
    /// Whether the scenario tells what must come out.
    pub(crate) retold: bool,
}

/// A test, or why there can be none.
pub(crate) type Listed = Result<Testcase, Unlisted>;

/// What stands in the place of tests that cannot be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unlisted {
    pub(crate) name: String,
    pub(crate) why: String,
}

/// The tests of all scenarios in `directory` below `package`: of its `*.yaml` files, and of the `scenario.yaml` of each
/// directory in it; sorted by file.
/// Where `only` is given, those alone, each of which must be there.
pub(crate) fn list(package: &Path, directory: &Path, only: Option<&[String]>) -> Vec<Listed> {
    let mut scenarios: Vec<(String, PathBuf)> = Vec::new();
    let entries = fs::read_dir(package.join(directory)).into_iter().flatten().flatten();
    for entry in entries {
        let path = directory.join(entry.file_name());
        let is_scenario = match package.join(&path).is_dir() {
            true => package.join(&path).join("scenario.yaml").is_file(),
            false => path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml"),
        };
        if let (true, Some(stem)) = (is_scenario, path.file_stem()) {
            scenarios.push((stem.to_string_lossy().into_owned(), path));
        }
    }
    scenarios.sort();
    let place = package.join(directory);
    let missing = |name: &str, what: &str| {
        let why = format!("there is no scenario{what} in {}", place.display());
        Err(Unlisted { name: name.to_owned(), why })
    };
    let mut listed = Vec::new();
    if let Some(only) = only {
        let lost = only.iter().filter(|name| !scenarios.iter().any(|(known, _)| known == *name));
        listed.extend(lost.map(|name| missing(&format!("{name}::scenario"), &format!(" {name}"))));
        scenarios.retain(|(name, _)| only.contains(name));
    }
    listed.extend(scenarios.iter().flat_map(|(name, path)| of_scenario(package, name, path)));
    if listed.is_empty() {
        listed.push(missing("scenarios", ""));
    }
    listed
}

fn of_scenario(package: &Path, name: &str, path: &Path) -> Vec<Listed> {
    let read = load(&package.join(path)).map_err(|error| error.to_string());
    let read = read.and_then(|source| outline(&source).map_err(|error| error.render(Palette::Plain)));
    match read {
        Ok(outline) => testcases(name, path, &outline).into_iter().map(Ok).collect(),
        Err(why) => vec![Err(Unlisted { name: format!("{name}::scenario"), why })],
    }
}

fn testcases(name: &str, path: &Path, outline: &Outline) -> Vec<Testcase> {
    let of = |build: Option<&String>| {
        let suite = build.map_or_else(|| name.to_owned(), |build| format!("{name}::{build}"));
        let testcase = |check: &String| Testcase {
            name: format!("{suite}::{check}"),
            key: suite
                .chars()
                .map(|c| if c.is_ascii_alphanumeric() || "-.".contains(c) { c } else { '_' })
                .collect(),
            scenario: path.to_owned(),
            candidate: build.map(|build| format!("{}={build}", outline.candidate)),
            check: check.clone(),
            retold: outline.retold,
        };
        outline.checks.iter().map(testcase).collect::<Vec<_>>()
    };
    match outline.builds.as_slice() {
        [] => of(None),
        builds => builds.iter().flat_map(|build| of(Some(build))).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(files: &[(&str, &str)]) -> Vec<String> {
        names_of(files, None)
    }

    fn names_of(files: &[(&str, &str)], only: Option<&[String]>) -> Vec<String> {
        let package = tempfile::tempdir().unwrap();
        for (file, text) in files {
            let path = package.path().join("scenarios").join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let listed = list(package.path(), Path::new("scenarios"), only);
        listed
            .into_iter()
            .map(|listed| listed.map_or_else(|un| format!("! {}", un.name), |t| t.name))
            .collect()
    }

    #[test]
    fn each_build_and_check_is_a_test() {
        let plain = "candidate: web\nchecks: { b: {}, a: {} }\n";
        let built = "candidate: web\nbuilds: { '1': host, '2': host }\nchecks: { a: {} }\n";
        let retold = format!("{built}replay: [{{ build: 2, verdict: block }}]\n");
        assert_eq!(
            names(&[
                ("z.yaml", plain),
                ("built/scenario.yaml", built),
                ("retold/scenario.yaml", &retold),
                ("retold/nginx.conf", "not a scenario"),
                ("notes.md", "not a scenario"),
            ]),
            ["built::1::a", "built::2::a", "retold::2::a", "z::b", "z::a"]
        );
    }

    #[test]
    fn what_cannot_be_listed_is_a_test_that_fails() {
        assert_eq!(names(&[]), ["! scenarios"]);
        assert_eq!(names(&[("bad.yaml", "checks: ["), ("notes.md", "")]), ["! bad::scenario"]);
    }

    #[test]
    fn a_scenario_that_was_asked_for_and_is_not_there_is_a_test_that_fails() {
        let files = [
            ("a.yaml", "candidate: web\nchecks: { c: {} }\n"),
            ("b.yaml", "candidate: web\nchecks: { c: {} }\n"),
        ];
        let only = ["b", "gone"].map(str::to_owned);
        assert_eq!(names_of(&files, Some(&only)), ["! gone::scenario", "b::c"]);
        assert_eq!(names_of(&files, Some(&[])), ["! scenarios"]);
    }
}
