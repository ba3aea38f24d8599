//! Documents whose blocks of code are run from top to bottom, as a reader does it, and compared with what comes out.

use super::scene::Scene;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

/// Stands above a block that changes the machine.
const NOT_RUN: &str = "<!-- not run: it installs -->";
/// Stands for what the page leaves out: any lines where it has a line for itself, else any text.
const LEFT_OUT: &str = "...";

/// What the page has its reader do.
enum Deed {
    /// A script that ends with 0 and whose output is not shown.
    Script(String),
    /// A scenario, in a file of its name.
    Scenario(String),
    /// A command with the line of the page it stands in, and what it prints to either stream.
    Command { line: usize, text: String, output: Vec<String> },
}

/// A block of code.
pub(super) struct Block {
    /// The line of the page in which it begins, behind the fence, counted from 1.
    pub(super) line: usize,
    pub(super) language: String,
    pub(super) text: String,
    /// What stands in the line above it.
    above: String,
}

/// The blocks of a page in order.
pub(super) fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = page.lines().enumerate();
    let mut above = "";
    while let Some((number, line)) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            let inside = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```");
            let text = inside.map(|line| format!("{line}\n")).collect();
            blocks.push(Block {
                line: number + 2,
                language: language.to_owned(),
                text,
                above: above.to_owned(),
            });
        }
        above = line;
    }
    blocks
}

/// What a page has its reader do, in order.
fn deeds(page: &str) -> Vec<Deed> {
    let mut deeds = Vec::new();
    for Block { line, language, text, above } in blocks(page) {
        match language.as_str() {
            _ if above == NOT_RUN => {}
            "sh" => deeds.push(Deed::Script(text)),
            "yaml" => deeds.push(Deed::Scenario(text)),
            "console" => {
                for (line, shown) in (line..).zip(text.lines()) {
                    match (shown.strip_prefix("$ "), deeds.last_mut()) {
                        (Some(text), _) => {
                            deeds.push(Deed::Command { line, text: text.to_owned(), output: Vec::new() });
                        }
                        (None, Some(Deed::Command { output, .. })) => output.push(shown.to_owned()),
                        (None, _) => panic!("line {line}: nobody has asked for this output"),
                    }
                }
            }
            other => panic!("line {line}: a block of {other:?} is neither run nor compared"),
        }
    }
    deeds
}

/// A shell in the reader's directory: its exit code, and what it printed on either stream.
fn shell(scene: &Scene, arguments: &[&str], into: &Path) -> (i32, String) {
    let output = File::create(into).unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_notafter")).parent().unwrap();
    let status = Command::new("sh")
        .args(arguments)
        .current_dir(scene.path().join("here"))
        .env("PATH", format!("{}:{}", program.display(), std::env::var("PATH").unwrap()))
        .env("XDG_CACHE_HOME", scene.path().join("cache"))
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::null())
        .stdout(output.try_clone().unwrap())
        .stderr(output)
        .status()
        .unwrap();
    (status.code().unwrap(), fs::read_to_string(into).unwrap())
}

/// Does everything that the page says. What came out otherwise than it says, told by its line.
pub(super) fn follow(page: &str) -> Result<(), String> {
    let scene = Scene::new();
    fs::create_dir(scene.path().join("here")).unwrap();
    let into = scene.path().join("output");
    // The exit code of the last command, which the page must show where it is not 0.
    let mut last = 0;
    for deed in deeds(page) {
        match deed {
            Deed::Scenario(text) => {
                let name = text.lines().find_map(|line| line.strip_prefix("name: ")).unwrap();
                fs::write(scene.path().join(format!("here/{name}.yaml")), &text).unwrap();
            }
            Deed::Script(text) => {
                let (code, told) = shell(&scene, &["-ec", &text], &into);
                if (last, code) != (0, 0) {
                    return Err(format!("exit {last} is not shown, or exit {code} of\n{text}{told}"));
                }
            }
            Deed::Command { line, text, output } => {
                let told = if text == "echo $?" {
                    format!("{}\n", std::mem::take(&mut last))
                } else if last != 0 {
                    return Err(format!("line {line}: exit {last} of the command before it is not shown"));
                } else {
                    let (code, told) = shell(&scene, &["-c", &text], &into);
                    last = code;
                    told
                };
                compare(&output, &told).map_err(|why| format!("line {line}: {text}: {why}"))?;
            }
        }
    }
    if last == 0 { Ok(()) } else { Err(format!("exit {last} of the last command is not shown")) }
}

/// Whether `told` is what the page shows, but for what varies.
fn compare(shown: &[String], told: &str) -> Result<(), String> {
    let shown: Vec<String> = shown.iter().map(|line| without_what_varies(line)).collect();
    let lines: Vec<String> = told.lines().map(without_what_varies).collect();
    // The furthest line of the page that was met says where the two part.
    let mut furthest = 0;
    if meets(&shown, &lines, 0, &mut furthest) {
        return Ok(());
    }
    let expected = shown.get(furthest).map_or("the end", String::as_str);
    Err(format!("the page shows `{expected}`, which does not come; it printed\n{told}"))
}

fn meets(shown: &[String], told: &[String], met: usize, furthest: &mut usize) -> bool {
    *furthest = met.max(*furthest);
    match (shown.get(met).map(String::as_str), told) {
        (None, []) => true,
        (None, _) => false,
        (Some(LEFT_OUT), _) => (0..=told.len()).any(|skipped| {
            // What is left out ends with the next line that is shown.
            meets(shown, &told[skipped..], met + 1, furthest)
        }),
        (Some(line), [first, rest @ ..]) => is_like(line, first) && meets(shown, rest, met + 1, furthest),
        (Some(_), []) => false,
    }
}

fn is_like(shown: &str, told: &str) -> bool {
    match shown.split_once(LEFT_OUT) {
        Some((begin, end)) => told.starts_with(begin) && told.ends_with(end),
        None => shown == told,
    }
}

/// A line with `#` for what another run, on another day, has otherwise: numbers in hexadecimal of eight digits and more;
/// seconds that something took, as decimals; lengths in bytes, for a signature in DER has not always the same; how far
/// away an instant is from today; and the last digit of the second at which a certificate was issued, on which its end
/// depends. How many blanks lie between two words does not count: columns are as wide as what stands in them.
fn without_what_varies(line: &str) -> String {
    let words: Vec<&str> = line.split_whitespace().collect();
    let mut text = String::new();
    for (at, word) in words.iter().enumerate() {
        let next = |ahead: usize| words.get(at + ahead).copied().unwrap_or_default();
        let is_number = word.bytes().all(|byte| byte.is_ascii_digit());
        let behind = |back: usize| at.checked_sub(back).map_or("", |at| words[at]);
        let is_distance = is_number
            && ((behind(1) == "in" && next(1) == "d")
                || (behind(3) == "in" && behind(1) == "d" && next(1) == "h"));
        let is_decimal = word.contains('.') && word.parse::<f64>().is_ok();
        text.push_str(if text.is_empty() { "" } else { " " });
        match is_distance || is_decimal || (is_number && next(1) == "bytes") {
            true => text.push('#'),
            false => _ = write!(text, "{}", without_digits_of_chance(word)),
        }
    }
    text
}

fn without_digits_of_chance(word: &str) -> String {
    let mut text = String::new();
    for piece in word.split_inclusive(|char: char| !char.is_ascii_alphanumeric()) {
        let run = piece.trim_end_matches(|char: char| !char.is_ascii_alphanumeric());
        let is_hex = run.len() >= 8 && run.bytes().all(|byte| byte.is_ascii_hexdigit());
        text.push_str(if is_hex { "#" } else { run });
        text.push_str(&piece[run.len()..]);
    }
    for second in ["T00:00:0", "T00000"] {
        if let Some(at) = text.find(second).map(|at| at + second.len())
            && text[at..].starts_with(|char: char| char.is_ascii_digit())
        {
            text.replace_range(at..=at, "#");
        }
    }
    text
}
