//! Scenarios whose services come from Compose files.

use crate::base::{NOW, at};
use notafter_core::{
    Capability, Draft, EnvValue, ImageRef, MountedSource, ReadyProbe, Restart, Restrictions, RootAccess,
    Scenario, Service, ServiceName, VolumeState,
};
use notafter_scenario::{Code, Context, Diagnostics, Entry, Files, Palette, Source, compose_draft, parse};
use proptest::prelude::{Strategy, any, proptest};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

const BLOG: &str = include_str!("../data/compose/blog.yaml");
const METRICS: &str = include_str!("../data/compose/metrics.yaml");
const HARDENED: &str = "\
services:
  hardened:
    read_only: true
    env_file: [{ path: ./common.env, required: false }]
    environment: { LEVEL: info, KEPT: \"yes\" }
    volumes: [\"./policy.json:/etc/policy.json:ro\"]
    depends_on: [elsewhere]
";

/// Files below the directory of the scenario, by their paths.
#[derive(Clone, Default)]
struct Shelf(BTreeMap<PathBuf, Vec<u8>>);

impl Shelf {
    fn with(mut self, path: &str, text: &str) -> Self {
        self.0.insert(Path::new("scenarios/shop").join(path), text.as_bytes().to_vec());
        self
    }
}

impl Files for Shelf {
    fn read(&self, path: &Path, most_bytes: usize) -> io::Result<Vec<u8>> {
        let bytes = self.0.get(path).ok_or(io::ErrorKind::NotFound)?;
        if bytes.len() > most_bytes { Err(io::Error::other("too large")) } else { Ok(bytes.clone()) }
    }

    fn look(&self, path: &Path) -> io::Result<Entry> {
        if path.ends_with("docker.sock") {
            return Ok(Entry::Special);
        }
        if self.0.contains_key(path) {
            return Ok(Entry::File { mode: 0o640 });
        }
        let below = self.0.keys().filter_map(|known| known.strip_prefix(path).ok()?.iter().next());
        let names: Vec<_> = below.map(std::ffi::OsStr::to_owned).collect();
        Ok(if names.is_empty() { Entry::Missing } else { Entry::Directory(names) })
    }
}

fn variable(name: &str) -> Option<String> {
    match name {
        "BLOG_HOST" => Some("blog.example".to_owned()),
        "TZ" => Some("Europe/Berlin".to_owned()),
        _ => None,
    }
}

fn shelf() -> Shelf {
    Shelf::default()
        .with("blog.yaml", BLOG)
        .with(".env", "DB_PASSWORD='hunter2hunter2'\n")
        .with("db.env", "MYSQL_ROOT_PASSWORD=${DB_PASSWORD}-root\nTZ\n")
        .with("config.production.json", "{}")
        .with("deploy/metrics.yaml", METRICS)
        .with("deploy/base/service.yaml", HARDENED)
        .with("deploy/base/policy.json", "{}")
        .with("deploy/prometheus.yml", "scrape_configs: []")
        .with("deploy/token.txt", "t")
        .with("deploy/rules/a/one.yml", "groups: []")
        .with("deploy/rules/two.yml", "groups: []")
}

fn with_context<T>(shelf: &Shelf, candidate: Option<&str>, then: impl FnOnce(&Context<'_>) -> T) -> T {
    let candidate = candidate.map(|choice| choice.parse().unwrap());
    then(&Context { now: at(NOW), variables: &variable, candidate, files: shelf })
}

fn read(shelf: &Shelf, text: &str, candidate: Option<&str>) -> Result<Scenario, Diagnostics> {
    let source = Source::new("scenario.yaml".to_owned(), text.to_owned(), "scenarios/shop".into());
    with_context(shelf, candidate, |context| parse(&source, context))
}

/// A scenario around Compose files.
fn around(compose: &str, candidate: &str, more: &str) -> String {
    let check =
        format!("lives: {{ probe: {{ alive: {{ service: {candidate} }} }}, expect: {{ works: {{}} }} }}");
    format!(
        "notafter: 1\nname: shop\nsupport: 2y\ncandidate: {candidate}\ncompose: {compose}\n{more}\nchecks:\n  {check}\n"
    )
}

fn service<'s>(scenario: &'s Scenario, name: &str) -> &'s Service {
    scenario.service(&ServiceName::new(name).unwrap()).unwrap()
}

fn names(services: &[ServiceName]) -> Vec<&str> {
    services.iter().map(ServiceName::as_str).collect()
}

#[test]
fn a_blog_and_its_database() {
    let scenario = read(&shelf(), &around("blog.yaml", "blog", ""), None).unwrap_or_else(told);
    let order: Vec<&str> = scenario.services.iter().map(|service| service.name.as_str()).collect();
    assert_eq!(order, ["db", "blog"], "what is waited for comes first");
    let (blog, db) = (service(&scenario, "blog"), service(&scenario, "db"));
    assert_eq!(blog.image.as_ref().map(ImageRef::to_string).as_deref(), Some("ghost:5-alpine"));
    assert_eq!((names(&blog.needs), names(&blog.aliases)), (vec!["db"], vec!["the-blog"]));
    assert_eq!(blog.restart, Restart::Always);
    assert_eq!(blog.env["url"].clone(), hidden("https://blog.example"));
    assert_eq!(blog.env["posts"], EnvValue::Plain("10".to_owned()));
    assert_eq!(blog.env["paged"], EnvValue::Plain("true".to_owned()));
    assert_eq!(blog.volumes[0].name.as_str(), "content");
    let [config] = blog.files.as_slice() else { panic!("{:?}", blog.files) };
    assert_eq!(config.source, MountedSource::Source("config.production.json".into()));
    assert_eq!((config.path.as_str(), config.mode), ("/var/lib/ghost/config.production.json", 0o640));
    assert_eq!(config.location.to_string(), "scenarios/shop/blog.yaml:20:9");
    assert_eq!(db.command.as_ref().unwrap().len(), 2);
    assert_eq!(db.env["MYSQL_ROOT_PASSWORD"], hidden("hunter2hunter2-root"));
    assert_eq!(db.env["TZ"], hidden("Europe/Berlin"));
    assert!(matches!(&db.ready, Some(ReadyProbe::Exec(command)) if command[0] == "mysqladmin"));
    assert_eq!(db.ready_within, Duration::from_secs(60 + 12 * 10 + 5));
    assert_eq!(db.volumes.len(), 2);
    let Restrictions { memory_bytes, pids, milli_cpus, root, capabilities } = &db.restrictions;
    assert_eq!((*memory_bytes, *milli_cpus, *pids, *root), (Some(512 << 20), Some(1500), None, None));
    let kept = [Capability::Chown, Capability::Setgid, Capability::Setuid];
    assert_eq!(*capabilities, Some(kept.into()));
    assert_eq!(blog.restrictions, Restrictions::default());
    assert_eq!(
        scenario.remarks,
        [
            "db: not applied, so that it may do more here: `deploy.replicas` at scenarios/shop/blog.yaml:45, `stop_signal` at scenarios/shop/blog.yaml:48"
        ]
    );
    let record = serde_json::to_string(&scenario).unwrap();
    assert!(!record.contains("hunter2") && !record.contains("blog.example"), "a record holds no secret");
}

#[test]
fn a_stack_with_shared_blocks_configs_and_profiles() {
    let scenario =
        read(&shelf(), &around("deploy/metrics.yaml", "prometheus", ""), None).unwrap_or_else(told);
    assert_eq!(scenario.services.len(), 2, "a service whose profile is not active is left out");
    let (prometheus, grafana) = (service(&scenario, "prometheus"), service(&scenario, "grafana"));
    assert_eq!(names(&prometheus.aliases), ["watch"]);
    assert_eq!(prometheus.restart, Restart::Always);
    assert!(prometheus.needs.is_empty(), "what it extends waits for others than it does");
    assert_eq!(prometheus.env["KEPT"], EnvValue::Plain("yes".to_owned()));
    assert_eq!(prometheus.command.as_ref().unwrap()[1], "--storage.tsdb.retention.time=${RETENTION}");
    let files: Vec<(&str, String)> = prometheus
        .files
        .iter()
        .map(|file| match &file.source {
            MountedSource::Source(path) => (file.path.as_str(), path.display().to_string()),
            other => panic!("{other:?}"),
        })
        .collect();
    let expected = [
        ("/etc/policy.json", "deploy/base/policy.json"),
        ("/etc/prometheus/rules/a/one.yml", "deploy/rules/a/one.yml"),
        ("/etc/prometheus/rules/two.yml", "deploy/rules/two.yml"),
        ("/etc/prometheus/prometheus.yml", "deploy/prometheus.yml"),
        ("/run/secrets/scrape-token", "deploy/token.txt"),
    ];
    assert_eq!(files, expected.map(|(path, source)| (path, source.to_owned())));
    assert_eq!(prometheus.files[3].mode, 0o440);
    assert_eq!(prometheus.volumes[0].state, VolumeState::Fresh);
    let shell = ["/bin/sh", "-c", "wget -q -O- localhost:9090/-/ready || exit 1"].map(str::to_owned);
    assert_eq!(prometheus.ready, Some(ReadyProbe::Exec(shell.to_vec())));
    assert_eq!(prometheus.restrictions.root, Some(RootAccess::ReadOnly), "as what it extends");
    assert_eq!(grafana.user.as_deref(), Some("472"));
    assert_eq!(grafana.workdir.as_deref(), Some("/usr/share/grafana"));
    // A service that the scenario names is there whatever its profiles.
    let named =
        around("deploy/metrics.yaml", "prometheus", "services: { node-exporter: { restart: never } }");
    assert_eq!(read(&shelf(), &named, None).unwrap_or_else(told).services.len(), 3);
}

#[test]
fn later_files_and_the_scenario_say_over_earlier_ones() {
    let over = "\
services:
  blog:
    image: ghost:6
    mem_limit: 1g
    pids_limit: 100
    environment: [NODE_ENV=test, MORE=1]
    volumes: [\"other:/var/lib/ghost/content\"]
    depends_on: [cache]
  cache: { image: redis }
volumes: { other: }
";
    let shelf = shelf().with("over.yaml", over);
    let more = "\
services:
  blog:
    command: [node, index.js]
    env: { NODE_ENV: gated }
    needs: [cdn]
    pids_limit: 50
    read_only: true
    cap_drop: [NET_RAW]
    stands_for: [everybody]
  cdn: { image: host, command: [sleep, inf] }";
    let text = around("[blog.yaml, over.yaml]", "blog", more);
    let scenario = read(&shelf, &text, Some("blog=docker-daemon:ghost:next")).unwrap_or_else(told);
    let blog = service(&scenario, "blog");
    assert_eq!(scenario.image_of(blog).unwrap().to_string(), "docker-daemon:ghost:next");
    assert_eq!(blog.image.as_ref().unwrap().to_string(), "ghost:6");
    assert_eq!(names(&blog.needs), ["db", "cache", "cdn"]);
    assert_eq!(blog.env["NODE_ENV"], EnvValue::Plain("gated".to_owned()));
    assert_eq!(blog.env["MORE"], EnvValue::Plain("1".to_owned()));
    assert!(blog.env.contains_key("url"));
    assert_eq!(blog.volumes[0].name.as_str(), "other");
    assert_eq!(blog.restart, Restart::Always, "what the scenario does not mention holds");
    assert_eq!(blog.location.file, "scenario.yaml");
    let Restrictions { memory_bytes, pids, milli_cpus, root, capabilities } = &blog.restrictions;
    assert_eq!((*memory_bytes, *pids, *milli_cpus), (Some(1 << 30), Some(50), None));
    assert_eq!(*root, Some(RootAccess::ReadOnly));
    assert_eq!(capabilities.as_ref().map(|kept| kept.contains(&Capability::NetRaw)), Some(false));
}

/// A mistake in a Compose file: its code, the file, and the line at which it is found.
const MISTAKES: &[(Code, &str, u32)] = &[
    (Code::BadDuration, "services:\n  a:\n    image: x\n    healthcheck: { test: t, interval: 3 }", 4),
    (Code::BadLimit, "services:\n  a:\n    image: x\n    mem_limit: lots", 4),
    (
        Code::BadLimit,
        "services:\n  a:\n    image: x\n    deploy: { resources: { limits: { cpus: \"0.001\" } } }",
        4,
    ),
    (
        Code::BadName,
        "services:\n  a:\n    image: x\n    networks: { n: { aliases: [b] } }\n  b: { image: x }",
        4,
    ),
    (Code::BadPort, "services:\n  a:\n    image: x\n    ports: [\"80:http\"]", 4),
    (Code::BadText, "services:\n  a:\n    image: x\n    command: \"echo 'x\"", 4),
    (Code::BadVariable, "services:\n  a:\n    image: ${X", 3),
    (Code::ComposeUnreadable, "services:\n  a:\n    image: x\n    env_file: none.env", 4),
    (Code::ComposeUnreadable, "services:\n  a:\n    image: x\n    volumes: [\"/run/docker.sock:/s\"]", 4),
    (
        Code::DependencyCycle,
        "services:\n  a: { image: x, depends_on: [b] }\n  b: { image: x, depends_on: [a] }",
        2,
    ),
    (Code::DependencyCycle, "services:\n  a: { image: x }\n  b:\n    extends: { service: b }", 4),
    (Code::DuplicateKey, "services:\n  a: { image: x }\n  a: { image: y }", 3),
    (Code::EmptyCommand, "services:\n  a:\n    image: x\n    command: []", 4),
    (Code::MissingImage, "services:\n  a: { image: x }\n  b:\n    build: .", 4),
    (Code::MissingKey, "services:\n  a:\n    image: x\n    volumes: [{ target: /a }]", 4),
    (
        Code::ModeNotOctal,
        "services:\n  a:\n    image: x\n    secrets: [{ source: s, mode: 999 }]\nsecrets: { s: { file: f } }",
        4,
    ),
    (Code::NotYaml, "services:\n  a: {\n", 2),
    (Code::PathNotAbsolute, "services:\n  a:\n    image: x\n    volumes: [\"./f:etc\"]", 4),
    (Code::UndefinedFile, "services:\n  a:\n    image: x\n    secrets: [none]", 4),
    (Code::UndefinedService, "services:\n  a:\n    image: x\n    depends_on: [none]", 4),
    (Code::UndefinedVariable, "services:\n  a:\n    image: ${NONE:?why}", 3),
    (Code::UndefinedVolume, "services:\n  a:\n    image: x\n    volumes: [\"none:/a\"]", 4),
    (Code::UnknownKey, "services:\n  a:\n    image: x\n    enviroment: {}", 4),
    (Code::UnknownValue, "services:\n  a:\n    image: x\n    restart: sometimes", 4),
    (Code::UnknownValue, "services:\n  a:\n    image: x\n    cap_drop: [NETRAW]", 4),
    (
        Code::ConflictingKeys,
        "services:\n  a:\n    image: x\n    mem_limit: 64m\n    deploy: { resources: { limits: { memory: 65m } } }",
        5,
    ),
    (Code::UnsupportedCompose, "services:\n  a:\n    image: x\n    cap_add: [SYS_ADMIN]", 4),
    (Code::UnsupportedCompose, "services:\n  a:\n    image: x\n    cap_add: [ALL]", 4),
    (Code::UnsupportedCompose, "services:\n  a:\n    image: x\n    privileged: true", 4),
    (Code::UnsupportedCompose, "services:\n  a:\n    image: x\n    network_mode: host", 4),
    (Code::UnsupportedCompose, "include: [other.yaml]\nservices:\n  a: { image: x }", 1),
    (Code::UnsupportedCompose, "services:\n  a: { image: x }\nvolumes:\n  v: { external: true }", 4),
    (
        Code::UnsupportedCompose,
        "services:\n  a:\n    image: x\n    depends_on:\n      b: { condition: service_completed_successfully }\n  b: { image: x }",
        5,
    ),
    (Code::UnsupportedImage, "services:\n  a:\n    image: Not An Image", 3),
    (Code::WrongType, "services:\n  a:\n    image: x\n    ports: 80", 4),
];

/// The codes that mistakes in Compose files alone have.
pub(crate) fn codes() -> impl Iterator<Item = Code> {
    MISTAKES.iter().map(|mistake| mistake.0)
}

#[test]
fn one_mistake_in_a_compose_file_is_one_diagnostic_in_its_line() {
    let scenario = around("c.yaml", "a", "");
    for (code, compose, line) in MISTAKES {
        let shelf = Shelf::default().with("c.yaml", compose).with("f", "");
        let diagnostics = read(&shelf, &scenario, None).map(|_| ()).expect_err(compose);
        let shown = diagnostics.render(Palette::Plain);
        let found: Vec<(Code, u32)> = diagnostics.iter().map(|it| (it.code, it.location.line)).collect();
        assert_eq!(found, [(*code, *line)], "{compose}\n{shown}");
        assert!(shown.contains(&format!("scenarios/shop/c.yaml:{line}:")), "{shown}");
    }
    let missing = read(&Shelf::default(), &scenario, None).unwrap_err();
    assert_eq!(missing.to_string().split(": ").next(), Some("scenario.yaml:5:10"), "{missing}");
}

#[test]
fn a_build_is_an_error_that_says_what_to_do_and_no_error_where_an_image_is_chosen() {
    let shelf = Shelf::default().with("c.yaml", "services:\n  web:\n    build: .\n");
    let told = read(&shelf, &around("c.yaml", "web", ""), None).unwrap_err().render(Palette::Plain);
    assert!(told.contains("--candidate web=IMAGE"), "{told}");
    read(&shelf, &around("c.yaml", "web", ""), Some("web=shop:1")).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn a_draft_asks_every_service_what_its_file_says() {
    let draft = |candidate: Option<&str>| -> Result<Draft, Diagnostics> {
        let files = [PathBuf::from("blog.yaml")];
        with_context(&shelf(), None, |context| {
            compose_draft(&files, Path::new("scenarios/shop"), context, candidate, "2y")
        })
    };
    let drafted = draft(None).unwrap_or_else(|error| panic!("{}", error.render(Palette::Plain)));
    assert_eq!(drafted.service.name.as_str(), "blog", "no other service waits for it");
    let checks: Vec<&str> = drafted.checks.iter().map(|drafted| drafted.check.name.as_str()).collect();
    assert_eq!(checks, ["blog-alive", "blog-port-2368", "db-alive", "db-healthy"]);
    let unknown = draft(Some("blogg")).unwrap_err();
    assert!(unknown.to_string().contains("the services are `blog`, `db`"), "{unknown}");
}

#[test]
fn what_hostile_files_cost_is_bounded() {
    let deep = format!("services:\n  a: {}{}", "[".repeat(5_000), "]".repeat(5_000));
    let bomb: String = (1..40).fold("x-0: &a0 [x]\n".to_owned(), |text, at| {
        format!("{text}x-{at}: &a{at} [*a{0}, *a{0}]\n", at - 1)
    });
    let chain: String = (0..200).map(|at| format!("  s{at}: {{ extends: s{} }}\n", at + 1)).collect();
    let chain = format!("services:\n{chain}  s200: {{ image: x }}\n");
    let merged = format!("x: &x {{ a: 1 }}\nservices:\n  a: {{ {} }}", "<<: *x, ".repeat(3));
    let tagged = "services:\n  a:\n    image: x\n    ports: !reset []".to_owned();
    for hostile in [deep, bomb, chain, merged, tagged] {
        let shelf = Shelf::default().with("c.yaml", &hostile);
        assert!(read(&shelf, &around("c.yaml", "a", ""), None).is_err());
    }
    let many: Shelf = (0..2_500).fold(Shelf::default(), |shelf, at| shelf.with(&format!("d/{at}"), ""));
    let many = many.with("c.yaml", "services: { a: { image: x, volumes: [\"./d:/d\"] } }");
    let told = read(&many, &around("c.yaml", "a", ""), None).unwrap_err().to_string();
    assert!(told.contains("2000 at most"), "{told}");
}

fn lines() -> impl Strategy<Value = String> {
    let fragments = proptest::sample::select(BLOG.lines().chain(METRICS.lines()).collect::<Vec<_>>());
    proptest::collection::vec((fragments, any::<bool>()), 0..40).prop_map(|lines| {
        let cut = |(line, whole): (&str, bool)| match whole {
            true => format!("{line}\n"),
            false => line.chars().take(line.len() / 2).collect(),
        };
        lines.into_iter().map(cut).collect()
    })
}

proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 128, failure_persistence: None, ..Default::default() })]

    #[test]
    fn no_text_makes_the_reading_panic(text in lines()) {
        let shelf = shelf().with("c.yaml", &text);
        _ = read(&shelf, &around("c.yaml", "blog", ""), None);
    }
}

fn hidden(text: &str) -> EnvValue {
    EnvValue::Hidden(notafter_core::Hidden::new(text.to_owned()))
}

fn told(diagnostics: Diagnostics) -> Scenario {
    panic!("{}", diagnostics.render(Palette::Plain))
}
