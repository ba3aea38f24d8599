//! What is told while a run goes on.

use crate::args::Volume;
use crate::printer::Printer;
use notafter_core::{Event, Scenario};
use notafter_report::progress::Progress;

/// Tells events on standard error as they happen.
pub(crate) struct Live<'a> {
    printer: &'a mut Printer,
    progress: Progress,
    quiet: bool,
}

impl<'a> Live<'a> {
    pub(crate) fn new(printer: &'a mut Printer, scenario: &Scenario, volume: Volume) -> Self {
        let detail = volume.detail();
        Self { printer, progress: Progress::new(scenario, detail), quiet: volume.quiet }
    }

    pub(crate) fn tell(&mut self, event: &Event) {
        if self.quiet {
            return;
        }
        let mut lines = String::new();
        // A String takes everything that is written to it.
        _ = self.progress.write(&mut lines, event, &self.printer.err_styles());
        if !lines.is_empty() {
            self.printer.note(&lines);
        }
        self.printer.status(&self.progress.status());
    }

    /// Tells what is left to tell when the run is over.
    pub(crate) fn finish(mut self) {
        let mut lines = String::new();
        // A String takes everything that is written to it.
        _ = self.progress.finish(&mut lines, &self.printer.err_styles());
        if !self.quiet && !lines.is_empty() {
            self.printer.note(&lines);
        }
    }
}
