//! `notafter man`: manual pages, made from the command line itself, so that neither says what the other does not.

use crate::args::Cli;
use crate::error::Error;
use crate::exit::Exit;
use crate::printer::Printer;
use clap::CommandFactory;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use std::fs;
use std::io;
use std::path::Path;

/// What an exit code means, wherever a command's own page says nothing else.
const CODES: [(&str, &str); 4] = [
    ("0", "Allow: nothing breaks inside the support window. Of commands that judge nothing: done."),
    ("1", "Block: something breaks."),
    ("2", "The command line or the scenario is wrong."),
    ("3", "Inconclusive: the gate could not look. A release must not pass on any code but 0."),
];

/// Variables that more than one command reads.
const VARIABLES: [(&str, &str); 6] = [
    ("DOCKER_CONFIG", "The directory with the credentials of registries, in place of ~/.docker."),
    ("DOCKER_HOST", "The container engine to talk to, in place of /var/run/docker.sock."),
    ("NO_COLOR", "Where it is set and not empty, output has no colours unless --color asks for them."),
    ("NOTAFTER_KEY_PASSWORD", "Opens the encrypted private key that --attest signs with."),
    ("SSL_CERT_FILE", "Trust anchors for registries, in place of the machine's own."),
    ("XDG_CACHE_HOME", "Where images are kept and what was found in their layers, in place of ~/.cache."),
];

pub(crate) fn run(directory: &Path, printer: &mut Printer) -> Result<Exit, Error> {
    let unwritable = |path: &Path, source| Error::ReportUnwritable { path: path.to_path_buf(), source };
    fs::create_dir_all(directory).map_err(|source| unwritable(directory, source))?;
    let pages = pages().map_err(|source| unwritable(directory, source))?;
    for (name, page) in &pages {
        let path = directory.join(name);
        fs::write(&path, page).map_err(|source| unwritable(&path, source))?;
    }
    let first = directory.join("notafter.1");
    printer.note(&format!("{} pages written; `man -l {}` shows the first\n", pages.len(), first.display()));
    Ok(Exit::Allow)
}

/// Each page with the name of its file; that of the whole comes first.
///
/// # Errors
/// None but those of a writer that is memory.
fn pages() -> io::Result<Vec<(String, Vec<u8>)>> {
    // `notafter help gate` shows what notafter-gate(1) tells; a page about `help` would tell nothing.
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    let whole = Man::new(command.clone());
    let mut pages = vec![(whole.get_filename(), whole_page(&whole)?)];
    for part in command.get_subcommands().cloned() {
        let part = Man::new(part);
        pages.push((part.get_filename(), part_page(&part)?));
    }
    Ok(pages)
}

/// A page down to its options.
fn begun(man: &Man) -> io::Result<Vec<u8>> {
    let name = man.get_filename();
    let title = name.trim_end_matches(".1").to_uppercase();
    // Not the title of the library, which loses the place of a date that is empty. A page has the date of its program.
    let mut page =
        format!(".TH {title} 1 \"\" \"notafter {}\" \"notafter\"\n", env!("CARGO_PKG_VERSION")).into_bytes();
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    Ok(page)
}

fn whole_page(man: &Man) -> io::Result<Vec<u8>> {
    let mut page = begun(man)?;
    man.render_subcommands_section(&mut page)?;
    table("EXIT STATUS", &CODES).to_writer(&mut page)?;
    table("ENVIRONMENT", &VARIABLES).to_writer(&mut page)?;
    Ok(page)
}

fn part_page(man: &Man) -> io::Result<Vec<u8>> {
    let mut page = begun(man)?;
    let mut roff = Roff::new();
    roff.control("SH", ["SEE ALSO"]);
    roff.text([bold("notafter"), roman("(1), for exit codes and the environment")]);
    roff.to_writer(&mut page)?;
    Ok(page)
}

fn table(heading: &str, rows: &[(&str, &str)]) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", [heading]);
    for (term, meaning) in rows {
        roff.control("TP", []);
        roff.text([bold(*term)]);
        roff.text([roman(*meaning)]);
    }
    roff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_has_a_page_and_the_whole_comes_first() {
        let names: Vec<String> = pages().unwrap().into_iter().map(|(name, _)| name).collect();
        let commands = Cli::command();
        let commands = commands.get_subcommands().map(|command| format!("notafter-{}.1", command.get_name()));
        let expected: Vec<String> = std::iter::once("notafter.1".to_owned()).chain(commands).collect();
        assert_eq!(names, expected);
    }
}
