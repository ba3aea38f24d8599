//! Packages of languages, by what lies beside a file: `dist-info` of Python, `package.json` of Node.js.

use super::files::Files;
use super::label::label;
use notafter_core::Package;
use std::collections::{BTreeMap, BTreeSet};

/// Paths that are asked for, each with a package that claims it.
pub(super) fn claims(files: &dyn Files, paths: &BTreeSet<String>) -> Vec<(String, Package)> {
    let mut claims = python(files, paths);
    let mut manifests: BTreeMap<String, Option<Package>> = BTreeMap::new();
    for path in paths {
        claims.extend(npm(files, path, &mut manifests).map(|package| (path.clone(), package)));
    }
    claims
}

fn python(files: &dyn Files, paths: &BTreeSet<String>) -> Vec<(String, Package)> {
    let mut by_base: BTreeMap<&str, BTreeMap<&str, &String>> = BTreeMap::new();
    for path in paths {
        let base = ["/site-packages/", "/dist-packages/"]
            .iter()
            .find_map(|folder| path.find(folder).map(|at| at + folder.len()));
        if let Some(at) = base {
            by_base.entry(&path[..at]).or_default().insert(&path[at..], path);
        }
    }
    let mut claims = Vec::new();
    for (base, wanted) in by_base {
        for folder in files.list(base).iter().filter(|name| name.ends_with(".dist-info")) {
            let read = |name: &str| files.read(&format!("{base}{folder}/{name}"));
            let (Some(record), Some(metadata)) = (read("RECORD"), read("METADATA")) else { continue };
            let Some(package) = label(&format!("{folder}/METADATA"), &metadata) else { continue };
            for line in String::from_utf8_lossy(&record).lines() {
                // PEP 376: path, hash, size; a path with a comma stands in quotes.
                let name = line.rsplitn(3, ',').last().unwrap_or(line).trim_matches('"');
                claims.extend(wanted.get(name).map(|path| ((*path).clone(), package.clone())));
            }
        }
    }
    claims
}

/// The package whose manifest lies nearest above `path`. Manifests without name or version are those of folders inside
/// a package.
fn npm(files: &dyn Files, path: &str, known: &mut BTreeMap<String, Option<Package>>) -> Option<Package> {
    let mut directory = path;
    while let Some((above, _)) = directory.rsplit_once('/') {
        directory = above;
        let manifest = known.entry(directory.to_owned()).or_insert_with(|| {
            let path = format!("{directory}/package.json");
            files.read(&path).and_then(|text| label("package.json", &text))
        });
        if let Some(package) = manifest {
            return Some(package.clone());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use crate::owners::owners_of;
    use std::collections::{BTreeMap, BTreeSet};

    #[test]
    fn packages_of_languages_claim_their_files() {
        let site = "/usr/lib/python3/site-packages";
        let files: BTreeMap<String, Vec<u8>> = [
            (
                format!("{site}/certifi-2026.1.1.dist-info/METADATA"),
                "Name: certifi\nVersion: 2026.1.1\n\nBody",
            ),
            (
                format!("{site}/certifi-2026.1.1.dist-info/RECORD"),
                "certifi/cacert.pem,sha256=x,9\n\"a,b\",,\n",
            ),
            ("/app/node_modules/x/package.json".to_owned(), r#"{"name":"x","version":"1.0.2"}"#),
            ("/app/node_modules/x/lib/package.json".to_owned(), r#"{"type":"module"}"#),
        ]
        .map(|(path, text)| (path, text.as_bytes().to_vec()))
        .into();
        let asked = [
            format!("{site}/certifi/cacert.pem"),
            format!("{site}/a,b"),
            format!("{site}/other/cacert.pem"),
            "/app/node_modules/x/lib/ca.js".to_owned(),
            "/app/main.js".to_owned(),
        ];
        let found = owners_of(&files, &BTreeSet::from(asked));
        let found: Vec<(&str, String)> =
            found.iter().map(|(path, owners)| (path.as_str(), owners[0].to_string())).collect();
        assert_eq!(
            found,
            [
                ("/app/node_modules/x/lib/ca.js", "npm package x 1.0.2".to_owned()),
                (&*format!("{site}/a,b"), "python package certifi 2026.1.1".to_owned()),
                (&*format!("{site}/certifi/cacert.pem"), "python package certifi 2026.1.1".to_owned()),
            ]
        );
    }
}
