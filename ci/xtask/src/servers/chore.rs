//! The command: runs servers, prints a table.

use super::{ALL, Afterwards, Server, Told, Trial, run};
use crate::bench::{Table, record};
use crate::printer;
use anyhow::{Context, Result, ensure};
use notafter_backend::Embedded;
use std::path::Path;

/// Runs the servers of these names, all where there are none, and prints what they told; with `into_document` the
/// table goes to `docs/servers.md`.
///
/// # Errors
/// When a name is unknown, or a server does not do what is asked of it.
pub fn chore(root: &Path, names: &[String], into_document: bool) -> Result<()> {
    let servers: Vec<Server> = if names.is_empty() {
        ALL.to_vec()
    } else {
        let named =
            |name: &String| Server::named(name).with_context(|| format!("there is no server `{name}`"));
        names.iter().map(named).collect::<Result<_>>()?
    };
    let backend = Embedded::new(notafter_runner::host_now)?;
    let fixtures = root.join("fixtures/servers");
    let mut table = Table::new(&[
        "server",
        "answers after",
        "a year ahead",
        "90 days later",
        "set a year ahead",
        "rests",
        "ends after",
    ]);
    let mut failed = 0;
    for server in servers {
        match run(&Trial { server, fixtures: &fixtures, backend: &backend }) {
            Ok(told) => {
                printer::progress(&format!("{}: {} processes proven", server.name, told.proven));
                if let Some(unexpected) = unexpected(server, &told) {
                    failed += 1;
                    printer::progress(&format!("{}: FAILED: {unexpected}", server.name));
                }
                table.push(row(server, &told))?;
            }
            Err(error) => {
                failed += 1;
                printer::progress(&format!("{}: FAILED: {error:#}", server.name));
            }
        }
    }
    printer::text(&table.to_string());
    ensure!(failed == 0, "{failed} servers failed");
    if into_document {
        record(&root.join("docs/servers.md"), "servers", &table)?;
    }
    Ok(())
}

/// What is known of a server must be so, its shortcomings too.
fn unexpected(server: Server, told: &Told) -> Option<String> {
    match (server.afterwards, told.restless.is_empty()) {
        (Afterwards::MakesUp, false) | (Afterwards::Rests, true) => None,
        (Afterwards::MakesUp, true) => Some("it rests, which it was not known to do".to_owned()),
        (Afterwards::Rests, false) => Some(format!("it does not rest: {:?}", told.restless)),
    }
}

fn row(server: Server, told: &Told) -> Vec<String> {
    let seconds = |duration: std::time::Duration| format!("{:.1} s", duration.as_secs_f64());
    let [first, elapsed, stepped] = told.words.clone();
    let rests = if told.restless.is_empty() { "yes" } else { "no" };
    let (answers, ends) = (seconds(told.until_answer), seconds(told.until_end));
    vec![server.name.to_owned(), answers, first, elapsed, stepped, rests.to_owned(), ends]
}
