//! `notafter doctor`: does the gate work on this machine? Not asked but tried: what a run needs first is done once.

use crate::args::Isolation;
use crate::backends;
use crate::error::{Error, causes};
use crate::exit::Exit;
use crate::printer::Printer;
use notafter_backend::{Ability, WITHOUT_NAMESPACES, probe_capabilities};

/// How far the clock of the trial stands off: beyond any drift, inside any certificate library's calendar.
const SHIFT_SECS: i64 = 400 * 86_400;

pub(crate) fn run(printer: &mut Printer) -> Result<Exit, Error> {
    let backend = match backends::embedded(Isolation::Namespaces) {
        Ok(backend) => backend,
        Err(error) => {
            let mut page = format!("FAIL  sandboxes: {error}\n");
            for cause in causes(&error) {
                page.push_str(&format!("      because: {cause}\n"));
            }
            printer.data(&page)?;
            return Ok(Exit::Inconclusive);
        }
    };
    let shifted = notafter_runner::unix_now().plus_secs(SHIFT_SECS);
    let bare = backends::embedded(Isolation::None)?;
    let abilities = probe_capabilities(backend.as_ref(), bare.as_ref(), shifted);
    printer.data(&page(&abilities))?;
    Ok(if works(&abilities) { Exit::Allow } else { Exit::Inconclusive })
}

fn works(abilities: &[Ability]) -> bool {
    abilities.iter().all(|ability| ability.ok || !ability.required)
}

fn page(abilities: &[Ability]) -> String {
    let mut page = String::new();
    for ability in abilities {
        let mark = match (ability.ok, ability.required) {
            (true, _) => "ok  ",
            (false, true) => "FAIL",
            (false, false) => "--  ",
        };
        page.push_str(&format!("{mark}  {}: {}\n", ability.name, ability.detail));
        if let Some(way_out) = ability.way_out.as_ref().filter(|_| !ability.ok) {
            page.push_str(&format!("      way out: {way_out}\n"));
        }
    }
    let bare = abilities.iter().any(|ability| ability.name == WITHOUT_NAMESPACES && ability.ok);
    page.push_str(match (works(abilities), bare) {
        (true, _) => "gates can run here\n",
        (false, true) => "gates can run here with `--isolation none` alone\n",
        (false, false) => "gates cannot run here: every verdict would be inconclusive\n",
    });
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ability(name: &'static str, ok: bool, required: bool) -> Ability {
        let way_out = Some("install it".to_owned());
        Ability { name, ok, required, detail: "seen".to_owned(), way_out }
    }

    #[test]
    fn only_what_a_gate_needs_keeps_it_from_running() {
        let luxury = [ability("namespaces", true, true), ability("docker", false, false)];
        insta::assert_snapshot!(page(&luxury), @r"
        ok    namespaces: seen
        --    docker: seen
              way out: install it
        gates can run here
        ");
        let needed = [ability("namespaces", false, true)];
        insta::assert_snapshot!(page(&needed), @r"
        FAIL  namespaces: seen
              way out: install it
        gates cannot run here: every verdict would be inconclusive
        ");
        let bare = [ability("namespaces", false, true), ability(WITHOUT_NAMESPACES, true, false)];
        insta::assert_snapshot!(page(&bare), @r"
        FAIL  namespaces: seen
              way out: install it
        ok    without namespaces: seen
        gates can run here with `--isolation none` alone
        ");
    }
}
