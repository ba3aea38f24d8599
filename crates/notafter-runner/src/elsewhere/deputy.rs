//! The side of whoever has the engine.

use super::frames::{Arriving, receive, send};
use super::messages::{Content, Errand, Keeping, Reply, Request, SentImage, Told};
use super::{hidden, parcels};
use crate::host_clock::{host_now, unix_now};
use crate::images::{Images, ServiceImage};
use crate::interrupt::Interrupt;
use crate::{Blame, Error, Options, Variables};
use notafter_backend::{Bind, DEPUTY_ARGUMENT, DEPUTY_ROOM, Docker, RootTree, unfit};
use notafter_core::Scenario;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How often it says that it lives.
const BEAT: Duration = Duration::from_secs(1);
/// Exit code at the end of the stream: nobody is there to be told of more.
const ALONE_EXIT: i32 = 3;

/// Turns this process into a deputy, for good, where its arguments say so; else returns at once. Behind
/// [`notafter_backend::run_if_sandbox`] in `main`.
pub fn run_if_deputy() {
    if std::env::args_os().nth(1).is_some_and(|argument| argument == DEPUTY_ARGUMENT) {
        std::process::exit(serve());
    }
}

/// Standard output, to which messages of several threads go whole.
#[derive(Clone, Default)]
struct Voice(Arc<Mutex<()>>);

impl Voice {
    fn say(&self, reply: &Reply) {
        let _whole = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match send(&mut io::stdout().lock(), reply) {
            Ok(()) => {}
            // The principal hears of it as the last words of a deputy that is lost.
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                std::process::exit(complain(&format!("it cannot tell what came of the run: {error}")))
            }
            Err(_) => std::process::exit(ALONE_EXIT),
        }
    }
}

/// Last words, which the principal hears with the loss of its deputy; the exit code.
fn complain(words: &str) -> i32 {
    _ = io::stderr().write_all(words.as_bytes());
    ALONE_EXIT
}

fn serve() -> i32 {
    let (voice, interrupt) = (Voice::default(), Interrupt::new());
    voice.say(&Reply::Ready { now: unix_now(), unfit: unfit() });
    let (requests, inbox) = channel();
    let (alive, raised) = (voice.clone(), interrupt.clone());
    std::thread::spawn(move || {
        let heard = hear(&mut io::stdin().lock(), &requests, &raised);
        // Either way there is nobody who could use what is being done.
        std::process::exit(match heard {
            Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => {
                complain(&format!("it cannot take what it is sent: {error}"))
            }
            _ => ALONE_EXIT,
        });
    });
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(BEAT);
            alive.say(&Reply::Alive);
        }
    });
    let mut desk = Desk { voice: voice.clone(), interrupt, docker: None, runs: 0 };
    for request in inbox {
        let reply = desk.answer(request).unwrap_or_else(|error| Reply::Failed(Told::of(&error)));
        voice.say(&reply);
    }
    ALONE_EXIT
}

/// Keeps what is carried, and passes the rest on; until the stream ends.
fn hear(from: &mut impl Read, requests: &Sender<Request>, interrupt: &Interrupt) -> io::Result<()> {
    loop {
        match receive(from)? {
            Request::Carry { number, content } => {
                let place = parcels::place(number);
                let mut bytes = Arriving::new(from);
                match content {
                    Content::File => io::copy(&mut bytes, &mut File::create_new(&place)?).map(|_| ()),
                    Content::Tree => notafter_image::unpack(&mut bytes, &place),
                }?;
                bytes.finish()?;
            }
            Request::Interrupt => interrupt.raise(),
            request => {
                if requests.send(request).is_err() {
                    return Ok(());
                }
            }
        }
    }
}

struct Desk {
    voice: Voice,
    interrupt: Interrupt,
    docker: Option<Docker>,
    runs: u32,
}

impl Desk {
    fn answer(&mut self, request: Request) -> Result<Reply, Error> {
        match request {
            Request::Complete { errand, draft, ports } => {
                let options = Options { interrupt: self.interrupt.clone(), ..options(&errand) };
                let (scenario, images, docker) = self.unpacked(*errand)?;
                let draft = crate::complete(*draft, &scenario, &images, docker, &ports, &options)?;
                Ok(Reply::Completed(Box::new(draft)))
            }
            Request::Run { errand, only, keep } => {
                self.runs += 1;
                let directory = match keep {
                    Keeping::Kept => Some(Path::new(DEPUTY_ROOM).join(format!("kept-{}", self.runs))),
                    Keeping::Nothing => None,
                };
                let (keep, interrupt) = (directory.clone(), self.interrupt.clone());
                let options = Options { only, keep, interrupt, ..options(&errand) };
                let voice = self.voice.clone();
                let (scenario, images, docker) = self.unpacked(*errand)?;
                let record = crate::run(&scenario, &images, docker, &options, &mut |event| {
                    voice.say(&Reply::Event(Box::new(event.clone())));
                })?;
                let mut kept = Vec::new();
                if let Some(directory) = directory {
                    collect(&directory, &directory, &mut kept)
                        .map_err(|source| Error::Keep { path: directory.clone(), source })?;
                }
                Ok(Reply::Ran { record: Box::new(record), kept })
            }
            Request::Sweep => Docker::sweep_beside().map(Reply::Swept).map_err(Error::Venue),
            // Heard before they come here.
            Request::Carry { .. } | Request::Interrupt => Ok(Reply::Alive),
        }
    }

    /// The scenario with what it hides, its images where they lie here, and the back end.
    fn unpacked(&mut self, errand: Errand) -> Result<(Scenario, Images, &Docker), Error> {
        let Errand { outside, mut scenario, hidden, images, .. } = errand;
        if !hidden::put_back(&mut scenario, hidden) {
            let words = "the scenario hides more or less than was sent".to_owned();
            return Err(Error::told(Blame::Harness, vec![words]));
        }
        let images = images.into_iter().map(image).collect();
        let images = Images::of_directory(scenario.directory.clone(), images);
        let docker = match self.docker.take() {
            Some(docker) => docker,
            None => Docker::beside(outside, host_now).map_err(Error::Venue)?,
        };
        Ok((scenario, images, self.docker.insert(docker)))
    }
}

fn options(errand: &Errand) -> Options {
    Options { variables: Variables::given(errand.variables.clone()), ..Options::default() }
}

fn image(sent: SentImage) -> (notafter_core::ImageRef, ServiceImage) {
    let SentImage { reference, tree, files, config, identity, remarks } = sent;
    let root = tree.map_or(RootTree::Empty, |number| RootTree::Tree(parcels::place(number)));
    let bind = |(number, target)| Bind { source: parcels::place(number), target };
    let binds = files.into_iter().map(bind).collect();
    (reference, ServiceImage { root, binds, config, identity, remarks })
}

/// Every file below `directory`, by its path below `base`.
fn collect(base: &Path, directory: &Path, into: &mut Vec<(PathBuf, String)>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            collect(base, &path, into)?;
        } else if let Ok(name) = path.strip_prefix(base) {
            into.push((name.to_owned(), String::from_utf8_lossy(&fs::read(&path)?).into_owned()));
        }
    }
    Ok(())
}
