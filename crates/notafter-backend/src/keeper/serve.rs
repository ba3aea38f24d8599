//! The loop of the keeper.

use super::connect::connect;
use super::ground::Ground;
use super::strays;
use super::{containers, deputy, evidence, guard, inside};
use crate::HostClock;
use crate::init::{self, Birth, Site};
use crate::wire::{Attempt, Blueprint, Channel, Failure, KeeperReply, KeeperRequest, Luggage, Premises};
use notafter_clock::Canary;
use notafter_sys::fork::{self, Forked};
use notafter_sys::namespaces::Namespaces;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};
use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

/// The hidden first argument by which the binary knows that it is to be a sandbox.
pub(crate) const ARGUMENT: &str = "__sandbox";
/// The same for the canary inside a sandbox.
pub(crate) const CANARY: &str = "__canary";

/// How long an init may take to end by itself.
const FAREWELL_LOOKS: u32 = 20_000;
const BETWEEN_LOOKS: Duration = Duration::from_micros(100);

/// Turns this process into the keeper of a sandbox, for good, where its arguments say so; else returns at once.
///
/// Every binary that opens sandboxes calls this first in its `main`, before it has made any thread: the embedded back
/// end starts its own executable again. `host_clock` tells the host's time.
pub fn run_if_sandbox(host_clock: HostClock) {
    let mut arguments = std::env::args().skip(1);
    let code = match arguments.next().as_deref() {
        Some(ARGUMENT) => match arguments.next().and_then(|parent| parent.parse().ok()) {
            Some(parent) => keep(parent, host_clock),
            None => 2,
        },
        Some(CANARY) => sing(),
        Some(guard::ARGUMENT) => guard::stand(),
        Some(inside::ARGUMENT) => inside::live(host_clock),
        _ => return,
    };
    fork::exit_now(code)
}

/// The canary's whole life: it tells what the clock shows where it was started.
fn sing() -> i32 {
    let song = Canary::sing().map_err(io::Error::other).and_then(|report| Ok(serde_json::to_vec(&report)?));
    // Unbuffered: this process ends without ceremony.
    match song.and_then(|song| Ok(rustix::io::write(rustix::stdio::stdout(), &song)?)) {
        Ok(_) => 0,
        Err(_) => 1,
    }
}

fn keep(parent: u32, host_clock: HostClock) -> i32 {
    let prepared = fork::keep_descriptors_from_programs().and_then(|()| take_channel());
    let Ok(channel) = prepared else { return 125 };
    let premises = match hear_premises(&channel) {
        Ok(Premises::Containers(lease)) => return containers::keep(channel, &lease),
        Ok(Premises::Deputy(post)) => return deputy::keep(channel, &post),
        Ok(Premises::Evidence { disk }) => return evidence::keep(&channel, &disk),
        Ok(premises) => premises,
        Err(failure) => {
            let _ = channel.send(&KeeperReply::Failed(failure), &[]);
            return 125;
        }
    };
    match open(&channel, parent, premises) {
        Ok((ground, remarks)) => {
            let Ok((keeper_lives, _life)) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC) else {
                return 125;
            };
            if channel.send(&KeeperReply::Ready { remarks }, &[]).is_err() {
                return 125;
            }
            let instances = BTreeMap::new();
            Keeper { channel, ground, host_clock, keeper_lives, _life, instances }.serve()
        }
        Err(failure) => {
            let _ = channel.send(&KeeperReply::Failed(failure), &[]);
            125
        }
    }
}

/// The socket to the runner came as standard input; /dev/null takes its place.
fn take_channel() -> io::Result<Channel> {
    let channel = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)?;
    let null = std::fs::File::open("/dev/null")?;
    rustix::stdio::dup2_stdin(&null)?;
    Ok(Channel::from(channel))
}

fn hear_premises(channel: &Channel) -> Result<Premises, Failure> {
    let (request, _) = channel.receive::<KeeperRequest>().doing(|| "hear from the runner".to_owned())?;
    match request {
        KeeperRequest::Open(premises) => Ok(premises),
        _ => Err(Failure::new("open the sandbox", "the first request was another one")),
    }
}

fn open(channel: &Channel, parent: u32, premises: Premises) -> Result<(Ground, Vec<String>), Failure> {
    let lost = || "hear from the runner".to_owned();
    // Without namespaces nothing ends with this process by itself: it hears of the runner's end by its socket, ends
    // everything, and then itself.
    let dies_with_runner = matches!(premises, Premises::Apart { .. });
    if dies_with_runner && !fork::die_with_maker(parent).doing(lost)? {
        return Err(Failure::new("open the sandbox", "the runner is gone"));
    }
    Ground::unshare(&premises)?;
    channel.send(&KeeperReply::Unshared, &[]).doing(lost)?;
    let (request, _) = channel.receive::<KeeperRequest>().doing(lost)?;
    let KeeperRequest::Mapped = request else {
        return Err(Failure::new("open the sandbox", "the second request was another one"));
    };
    // The new capabilities may have cleared the arrangement.
    if dies_with_runner && !fork::die_with_maker(parent).doing(lost)? {
        return Err(Failure::new("open the sandbox", "the runner is gone"));
    }
    fork::forbid_inspection().doing(|| "protect the sandbox".to_owned())?;
    let mut remarks = Vec::new();
    let ground = Ground::lay(premises, &mut remarks)?;
    Ok((ground, remarks))
}

struct Instance {
    pid: Pid,
    site: Site,
}

struct Keeper {
    channel: Channel,
    ground: Ground,
    host_clock: HostClock,
    /// For the inits: readable at the end of this process.
    keeper_lives: OwnedFd,
    /// Held by nobody else, and never written to.
    _life: OwnedFd,
    instances: BTreeMap<u32, Instance>,
}

/// On which side of a fork the keeper is.
enum Side {
    Init(Box<Birth>),
    /// With the init's process id.
    Keeper(Pid),
}

impl Keeper {
    fn serve(mut self) -> i32 {
        while let Ok((request, fds)) = self.channel.receive::<KeeperRequest>() {
            let (reply, fd) = match request {
                KeeperRequest::Close => {
                    let (remarks, lost) = self.close();
                    let _ = self.channel.send(&KeeperReply::Closed { remarks, lost }, &[]);
                    return 0;
                }
                KeeperRequest::Connect { from, to, within } => match connect(from, to, within) {
                    Ok(socket) => (KeeperReply::Connected, Some(socket)),
                    Err(reason) => (KeeperReply::NotConnected(reason), None),
                },
                KeeperRequest::End { instance } => {
                    let mut remarks = Vec::new();
                    let lost = self.end(instance, &mut remarks);
                    (KeeperReply::Ended { remarks, lost }, None)
                }
                KeeperRequest::Launch { instance, blueprint } => {
                    match self.launch(instance, *blueprint, fds) {
                        Ok(Side::Init(birth)) => {
                            // Nothing of the keeper may stay open in an init, its end of `_life` least of all.
                            drop(self);
                            return init::run(*birth);
                        }
                        Ok(Side::Keeper(pid)) => {
                            (KeeperReply::Launched { pid: pid.as_raw_nonzero().get() }, None)
                        }
                        Err(failure) => (KeeperReply::Failed(failure), None),
                    }
                }
                KeeperRequest::Open(_) | KeeperRequest::Mapped => {
                    (KeeperReply::Failed(Failure::new("open the sandbox", "it is open already")), None)
                }
            };
            let fds: Vec<BorrowedFd<'_>> = fd.iter().map(AsFd::as_fd).collect();
            if self.channel.send(&reply, &fds).is_err() {
                break;
            }
        }
        self.close();
        0
    }

    fn launch(&mut self, instance: u32, blueprint: Blueprint, fds: Vec<OwnedFd>) -> Result<Side, Failure> {
        let action = || format!("start the init of {}", blueprint.service);
        let Some(luggage) = Luggage::unpacked(fds, blueprint.groups) else {
            return Err(Failure::new(action(), "descriptors are missing"));
        };
        if self.instances.contains_key(&instance) {
            return Err(Failure::new(action(), "its number is taken"));
        }
        let keeper_lives = self.keeper_lives.try_clone().doing(action)?;
        let site = self.ground.site(instance)?;
        let forked = match self.ground.is_apart() {
            true => fork::fork_into(
                Namespaces::PID.and(Namespaces::MOUNT).and(Namespaces::IPC).and(Namespaces::UTS),
            ),
            false => fork::fork(),
        };
        match forked.doing(action)? {
            Forked::Child => {
                let host_clock = self.host_clock;
                Ok(Side::Init(Box::new(Birth { blueprint, site, luggage, keeper_lives, host_clock })))
            }
            Forked::Parent(pid) => {
                self.instances.insert(instance, Instance { pid, site });
                Ok(Side::Keeper(pid))
            }
        }
    }

    /// Waits for the end of an init, with which everything below it is gone, and tells whether somebody
    /// else ended it. The runner has hung up, so an init that was left alone ends by itself, with 0.
    fn end(&mut self, instance: u32, remarks: &mut Vec<String>) -> bool {
        let Some(Instance { pid, site }) = self.instances.remove(&instance) else { return false };
        let by_itself = (0..FAREWELL_LOOKS).any(|_| {
            let dead = is_dead(pid);
            if !dead {
                std::thread::sleep(BETWEEN_LOOKS);
            }
            dead
        });
        if !by_itself {
            let _ = rustix::process::kill_process(pid, Signal::KILL);
            remarks.push("an init did not end by itself and was killed".to_owned());
        }
        let lost = match fork::reap(pid) {
            Ok(code) => by_itself && code != 0,
            Err(error) => {
                remarks.push(format!("the end of an init could not be awaited: {error}"));
                true
            }
        };
        if !self.ground.is_apart() {
            let others: Vec<Pid> = self.instances.values().map(|instance| instance.pid).collect();
            if let Err(error) = strays::end(&others) {
                remarks.push(format!("a process of a service may go on: {error}"));
            }
        }
        self.ground.clear_site(&site, remarks);
        lost
    }

    /// Ends every instance; how many of them somebody else had ended.
    fn close(&mut self) -> (Vec<String>, usize) {
        let mut remarks = Vec::new();
        let instances: Vec<u32> = self.instances.keys().copied().collect();
        let lost = instances.into_iter().filter(|instance| self.end(*instance, &mut remarks)).count();
        self.ground.clear(&mut remarks);
        (remarks, lost)
    }
}

/// Whether a child has ended; it stays to be reaped.
fn is_dead(pid: Pid) -> bool {
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    matches!(rustix::process::waitid(WaitId::Pid(pid), look), Ok(Some(_)))
}
