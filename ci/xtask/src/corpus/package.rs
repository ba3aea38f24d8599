//! The list of packages.

use anyhow::{Context, Result, bail};

/// Who downloads a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Client {
    Apt,
    Pip,
}

/// One row: a file of a package, and who says what lies in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Package {
    pub(super) client: Client,
    pub(super) name: String,
    pub(super) version: String,
    /// Of the downloaded file, in lower-case hex.
    pub(super) sha256: String,
    /// What the row is about, for people.
    pub(super) container: String,
    /// The file in the package; the whole package where there is none.
    pub(super) path: Option<String>,
    /// What `truth.py` is asked for, and how the file is made of the package where it is made.
    pub(super) truth: Vec<String>,
}

/// Reads the list: seven columns between `|`, comments after `#`.
pub(super) fn packages(list: &str) -> Result<Vec<Package>> {
    let rows = list.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    rows.map(|row| package(row).with_context(|| format!("in the row `{row}`"))).collect()
}

fn package(row: &str) -> Result<Package> {
    let columns: Vec<&str> = row.split('|').map(str::trim).collect();
    let [client, name, version, sha256, container, path, truth] = columns[..] else {
        bail!("it has {} columns, not 7", columns.len());
    };
    if sha256.len() != 64 || !sha256.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        bail!("`{sha256}` is no SHA-256");
    }
    Ok(Package {
        client: match client {
            "apt" => Client::Apt,
            "pip" => Client::Pip,
            other => bail!("nobody downloads with `{other}`"),
        },
        name: name.to_owned(),
        version: version.to_owned(),
        sha256: sha256.to_owned(),
        container: container.to_owned(),
        path: (path != "-").then(|| path.to_owned()),
        truth: truth.split_whitespace().map(str::to_owned).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_list_is_whole() {
        let list = packages(include_str!("packages.txt")).unwrap();
        assert!(list.len() > 10);
        assert!(list.iter().all(|package| !package.truth.is_empty()));
    }

    #[test]
    fn rows_that_say_too_little_are_refused() {
        for row in ["apt | x | 1 | 00 | PEM | - | gpg", "apt | x", "rpm | x | 1 | 00 | PEM | - | gpg"] {
            assert!(packages(row).is_err(), "{row}");
        }
    }
}
