//! Services: what runs, in which order.

use super::credentials::cycle_message;
use super::scope::{Scope, Target};
use crate::compose::{At, ComposeService, keyed};
use crate::decode::{Entries, Located, TextOr};
use crate::diagnostic::{Draft, Span};
use crate::raw::{RawReady, RawSecret, RawService, RawVolume};
use crate::{Code, graph, variables};
use notafter_core::{EnvValue, ReadyProbe, Restart, Service, ServiceName, Volume, VolumeState};
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

const READY_WITHIN: Duration = Duration::from_secs(30);

impl Scope<'_> {
    /// The services in start order: those of Compose files with what the scenario says over them, and its own.
    pub(super) fn services(
        &self,
        entries: Option<&Located<Entries<RawService>>>,
        candidate: Option<&str>,
    ) -> Option<Vec<Service>> {
        let none = Entries::default();
        let entries = match entries {
            Some(entries) => entries.get()?.0,
            None => &none,
        };
        self.services_have_images(entries, candidate);
        self.ports_are_distinct(entries);
        let mut services: Vec<(Declared<'_>, Option<Service>)> = Vec::new();
        for composed in self.compose.into_iter().flat_map(|project| &project.services) {
            services.push((Declared::of_compose(composed), composed.service.clone()));
        }
        for (name, raw) in &entries.0 {
            let own = raw.value.as_ref().and_then(|raw| self.service(name, raw));
            let declared = Declared::of_scenario(name, raw.value.as_ref());
            match services.iter_mut().find(|(known, _)| known.name == declared.name) {
                Some((known, below)) => {
                    let raw = raw.value.as_ref();
                    *below = match (below.take(), own, raw) {
                        (Some(below), Some(own), Some(raw)) => Some(overlaid(below, own, raw)),
                        _ => None,
                    };
                    known.waits_for.extend(declared.waits_for);
                }
                None => services.push((declared, own)),
            }
        }
        let order = self.start_order(services.iter().map(|(declared, _)| declared))?;
        // Taken out in start order; whichever is not there has been reported.
        order.into_iter().map(|at| services[at].1.take()).collect()
    }

    fn service(&self, name: &Located<String>, raw: &RawService) -> Option<Service> {
        let location = self.location(name.span);
        let name = self.name::<ServiceName>(name);
        let image = match &raw.image {
            Some(image) => Some(self.image(image)?),
            None => None,
        };
        let command = match &raw.command {
            Some(command) => Some(self.command(command)?),
            None => None,
        };
        let entrypoint = match &raw.entrypoint {
            Some(entrypoint) => Some(self.command(entrypoint)?),
            None => None,
        };
        let needs = self.distinct(raw.needs.as_ref(), |service| self.reference(Target::Service, service));
        let after = self.distinct(raw.after.as_ref(), |service| self.reference(Target::Service, service));
        let (ready, within) = raw.ready.as_ref().map_or((None, None), |ready| self.ready(ready));
        let ready_within = within.unwrap_or(READY_WITHIN);
        Some(Service {
            name: name?,
            aliases: Vec::new(),
            image,
            entrypoint,
            command,
            env: self.env(raw.env.as_ref()),
            user: self.user(raw.user.as_ref()),
            workdir: raw
                .workdir
                .as_ref()
                .and_then(Located::get)
                .and_then(|(path, span)| self.absolute_path(path, span)),
            files: self.files(raw.files.as_ref()),
            scan: self.scan(raw.scan.as_ref()),
            volumes: self.volumes(raw.volumes.as_ref()),
            ready,
            restrictions: self.restrictions(raw),
            ready_within,
            needs,
            after,
            restart: raw
                .restart
                .as_ref()
                .and_then(|restart| restart.value)
                .map_or(Restart::default(), |restart| restart.0),
            stands_for: self.texts(raw.stands_for.as_ref()),
            location,
        })
    }

    pub(super) fn env(
        &self,
        env: Option<&Located<Entries<TextOr<RawSecret>>>>,
    ) -> BTreeMap<String, EnvValue> {
        let entries = env.and_then(|env| env.value.as_ref());
        entries
            .into_iter()
            .flat_map(|env| &env.0)
            .filter_map(|(name, value)| self.variable(name, value))
            .collect()
    }

    fn variable(
        &self,
        name: &Located<String>,
        value: &Located<TextOr<RawSecret>>,
    ) -> Option<(String, EnvValue)> {
        let (name, span) = name.get()?;
        if name.is_empty() || name.contains(['=', '\0']) {
            return self.fail(Draft::new(Code::BadName, span, format!("`{name}` cannot name a variable")));
        }
        Some((name.clone(), self.value_or_secret(value)?))
    }

    /// A text, or the variable that holds it.
    pub(super) fn value_or_secret(&self, value: &Located<TextOr<RawSecret>>) -> Option<EnvValue> {
        let (value, span) = value.get()?;
        Some(match value {
            TextOr::Text(text) if text.contains('\0') => {
                return self.fail(Draft::new(Code::BadText, span, "no variable can hold a zero byte"));
            }
            TextOr::Text(text) => EnvValue::Plain(text.clone()),
            TextOr::Structure(RawSecret { secret }) => {
                let (secret, span) = secret.get()?;
                if !variables::is_name(secret) {
                    let message = format!("`{secret}` cannot name a variable");
                    return self.fail(
                        Draft::new(Code::BadName, span, message)
                            .help("give the name of the variable that holds the secret, not the secret: `{ secret: NAME }`"),
                    );
                }
                EnvValue::Secret(secret.clone())
            }
        })
    }

    fn user(&self, user: Option<&Located<String>>) -> Option<String> {
        let (text, span) = user?.get()?;
        if !is_user(text) {
            let draft = Draft::new(Code::BadName, span, format!("`{text}` is no user"));
            return self.fail(draft.help("write `user` or `user:group`, as names or numbers"));
        }
        Some(text.clone())
    }

    fn scan(&self, globs: Option<&Located<Vec<Located<String>>>>) -> Vec<String> {
        self.distinct(globs, |glob| {
            let (text, span) = glob.get()?;
            if !text.starts_with('/') {
                let draft = Draft::new(Code::PathNotAbsolute, span, format!("`{text}` is no absolute path"));
                return self.fail(draft.help("globs start with `/`"));
            }
            Some(text.clone())
        })
    }

    fn volumes(&self, volumes: Option<&Located<Entries<RawVolume>>>) -> Vec<Volume> {
        let mut seen: HashMap<String, Span> = HashMap::new();
        let entries = volumes.and_then(|volumes| volumes.value.as_ref());
        let mut resolve = |(name, raw): &(Located<String>, Located<RawVolume>)| {
            let raw = raw.value.as_ref()?;
            let name = self.name(name);
            let (path, span) = raw.path.get()?;
            let path = self.absolute_path(path, span)?;
            if path == "/" {
                let message = "the whole root tree cannot be a volume";
                return self.fail(Draft::new(Code::PathNotPlain, span, message));
            }
            if let Some(first) = seen.insert(path.clone(), span) {
                self.report(duplicate_path(&path, span, first));
            }
            let state = raw.state.as_ref().and_then(|state| state.value);
            Some(Volume { name: name?, path, state: state.map_or(VolumeState::default(), |state| state.0) })
        };
        entries.into_iter().flat_map(|volumes| &volumes.0).filter_map(&mut resolve).collect()
    }

    fn ready(&self, ready: &Located<RawReady>) -> (Option<ReadyProbe>, Option<Duration>) {
        let Some((raw, span)) = ready.get() else { return (None, None) };
        let within = raw.within.as_ref();
        let within = within.and_then(|within| self.positive_duration(within, Code::DurationNotPositive));
        let spans = [
            raw.tcp.as_ref().map(|tcp| tcp.span),
            raw.exec.as_ref().map(|exec| exec.span),
            raw.log.as_ref().map(|log| log.span),
        ];
        if !self.exactly_one(&spans, span, "`tcp`, `exec` or `log`") {
            return (None, within);
        }
        let tcp = raw.tcp.as_ref().and_then(|tcp| tcp.value.as_ref());
        let exec = raw.exec.as_ref().and_then(|exec| exec.value.as_ref());
        let log = raw.log.as_ref().and_then(|log| log.value.as_ref());
        let probe = tcp
            .and_then(|tcp| self.number(&tcp.port, 1, 65_535, Code::BadPort).map(ReadyProbe::Tcp))
            .or_else(|| exec.and_then(|exec| self.command(&exec.command).map(ReadyProbe::Exec)))
            .or_else(|| log.and_then(|log| self.needle(&log.contains).map(ReadyProbe::Log)));
        (probe, within)
    }

    /// A text to look for, which every line would contain were it empty.
    pub(super) fn needle(&self, text: &Located<String>) -> Option<String> {
        let (text, span) = text.get()?;
        if text.is_empty() || text.contains('\n') {
            let message = "a text to look for in a line has at least one character and no line break";
            return self.fail(Draft::new(Code::BadText, span, message));
        }
        Some(text.clone())
    }

    /// Whether just one of several keys is given.
    pub(super) fn exactly_one(&self, given: &[Option<Span>], whole: Span, keys: &str) -> bool {
        let mut given = given.iter().flatten();
        match (given.next(), given.next()) {
            (Some(_), None) => true,
            (Some(first), Some(second)) => {
                self.report(
                    Draft::new(Code::ConflictingKeys, *second, format!("only one of {keys} can be given"))
                        .context(*first, "and this is the first"),
                );
                false
            }
            (None, _) => {
                self.report(Draft::new(Code::MissingKey, whole, format!("one of {keys} is missing")));
                false
            }
        }
    }

    /// What the candidate runs may come from elsewhere; see `images`.
    fn services_have_images(&self, entries: &Entries<RawService>, candidate: Option<&str>) {
        let help = "give it an `image`; only the candidate can do without";
        let own = |name: &str| entries.0.iter().find(|(known, _)| known.value.as_deref() == Some(name));
        for (name, raw) in &entries.0 {
            let Some((name, span)) = name.get() else { continue };
            let is_composed = self.compose.is_some_and(|project| project.service(name).is_some());
            let has_none = raw.value.as_ref().is_some_and(|raw| raw.image.is_none());
            if has_none && !is_composed && candidate.is_some_and(|candidate| candidate != name) {
                let message = format!("nothing says what `{name}` runs");
                self.report(Draft::new(Code::MissingImage, span, message).help(help));
            }
        }
        let Some(project) = self.compose else { return };
        for composed in &project.services {
            let name = composed.name.as_str();
            let has_one = composed.service.as_ref().is_none_or(|service| service.image.is_some());
            let is_given =
                own(name).is_some_and(|(_, raw)| raw.value.as_ref().is_none_or(|raw| raw.image.is_some()));
            if has_one || is_given || candidate.is_none_or(|candidate| candidate == name) {
                continue;
            }
            let (at, message) = match composed.build {
                Some(at) => (at, format!("`{name}` is built, and nothing is built here")),
                None => (composed.at, format!("nothing says what `{name}` runs")),
            };
            let help = format!(
                "build it, `docker compose build {name}`, and say `image: NAME` beside `build`, or \
                 `services: {{ {name}: {{ image: NAME }} }}` in the scenario"
            );
            project.folder.report_draft(at, Draft::unplaced(Code::MissingImage, message).help(help));
        }
    }

    fn ports_are_distinct(&self, entries: &Entries<RawService>) {
        let mut taken: HashMap<i64, (&str, Span)> = HashMap::new();
        for (name, raw) in &entries.0 {
            let ready =
                raw.value.as_ref().and_then(|raw| raw.ready.as_ref()).and_then(|ready| ready.value.as_ref());
            let tcp = ready.and_then(|ready| ready.tcp.as_ref()).and_then(|tcp| tcp.value.as_ref());
            let port = tcp.and_then(|tcp| tcp.port.get());
            let (Some(name), Some((port, span))) = (&name.value, port) else { continue };
            if let Some((other, first)) = taken.get(port) {
                self.report(
                    Draft::new(
                        Code::PortTaken,
                        span,
                        format!("`{name}` and `{other}` both listen on port {port}"),
                    )
                    .context(*first, "taken here")
                    .help("all services share one network address space: give each a port of its own"),
                );
            } else {
                taken.insert(*port, (name, span));
            }
        }
    }

    fn start_order<'d, 's: 'd>(
        &self,
        services: impl Iterator<Item = &'d Declared<'s>>,
    ) -> Option<Vec<usize>> {
        let services: Vec<&Declared<'_>> = services.collect();
        let index: HashMap<&str, usize> =
            services.iter().enumerate().map(|(at, declared)| (declared.name, at)).collect();
        let waits_for = |declared: &&Declared<'_>| -> Vec<usize> {
            declared.waits_for.iter().filter_map(|name| index.get(name).copied()).collect()
        };
        let depends_on: Vec<Vec<usize>> = services.iter().map(waits_for).collect();
        graph::order(&depends_on)
            .map_err(|cycle| {
                let members: Vec<&str> = cycle.iter().map(|at| services[*at].name).collect();
                let help = "take one of them out of `needs` or `after`: services start one after the other";
                let message = cycle_message(&members, "waits for");
                let draft = Draft::unplaced(Code::DependencyCycle, message).help(help);
                match (cycle.first().map(|at| services[*at].place), self.compose) {
                    (Some(Place::Compose(at)), Some(project)) => project.folder.report_draft(at, draft),
                    (Some(Place::Scenario(span)), _) => self.report(draft.or_at(span)),
                    _ => self.report(draft.or_at(Span::default())),
                }
            })
            .ok()
    }
}

/// Where a service is declared.
#[derive(Debug, Clone, Copy)]
enum Place {
    Compose(At),
    Scenario(Span),
}

/// A service's place in the start order.
#[derive(Debug)]
struct Declared<'a> {
    name: &'a str,
    place: Place,
    waits_for: Vec<&'a str>,
}

impl<'a> Declared<'a> {
    fn of_compose(service: &'a ComposeService) -> Self {
        let waits_for = service.needs.iter().map(String::as_str).collect();
        Self { name: &service.name, place: Place::Compose(service.at), waits_for }
    }

    fn of_scenario(name: &'a Located<String>, raw: Option<&'a RawService>) -> Self {
        let lists = raw.into_iter().flat_map(|raw| [&raw.needs, &raw.after]);
        let listed = lists.flatten().filter_map(|list| list.value.as_ref()).flatten();
        let waits_for = listed.filter_map(|name| name.value.as_deref()).collect();
        let place = Place::Scenario(name.span);
        Self { name: name.value.as_deref().unwrap_or_default(), place, waits_for }
    }
}

/// `below`, which a Compose file describes, with what the scenario says of it: single values take the place of its own,
/// and of variables, files and volumes those with the same name or path.
fn overlaid(below: Service, own: Service, raw: &RawService) -> Service {
    let mut env = below.env;
    env.extend(own.env);
    let has_entrypoint = own.entrypoint.is_some();
    Service {
        name: own.name,
        aliases: below.aliases,
        image: own.image.or(below.image),
        // An entrypoint takes the place of the command behind the other entrypoint, too.
        command: if has_entrypoint { own.command } else { own.command.or(below.command) },
        entrypoint: own.entrypoint.or(below.entrypoint),
        env,
        user: own.user.or(below.user),
        workdir: own.workdir.or(below.workdir),
        files: keyed(below.files, own.files, |file| file.path.clone()),
        scan: own.scan,
        volumes: keyed(below.volumes, own.volumes, |volume| volume.path.clone()),
        ready_within: match &raw.ready {
            Some(_) => own.ready_within,
            None => below.ready_within,
        },
        ready: own.ready.or(below.ready),
        restrictions: own.restrictions.over(below.restrictions),
        needs: keyed(below.needs, own.needs, Clone::clone),
        after: own.after,
        restart: match &raw.restart {
            Some(_) => own.restart,
            None => below.restart,
        },
        stands_for: own.stands_for,
        location: own.location,
    }
}

/// Whether `text` reads `user` or `user:group`, as names or numbers.
pub(crate) fn is_user(text: &str) -> bool {
    let part_is_fine = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    };
    text.split(':').count() <= 2 && text.split(':').all(part_is_fine)
}

/// Two things at one path.
pub(super) fn duplicate_path(path: &str, span: Span, first: Span) -> Draft {
    Draft::new(Code::DuplicatePath, span, format!("`{path}` is given twice"))
        .context(first, "first given here")
}
