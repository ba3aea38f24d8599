//! The guests of `fixtures/guests`, and how each is built and started.

use crate::needs::{PATH, are_installed, repository};
use crate::scene::shown;
use notafter_backend::FileSpec;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A program that reads every clock and waits in every way of its runtime. With the path of a file as its argument it
/// does so a second time once that file exists.
pub(super) struct Guest {
    /// What has to be installed to build and to run it.
    pub(super) needs: &'static [&'static str],
    source: &'static str,
    made: Made,
}

/// How a source becomes something that runs.
#[derive(Clone, Copy)]
enum Made {
    /// By a compiler, whose arguments these are; the source and `-o OUTPUT` follow.
    Compiled(&'static [&'static str]),
    /// By `go build` with these arguments.
    Go(&'static [&'static str]),
    /// As it is, by this command.
    Interpreted(&'static [&'static str]),
    /// By the shell of busybox, to which every program is an applet of its own.
    Busybox,
}

const fn compiled(source: &'static str, compiler: &'static [&'static str]) -> Guest {
    // Cargo has seen to Rust's own.
    let needs = if matches!(compiler[0].as_bytes(), b"rustc") { &["cc"] } else { compiler.split_at(1).0 };
    Guest { needs, source, made: Made::Compiled(compiler) }
}

const fn interpreted(source: &'static str, command: &'static [&'static str]) -> Guest {
    Guest { needs: command.split_at(1).0, source, made: Made::Interpreted(command) }
}

const RUSTC: &str = "rustc";

pub(super) const GLIBC: Guest = compiled("trees.c", &["cc", "-O1", "-pthread"]);
pub(super) const GLIBC_STATIC: Guest = compiled("trees.c", &["cc", "-O1", "-pthread", "-static"]);
pub(super) const GLIBC_STATIC_PIE: Guest = compiled("trees.c", &["cc", "-O1", "-pthread", "-static-pie"]);
/// The kernel's headers come from the other C library's place.
pub(super) const MUSL_STATIC: Guest = compiled(
    "trees.c",
    &[
        "musl-gcc",
        "-O1",
        "-static",
        "-idirafter",
        "/usr/include",
        "-idirafter",
        "/usr/include/x86_64-linux-gnu",
    ],
);
pub(super) const CPP: Guest = compiled("clocks.cpp", &["c++", "-std=c++20", "-O1", "-pthread"]);
pub(super) const RUST: Guest =
    compiled("clocks.rs", &[RUSTC, "--edition=2024", "-O", "-Ctarget-feature=-crt-static"]);
pub(super) const RUST_STATIC: Guest =
    compiled("clocks.rs", &[RUSTC, "--edition=2024", "-O", "-Ctarget-feature=+crt-static"]);
pub(super) const GO: Guest = Guest { needs: &["go"], source: "clocks.go", made: Made::Go(&[]) };
pub(super) const GO_RACE: Guest =
    Guest { needs: &["go", "cc"], source: "clocks.go", made: Made::Go(&["-race"]) };
pub(super) const PYTHON: Guest = interpreted("clocks.py", &["python3"]);
pub(super) const NODE: Guest = interpreted("clocks.js", &["node"]);
pub(super) const JAVA: Guest = interpreted("Clocks.java", &["java", "-XX:TieredStopAtLevel=1"]);
pub(super) const PERL: Guest = interpreted("clocks.pl", &["perl"]);
pub(super) const RUBY: Guest = interpreted("clocks.rb", &["ruby"]);
pub(super) const PHP: Guest = interpreted("clocks.php", &["php"]);
pub(super) const SHELL: Guest = interpreted("clocks.sh", &["sh"]);
pub(super) const BUSYBOX: Guest = Guest { needs: &["busybox"], source: "clocks.sh", made: Made::Busybox };

/// A guest that is ready to run.
pub(super) struct Built {
    /// Program and arguments.
    pub(super) command: Vec<String>,
    /// Where it finds programs.
    pub(super) path: String,
}

impl Built {
    /// Command and file of a service that runs it; `again` is the path of the file that makes it look a second time.
    pub(super) fn as_service(&self, again: &str) -> (Vec<String>, FileSpec) {
        let file = Path::new(self.command.last().unwrap());
        let path = format!("/guest/{}", file.file_name().unwrap().to_str().unwrap());
        let mut command = self.command.clone();
        *command.last_mut().unwrap() = path.clone();
        command.push(again.to_owned());
        if self.path != PATH {
            let words = command.join(" ");
            let script = format!("mkdir /tmp/b; busybox --install -s /tmp/b; PATH=/tmp/b exec {words}");
            command = ["sh", "-c", &script].map(str::to_owned).to_vec();
        }
        (
            command,
            FileSpec {
                path,
                contents: std::fs::read(file).unwrap(),
                mode: 0o755,
                layout: notafter_backend::FileLayout::Plain,
            },
        )
    }
}

impl Guest {
    /// Builds it in `directory`; none where the machine lacks something.
    pub(super) fn build(&self, directory: &Path) -> Option<Built> {
        if !are_installed(self.needs) {
            return None;
        }
        let source = repository().join("fixtures/guests").join(self.source);
        let source = source.canonicalize().unwrap();
        let output = directory.join("guest");
        let mut path = PATH.to_owned();
        let command = match self.made {
            Made::Compiled(compiler) => {
                run(Command::new(compiler[0]).args(&compiler[1..]).arg(&source).arg("-o").arg(&output));
                vec![text(output)]
            }
            Made::Go(arguments) => {
                let mut build = Command::new("go");
                build.arg("build").args(arguments).arg("-o").args([&output, &source]);
                build.env("GO111MODULE", "off").env("GOCACHE", go_cache());
                run(build.env("CGO_ENABLED", if arguments.is_empty() { "0" } else { "1" }));
                vec![text(output)]
            }
            Made::Interpreted(words) => {
                words.iter().map(|&word| word.to_owned()).chain([text(source)]).collect()
            }
            Made::Busybox => {
                run(Command::new("busybox").args(["--install", "-s"]).arg(directory));
                path = text(directory.to_owned());
                vec!["sh".to_owned(), text(source)]
            }
        };
        Some(Built { command, path })
    }
}

/// The library with race detection takes long to compile, once.
fn go_cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("go-cache")
}

fn text(path: PathBuf) -> String {
    path.into_os_string().into_string().unwrap()
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", shown(&output));
}
