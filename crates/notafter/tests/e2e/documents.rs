//! What documents show of the formats and of the words of this tool is what it reads and says.

use super::needs::repository;
use super::walkthrough::blocks;
use notafter_core::UnixTime;
use notafter_report::explain;
use notafter_scenario::{Code, Context, Disk, Palette};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Where a block that is no whole scenario stands in one.
struct Piece {
    page: &'static str,
    /// How it begins.
    begins: &'static str,
    /// What stands before it.
    before: &'static [&'static str],
    /// By how much it is indented, in blanks.
    indentation: usize,
    /// What stands behind it.
    after: &'static str,
}

const HEAD: &str = "\
notafter: 1
name: shown
start: 2027-01-01T00:00:00Z
support: 1y
candidate: web
";

const CREDENTIALS: &str = "\
credentials:
  root: { x509: { ca: root, subject: CN=root, validity: { from: start, for: 9y } } }
  new-root: { x509: { ca: root, subject: CN=root, validity: { from: start, for: 9y } } }
  issuing: { x509: { ca: intermediate, issuer: root, subject: CN=issuing, validity: { from: start, for: 9y } } }
  partner: { x509: { issuer: issuing, subject: CN=partner, usage: [client], validity: { from: start, for: 9y } } }
  partner-ca: { x509: { ca: root, subject: CN=partner, validity: { from: start, for: 9y } } }
  site: { x509: { issuer: root, subject: CN=site, validity: { from: issued, for: 90d } } }
";

const SERVICES: &str = "\
services:
  web: { image: host, command: [web], files: { /etc/web/old.pem: { certificate: root } } }
  db: { image: host, command: [db] }
  front:
    image: host
    command: [front]
    files: { /etc/front/tls/: { tls.crt: { chain: site }, tls.key: { key: site } } }
";

const CHECKS: &str = "\
checks:
  alive: { probe: { alive: { service: web } }, expect: { works: {} } }
";

/// Every block of YAML in a document that is no whole scenario.
const PIECES: [Piece; 14] = [
    Piece {
        page: "docs/checks.md",
        begins: "expect:",
        before: &[
            HEAD,
            CREDENTIALS,
            SERVICES,
            "checks:\n  page:\n    probe: { http: { url: \"http://web:80/\" } }\n",
        ],
        indentation: 4,
        after: "",
    },
    Piece {
        page: "docs/checks.md",
        begins: "checks:\n  jobs:",
        before: &[HEAD, CREDENTIALS, SERVICES, "  mq: { image: host, command: [mq] }\n"],
        indentation: 0,
        after: "",
    },
    Piece {
        page: "docs/checks.md",
        begins: "checks:\n  is-healthy:",
        before: &[HEAD, CREDENTIALS, SERVICES],
        indentation: 0,
        after: "",
    },
    Piece {
        page: "docs/checks.md",
        begins: "checks:\n  lets-in:",
        before: &[HEAD, CREDENTIALS, SERVICES],
        indentation: 0,
        after: "",
    },
    Piece {
        page: "docs/checks.md",
        begins: "checks:\n  inspects:",
        before: &[HEAD, CREDENTIALS, SERVICES],
        indentation: 0,
        after: "",
    },
    Piece {
        page: "docs/checks.md",
        begins: "checks:\n  orders:",
        before: &[HEAD, CREDENTIALS, SERVICES],
        indentation: 0,
        after: "",
    },
    Piece {
        page: "docs/checks.md",
        begins: "checks:\n  partner-gets-in:",
        before: &[HEAD, CREDENTIALS, SERVICES],
        indentation: 0,
        after: "",
    },
    Piece {
        page: "docs/checks.md",
        begins: "checks:\n  sessions:",
        before: &[HEAD, CREDENTIALS, SERVICES],
        indentation: 0,
        after: "",
    },
    Piece {
        page: "docs/compose.md",
        begins: "candidate:",
        before: &["notafter: 1\nname: shown\nstart: now\nsupport: 1y\n", CHECKS],
        indentation: 0,
        after: "",
    },
    Piece {
        page: "docs/docker.md",
        begins: "services:",
        before: &[HEAD, CHECKS],
        indentation: 0,
        after: "    image: rootfs:web\n",
    },
    Piece {
        page: "docs/images.md",
        begins: "builds:",
        before: &[HEAD, CREDENTIALS, SERVICES, CHECKS],
        indentation: 0,
        after: "",
    },
    Piece {
        page: "docs/nightly.md",
        begins: "support:",
        before: &["notafter: 1\nname: shown\ncandidate: web\nservices: { web: {} }\n", CHECKS],
        indentation: 0,
        after: "",
    },
    Piece {
        page: "docs/policy.md",
        begins: "policy:",
        before: &[HEAD, CREDENTIALS, SERVICES, CHECKS],
        indentation: 0,
        after: "",
    },
    Piece {
        page: "docs/rotations.md",
        begins: "rotations:",
        before: &[HEAD, CREDENTIALS, SERVICES, CHECKS],
        indentation: 0,
        after: "",
    },
];

impl Piece {
    fn is(&self, page: &str, block: &str) -> bool {
        self.page == page && block.starts_with(self.begins)
    }

    /// The whole scenario.
    fn scenario(&self, block: &str) -> String {
        let indentation = " ".repeat(self.indentation);
        let block: String = block.lines().map(|line| format!("{indentation}{line}\n")).collect();
        format!("{}{block}{}", self.before.concat(), self.after)
    }
}

/// Documents with their paths.
fn documents() -> Vec<(String, String)> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(repository().join("docs")).unwrap().map(|it| it.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|it| it == "md"));
    paths.sort();
    let name = |path: &PathBuf| format!("docs/{}", path.file_name().unwrap().to_str().unwrap());
    let mut documents: Vec<(String, String)> =
        paths.iter().map(|path| (name(path), fs::read_to_string(path).unwrap())).collect();
    for path in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "ci/examples/README.md"] {
        documents.push((path.to_owned(), fs::read_to_string(repository().join(path)).unwrap()));
    }
    documents
}

/// Reads a scenario as `notafter plan` does.
fn read(directory: &Path, text: &str) -> Result<(), String> {
    let path = directory.join("scenario.yaml");
    fs::write(&path, text).unwrap();
    let source = notafter_scenario::load(&path).map_err(|error| error.to_string())?;
    let now = UnixTime::parse("2027-01-01T00:00:00Z").unwrap();
    let context = Context { now, variables: &|_| None, candidate: None, files: &Disk };
    let scenario = notafter_scenario::parse(&source, &context);
    scenario.map(|_| ()).map_err(|diagnostics| diagnostics.render(Palette::Plain))
}

/// A directory with what the documents' scenarios lie beside.
fn directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let compose = "services: { web: { image: \"shop:2.1\", ports: [\"80\"] } }\n";
    fs::write(directory.path().join("compose.yaml"), compose).unwrap();
    directory
}

/// The blocks of a language in all documents, with page and line.
fn blocks_of(language: &str) -> Vec<(String, usize, String)> {
    let mut found = Vec::new();
    for (page, text) in documents() {
        for block in blocks(&text).into_iter().filter(|block| block.language == language) {
            // A digest is not written out.
            let text = block.text.replace("sha256:…", &format!("sha256:{}", "0".repeat(64)));
            found.push((page.clone(), block.line, text));
        }
    }
    found
}

#[test]
fn every_block_of_yaml_is_a_scenario_or_a_piece_of_one() {
    let directory = directory();
    let mut met = BTreeSet::new();
    for (page, line, block) in blocks_of("yaml") {
        if page == "docs/docker.md" && block.starts_with("gate:") {
            let job: serde_json::Value = serde_yaml::from_str(&block).unwrap();
            assert!(job["gate"]["script"].is_string(), "{page}:{line}: no job of GitLab\n{block}");
            continue;
        }
        let whole = match PIECES.iter().position(|piece| piece.is(&page, &block)) {
            Some(piece) => {
                met.insert(piece);
                PIECES[piece].scenario(&block)
            }
            None => block,
        };
        read(directory.path(), &whole).unwrap_or_else(|why| panic!("{page}:{line}: {why}\n{whole}"));
    }
    assert_eq!(met.len(), PIECES.len(), "a piece that no document has any more");
}

/// A piece that is wrong is not hidden by what stands around it.
#[test]
fn a_block_that_the_format_does_not_know_is_found() {
    let directory = directory();
    for piece in &PIECES {
        let blocks = blocks_of("yaml");
        let (_, _, block) = blocks.iter().find(|(page, _, block)| piece.is(page, block)).unwrap();
        let colon = block.find(": ").unwrap();
        let wrong = format!("{}x{}", &block[..colon], &block[colon..]);
        let told = read(directory.path(), &piece.scenario(&wrong)).unwrap_err();
        assert!(told.contains("error["), "{}: {told}\n{wrong}", piece.page);
    }
}

#[test]
fn every_block_of_toml_is_a_policy() {
    let policies = blocks_of("toml");
    assert_eq!(policies.len(), 1);
    for (page, line, block) in policies {
        let directory = directory();
        let scenario = [HEAD, CREDENTIALS, SERVICES, CHECKS].concat().replace("name: shown", "name: shop");
        fs::write(directory.path().join("notafter.toml"), &block).unwrap();
        read(directory.path(), &scenario).unwrap_or_else(|why| panic!("{page}:{line}: {why}"));
        fs::write(directory.path().join("notafter.toml"), block.replace("owner", "holder")).unwrap();
        read(directory.path(), &scenario).expect_err("a policy whose waivers have no owner");
    }
}

#[test]
fn the_reference_is_what_the_schema_says() {
    let page = xtask::reference::page(&notafter_scenario::schema()).unwrap();
    let kept = fs::read_to_string(repository().join("docs/reference.md")).unwrap();
    assert!(kept == page, "docs/reference.md is old: `notafter schema | cargo xtask reference` writes it");
}

/// The text of every source of the product, with the pieces of texts that are broken over lines joined.
fn sources(directory: &Path, text: &mut String) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, text);
        } else if path.extension().is_some_and(|it| it == "rs") {
            let mut lines = fs::read_to_string(&path).unwrap().replace("\\\"", "\"");
            while let Some(at) = lines.find("\\\n") {
                let rest = lines[at + 2..].trim_start().to_owned();
                lines.truncate(at);
                lines.push_str(&rest);
            }
            text.push_str(&lines);
        }
    }
}

/// What stands between backquotes in the first column of tables.
fn symptoms(page: &str) -> Vec<&str> {
    let cells = page.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
    cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect()
}

#[test]
fn help_with_troubles_knows_every_code_and_no_message_that_the_tool_does_not_say() {
    let page = fs::read_to_string(repository().join("docs/troubleshooting.md")).unwrap();
    for code in explain::CODES {
        assert!(page.contains(&format!("`{code}`")), "docs/troubleshooting.md does not help with {code}");
    }
    let codes: Vec<&str> =
        explain::CODES.iter().map(|it| it.as_str()).chain(Code::ALL.iter().map(|it| it.as_str())).collect();
    let mut text = String::new();
    for entry in fs::read_dir(repository().join("crates")).unwrap() {
        sources(&entry.unwrap().path().join("src"), &mut text);
    }
    let is_option = |symptom: &str| symptom.starts_with("--") && text.contains(&symptom[2..]);
    for symptom in symptoms(&page) {
        if codes.contains(&symptom) || is_option(symptom.split(' ').next().unwrap()) {
            continue;
        }
        for part in symptom.split('…').map(str::trim).filter(|part| !part.is_empty()) {
            assert!(text.contains(part), "docs/troubleshooting.md: `{part}` is no code, and nothing says it");
        }
    }
    // A code in the prose is one, too.
    for word in page.split('`').skip(1).step_by(2).filter(|word| looks_like_a_code(word)) {
        assert!(codes.contains(&word), "docs/troubleshooting.md: `{word}` is no code");
    }
}

fn looks_like_a_code(word: &str) -> bool {
    word.contains('-')
        && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
        && !word.starts_with('-')
}
