//! Rotations within a case: files are exchanged where the clock stands, then services are told.

use super::run::{CaseRun, harness};
use super::services::Standing;
use crate::stage::is_reached;
use notafter_backend::{ExecOutcome, FileSpec, ServiceState};
use notafter_core::{
    CaseError, Event, MountedFile, Reload, Replacement, Rotated, Rotation, RotationName, Service,
};
use std::time::Duration;

/// How long a reload command may take, on the host's clock.
const RELOAD_WITHIN: Duration = Duration::from_secs(30);

impl CaseRun<'_> {
    /// Performs the rotation of this name.
    pub(super) fn rotate(&mut self, name: &RotationName) -> Result<(), CaseError> {
        let scenario = self.stage.scenario;
        let Some(rotation) = scenario.rotation(name) else {
            return Err(CaseError::Harness { message: format!("the plan asks for unknown rotation {name}") });
        };
        if self.planned != rotation.at {
            let message =
                format!("the clock stands at {}, and rotation {name} is at {}", self.planned, rotation.at);
            return Err(CaseError::Harness { message });
        }
        for service in &scenario.services {
            self.exchange(service, rotation)?;
        }
        self.sessions.renew(scenario, rotation);
        let failed = match &rotation.then {
            None => None,
            Some(reload) => self.reload(reload)?.map(|reason| self.stage.secrets.redact(&reason)),
        };
        self.unmet |= failed.is_some();
        let (case, at) = (self.case.id.clone(), self.sandbox.now());
        let rotated = Rotated { rotation: name.clone(), step: self.step, at, failed };
        self.emit(Event::Rotated { case, rotated });
        Ok(())
    }

    /// Exchanges the files of one service, where it has any that `rotation` reaches and was started at all.
    fn exchange(&mut self, service: &Service, rotation: &Rotation) -> Result<(), CaseError> {
        let started =
            self.standing.get(&service.name).is_some_and(|standing| *standing != Standing::Withheld);
        let reached = |file: &MountedFile| is_reached(rotation, file);
        let swapped = |file: &MountedFile| {
            rotation.replacement == Replacement::SymlinkSwap
                && service.files.iter().any(|other| reached(other) && other.folder == file.folder)
        };
        let files = service.files.iter().filter(|file| reached(file) || swapped(file));
        let files: Vec<FileSpec> = files
            .map(|file| self.stage.file(service, file, rotation.at))
            .collect::<Result<_, _>>()
            .map_err(|error| harness(&error))?;
        if files.is_empty() || !started {
            return Ok(());
        }
        self.sandbox.replace(&service.name, rotation.replacement, &files).map_err(|error| harness(&error))
    }

    /// Tells a service; why that failed, as a lower-case fragment.
    fn reload(&mut self, reload: &Reload) -> Result<Option<String>, CaseError> {
        match reload {
            Reload::Signal { service, name, number } => {
                let before = self.sandbox.signal(service, *number).map_err(|error| harness(&error))?;
                Ok(match before {
                    ServiceState::Running => None,
                    ServiceState::Ended { .. } | ServiceState::Idle | ServiceState::Unstartable { .. } => {
                        Some(format!("there is no process of {service} to send SIG{name} to"))
                    }
                })
            }
            Reload::Exec { service, command } => {
                let within = self.stage.allowance.at_most(RELOAD_WITHIN);
                let outcome = self.sandbox.exec(service, command, within).map_err(|error| harness(&error))?;
                self.stage.allowance.ask()?; // the budget may have cut the command short
                let words = command.join(" ");
                Ok(match outcome {
                    ExecOutcome::Exited { code: 0, .. } => None,
                    ExecOutcome::Exited { code, output } => {
                        Some(format!("`{words}` in {service} exited with {code}{}", said(&output)))
                    }
                    ExecOutcome::TimedOut { output } => {
                        Some(format!("`{words}` in {service} did not end{}", said(&output)))
                    }
                    ExecOutcome::Unstartable { reason } => {
                        Some(format!("`{words}` in {service} cannot be started: {reason}"))
                    }
                })
            }
        }
    }
}

fn said(output: &str) -> String {
    let last = output.lines().rev().find(|line| !line.trim().is_empty());
    last.map_or_else(String::new, |line| format!(": {}", line.trim()))
}
