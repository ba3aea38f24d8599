//! `notafter doctor`: does the gate work on this machine? Not asked but tried: what a run needs first is done once.

use crate::args::BackendChoice;
use crate::backends;
use crate::error::{Error, causes};
use crate::exit::Exit;
use crate::printer::Printer;
use notafter_backend::{Backend, SandboxSpec};
use notafter_core::UnixTime;

/// How far the clock of the trial stands off: beyond any drift, inside any certificate library's calendar.
const SHIFT_SECS: i64 = 400 * 86_400;

pub(crate) fn run(printer: &mut Printer) -> Result<Exit, Error> {
    let mut page = String::new();
    if let Ok(kernel) = std::fs::read_to_string("/proc/sys/kernel/osrelease") {
        page.push_str(&format!("      Linux {}\n", kernel.trim()));
    }
    let now = notafter_runner::unix_now();
    let works = match backends::choose(BackendChoice::Embedded) {
        Ok(backend) => {
            let native = trial(&mut page, backend.as_ref(), "a sandbox on the machine's clock", None);
            let shifted = Some(now.plus_secs(SHIFT_SECS));
            trial(&mut page, backend.as_ref(), "a sandbox on a shifted clock", shifted) && native
        }
        Err(error) => {
            failed(&mut page, "sandboxes", &error);
            false
        }
    };
    page.push_str(match works {
        true => "gates can run here\n",
        false => "gates cannot run here: every verdict would be inconclusive\n",
    });
    printer.data(&page)?;
    Ok(if works { Exit::Allow } else { Exit::Inconclusive })
}

fn trial(page: &mut String, backend: &dyn Backend, what: &str, clock: Option<UnixTime>) -> bool {
    match backend.open(&SandboxSpec { hosts: Vec::new(), clock, scratch: None }) {
        Ok(sandbox) => {
            page.push_str(&format!("ok    {what}\n"));
            for remark in sandbox.close() {
                page.push_str(&format!("      note: {remark}\n"));
            }
            true
        }
        Err(error) => {
            failed(page, what, &error);
            false
        }
    }
}

fn failed(page: &mut String, what: &str, error: &dyn std::error::Error) {
    page.push_str(&format!("FAIL  {what}\n      {error}\n"));
    for cause in causes(error) {
        page.push_str(&format!("      because: {cause}\n"));
    }
}
