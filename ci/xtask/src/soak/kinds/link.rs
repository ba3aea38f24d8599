//! A client and a server, and one certificate or list between them that ends.
//!
//! What must never happen here: an end judged by this file. It only says in which second a library is known to refuse.

use crate::soak::draw::Draw;
use crate::soak::expected::{Cause, Expected};
use crate::soak::frame::{End, Frame};
use crate::soak::guests::Library;
use crate::soak::pki::{Certificate, Crl, Key, Made, Pki, Role, sha256};
use crate::soak::service::{Content, Laid, PLACE, Service, Stage};
use anyhow::Result;
use std::fmt;

/// Who asks the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::soak) enum Asker {
    /// A command in a service of its own.
    Command(Library),
    /// The gate's own probe.
    Probe,
    /// A service that asks whenever it is asked itself.
    Shop(Library),
}

/// What ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::soak) enum Ending {
    Client,
    ClientIntermediate,
    ClientRoot,
    Crl,
    Server,
    ServerIntermediate,
    ServerRoot,
}

impl Ending {
    /// The name of that certificate or list.
    fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::ClientIntermediate => "client-issuer",
            Self::ClientRoot => "client-root",
            Self::Crl => "revoked",
            Self::Server => "server",
            Self::ServerIntermediate => "server-issuer",
            Self::ServerRoot => "server-root",
        }
    }
}

/// A case of this kind.
#[derive(Debug, Clone)]
pub(in crate::soak) struct Link {
    server: Library,
    asker: Asker,
    ending: Ending,
    /// What ends later inside the window, and when.
    second: Option<(Ending, i64)>,
    /// Whether the server asks clients for certificates.
    mutual: bool,
    /// Whether there is a CRL.
    listed: bool,
    /// Whether the client verifies nobody.
    lax: bool,
    candidate: &'static str,
    made: Made,
    laid: Laid,
    frame: Frame,
    pki: Pki,
}

const HOUR: i64 = 3_600;
const SERVERS: [Library; 5] = [Library::Go, Library::Java, Library::Nginx, Library::OpenSsl, Library::Rustls];

impl Link {
    pub(in crate::soak) fn draw(draw: &mut Draw) -> Self {
        let end = if draw.chance(80) { End::Inside } else { End::Beyond };
        let frame = Frame::draw(draw, end);
        let ending = draw.pick(&[
            Ending::Client,
            Ending::ClientIntermediate,
            Ending::ClientRoot,
            Ending::Crl,
            Ending::Server,
            Ending::Server,
            Ending::ServerIntermediate,
            Ending::ServerRoot,
        ]);
        let of_client =
            matches!(ending, Ending::Client | Ending::ClientIntermediate | Ending::ClientRoot | Ending::Crl);
        // crypto/tls looks into no revocation list by itself.
        let listed = ending == Ending::Crl;
        let server = draw.pick(if listed { &SERVERS[1..] } else { &SERVERS });
        let client = draw.pick(&[Library::Go, Library::Java, Library::OpenSsl, Library::Rustls]);
        let asker = match draw.between(0, 3) {
            0 => Asker::Probe,
            1 if client != Library::OpenSsl => Asker::Shop(client),
            _ => Asker::Command(client),
        };
        let lax = !of_client && asker != Asker::Probe && draw.chance(15);
        let mutual = of_client || draw.chance(25);
        let made = if asker == Asker::Probe || draw.chance(50) { Made::ByGate } else { Made::ByOpenssl };
        let laid = draw.pick(&[Laid::ByScenario, Laid::InImage]);
        let candidate = if asker != Asker::Probe && draw.chance(50) { "client" } else { "server" };
        let mut pki = chains(draw, &frame, ending, mutual, listed);
        let second = (end == End::Inside && frame.horizon - frame.ends > 4 * HOUR && draw.chance(25))
            .then(|| later(draw, &frame, ending, &mut pki));
        Self { server, asker, ending, second, mutual, listed, lax, candidate, made, laid, frame, pki }
    }

    /// The first second in which whoever judges `ending` refuses it, if it ends at `at`.
    fn refused(&self, ending: Ending, at: i64) -> Option<i64> {
        let of_client =
            matches!(ending, Ending::Client | Ending::ClientIntermediate | Ending::ClientRoot | Ending::Crl);
        let library = match self.asker {
            _ if of_client => self.server,
            _ if self.lax => return None,
            // The gate's own probe judges the whole chain and its anchor as RFC 5280 has it.
            Asker::Probe => return Some(at + 1),
            Asker::Command(library) | Asker::Shop(library) => library,
        };
        let is_root = matches!(ending, Ending::ClientRoot | Ending::ServerRoot);
        match library {
            // OpenSSL calls the last second too late already, and looks at anchors like at any other certificate.
            Library::Nginx | Library::OpenSsl => Some(at),
            Library::Go => Some(at + 1),
            // Neither PKIX of Java nor webpki knows dates of anchors.
            Library::Java | Library::Rustls if is_root => None,
            // Java takes clocks to be 15 minutes off where it looks for a list.
            Library::Java if ending == Ending::Crl => Some(at + 15 * 60 + 1),
            // To webpki the second of nextUpdate is too late.
            Library::Rustls if ending == Ending::Crl => Some(at),
            Library::Java | Library::Rustls => Some(at + 1),
        }
    }

    fn expected(&self, sha256: impl FnOnce(Ending) -> Result<String>) -> Result<Expected> {
        let first = (self.ending, self.frame.ends);
        let refused = |(ending, at): (Ending, i64)| Some((self.refused(ending, at)?, ending, at));
        let breaks = [Some(first), self.second].into_iter().flatten().filter_map(refused);
        let within = breaks.filter(|(refused, _, _)| *refused <= self.frame.horizon);
        let Some((from, ending, at)) = within.min_by_key(|(refused, _, _)| *refused) else {
            return Ok(Expected::Allow);
        };
        let mut cause = match self.made {
            Made::ByGate => Cause::Declared(ending.name()),
            Made::ByOpenssl => Cause::File(sha256(ending)?),
        };
        if from > at + 1 {
            cause = Cause::Late(Box::new(cause));
        }
        Ok(Expected::Block { from, through: from, cause })
    }

    /// Writes the scenario below its head, and says what must come of it.
    pub(in crate::soak) fn write(&self, stage: &mut Stage<'_>) -> Result<(String, Expected)> {
        (stage.made, stage.laid) = (self.made, self.laid);
        let directory = stage.directory.join("pki");
        let mut text = match self.made {
            Made::ByGate => self.pki.yaml(),
            Made::ByOpenssl => {
                self.pki.make(&directory)?;
                String::new()
            }
        };
        let expected = self.expected(|ending| {
            let what = if ending == Ending::Crl { "crl" } else { "x509" };
            sha256(&directory, &format!("{}.pem", ending.name()), what)
        })?;
        text += "services:\n";
        text += &self.server().yaml(stage)?;
        if let Some(client) = self.client() {
            text += &client.yaml(stage)?;
        }
        text += &self.check();
        Ok((text, expected))
    }

    pub(in crate::soak) fn candidate(&self) -> &'static str {
        self.candidate
    }

    pub(in crate::soak) fn frame(&self) -> Frame {
        self.frame
    }

    fn server(&self) -> Service {
        let mut files = vec![
            ("own.pem".to_owned(), Content::Chain("server")),
            ("own.pem.key".to_owned(), Content::Key("server")),
        ];
        let path = |file: &str| format!("{PLACE}/{file}");
        let (own, key, clients, list) =
            (path("own.pem"), path("own.pem.key"), path("clients.pem"), path("list.pem"));
        if self.server == Library::OpenSsl {
            files.extend(self.issuer_file("server-issuer"));
        }
        if self.mutual {
            files.push(("clients.pem".to_owned(), Content::Certificate("client-root")));
        }
        if self.listed {
            files.push(("list.pem".to_owned(), Content::Crl("revoked")));
        }
        let mut arguments = vec!["serve", "8443", own.as_str()];
        if self.server != Library::Java {
            arguments.push(&key);
        }
        if self.mutual {
            arguments.push(&clients);
        }
        if self.listed {
            arguments.push(&list);
        }
        let mut more = String::new();
        let command = match self.server {
            Library::Go | Library::Java | Library::Rustls => self.server.peer(&arguments),
            Library::OpenSsl => {
                let mut line = format!(
                    "openssl s_server -accept 8443 -www -quiet {}",
                    self.openssl_identity("server-issuer")
                );
                if self.mutual {
                    line += &format!(" -CAfile {clients} -Verify 4 -verify_return_error");
                }
                if self.listed {
                    line += &format!(" -crl_check -CRL {list}");
                }
                line.split(' ').map(str::to_owned).collect()
            }
            Library::Nginx => {
                files.push(("nginx.conf".to_owned(), Content::Text(self.nginx())));
                more = format!("    volumes: {{ run: {{ path: {NGINX_RUN}, state: fresh }} }}\n");
                ["nginx", "-e", "stderr", "-c", &path("nginx.conf")].map(str::to_owned).to_vec()
            }
        };
        Service { name: "server", library: self.server, command, files, needs: None, port: Some(8443), more }
    }

    /// The intermediate alone, where there is one: of `-cert` the programs of openssl show the first certificate, and of
    /// `-cert_chain` all.
    fn issuer_file(&self, issuer: &'static str) -> Option<(String, Content)> {
        let issues = |certificate: &Certificate| certificate.name == issuer;
        self.pki
            .certificates
            .iter()
            .any(issues)
            .then(|| ("issuer.pem".to_owned(), Content::Certificate(issuer)))
    }

    /// Options that have `s_server` and `s_client` show a chain, each certificate once.
    fn openssl_identity(&self, issuer: &'static str) -> String {
        let chain = self.issuer_file(issuer).map(|(file, _)| format!(" -cert_chain {PLACE}/{file}"));
        format!("-cert {PLACE}/own.pem -key {PLACE}/own.pem.key{}", chain.unwrap_or_default())
    }

    fn nginx(&self) -> String {
        let mut text = format!(
            "daemon off;\nworker_processes 1;\npid {NGINX_RUN}/nginx.pid;\nerror_log stderr;\nevents {{}}\nhttp {{\n\
             access_log off;\n"
        );
        for kind in ["client_body", "proxy", "fastcgi", "scgi", "uwsgi"] {
            text += &format!("{kind}_temp_path {NGINX_RUN}/{kind};\n");
        }
        text += &format!(
            "server {{\nlisten 8443 ssl;\nssl_certificate {PLACE}/own.pem;\nssl_certificate_key {PLACE}/own.pem.key;\n"
        );
        if self.mutual {
            text += &format!(
                "ssl_verify_client on;\nssl_verify_depth 4;\nssl_client_certificate {PLACE}/clients.pem;\n"
            );
        }
        if self.listed {
            text += &format!("ssl_crl {PLACE}/list.pem;\n");
        }
        text + "location / { return 200 hello; }\n}\n}\n"
    }

    fn client(&self) -> Option<Service> {
        let (library, shop) = match self.asker {
            Asker::Probe => return None,
            Asker::Command(library) => (library, false),
            Asker::Shop(library) => (library, true),
        };
        let mut files = vec![("servers.pem".to_owned(), Content::Certificate("server-root"))];
        if self.mutual {
            files.push(("own.pem".to_owned(), Content::Chain("client")));
            files.push(("own.pem.key".to_owned(), Content::Key("client")));
            if library == Library::OpenSsl {
                files.extend(self.issuer_file("client-issuer"));
            }
        }
        let command = if shop { self.ask(library, &["shop", "8080"]) } else { library.idle() };
        let port = shop.then_some(8080);
        Some(Service {
            name: "client",
            library,
            command,
            files,
            needs: Some("server"),
            port,
            more: String::new(),
        })
    }

    /// The client's command.
    fn ask(&self, library: Library, before: &[&str]) -> Vec<String> {
        let path = |file: &str| format!("{PLACE}/{file}");
        let (servers, own, key) = (path("servers.pem"), path("own.pem"), path("own.pem.key"));
        if library == Library::OpenSsl {
            let verify = if self.lax {
                String::new()
            } else {
                format!("-CAfile {servers} -verify_return_error -verify_hostname server")
            };
            let identity = if self.mutual { self.openssl_identity("client-issuer") } else { String::new() };
            // Over TLS 1.3 the handshake is over before the server looks at the client's certificate: only an answer tells.
            let line = format!(
                "printf 'GET / HTTP/1.0\\r\\n\\r\\n' | timeout 8 openssl s_client -quiet -connect server:8443 \
                 {verify} {identity} 2>&1 | tee /dev/stderr | grep -q '^HTTP/1.[01] 200'"
            );
            return vec!["sh".to_owned(), "-c".to_owned(), line];
        }
        let mut arguments = before.to_vec();
        arguments.extend(["server", "8443", if self.lax { "any" } else { &servers }]);
        if self.mutual {
            arguments.push(&own);
            if library != Library::Java {
                arguments.push(&key);
            }
        }
        library.peer(&arguments)
    }

    fn check(&self) -> String {
        let probe = match self.asker {
            Asker::Probe => {
                let identity = if self.mutual { ", identity: client" } else { "" };
                format!("https: {{ url: \"https://server:8443/\", trust: server-root{identity} }}")
            }
            Asker::Shop(_) => "http: { url: \"http://client:8080/\" }".to_owned(),
            Asker::Command(library) => {
                let words: Vec<String> = self
                    .ask(library, &["ask"])
                    .iter()
                    .map(|word| crate::soak::service::quoted(word))
                    .collect();
                format!("exec: {{ service: client, command: [{}] }}", words.join(", "))
            }
        };
        format!(
            "checks:\n  answered:\n    probe: {{ {probe} }}\n    within: 20s\n    expect: {{ works: {{}} }}\n"
        )
    }
}

/// Where nginx may write.
const NGINX_RUN: &str = "/run/peer";

/// Two chains of which one link ends first; others may end later inside the window.
fn chains(draw: &mut Draw, frame: &Frame, ending: Ending, mutual: bool, listed: bool) -> Pki {
    let mut pki = Pki::default();
    let sides: &[(&[Ending; 3], Role)] = &[
        (&[Ending::ServerRoot, Ending::ServerIntermediate, Ending::Server], Role::Server),
        (&[Ending::ClientRoot, Ending::ClientIntermediate, Ending::Client], Role::Client),
    ];
    for (links, leaf) in &sides[..if mutual { 2 } else { 1 }] {
        // nginx looks for a list of every issuer, and there is one.
        let deep = links[1] == ending || (draw.chance(60) && !(listed && *leaf == Role::Client));
        let mut issuer = None;
        for link in *links {
            if *link == links[1] && !deep {
                continue;
            }
            let role = match link {
                Ending::ClientRoot | Ending::ServerRoot => Role::Root,
                Ending::ClientIntermediate | Ending::ServerIntermediate => Role::Intermediate,
                Ending::Client | Ending::Crl | Ending::Server => *leaf,
            };
            let (from, until) = if *link == ending {
                (frame.issued, frame.ends)
            } else {
                (frame.earlier(draw), frame.later(draw))
            };
            let key = draw.pick(&[Key::Ed25519, Key::P256, Key::P256, Key::P384, Key::Rsa2048]);
            pki.certificates.push(Certificate { name: link.name(), issuer, role, from, until, key });
            issuer = Some(link.name());
        }
    }
    if listed {
        pki.crls.push(Crl { name: "revoked", issuer: "client-root", from: frame.issued, until: frame.ends });
    }
    pki
}

/// Has another link end inside the window, after the first.
fn later(draw: &mut Draw, frame: &Frame, first: Ending, pki: &mut Pki) -> (Ending, i64) {
    let at = draw.between(frame.ends + HOUR, frame.horizon - HOUR);
    let links = [
        Ending::Client,
        Ending::ClientIntermediate,
        Ending::ClientRoot,
        Ending::Server,
        Ending::ServerIntermediate,
        Ending::ServerRoot,
    ];
    let there =
        |link: &Ending| *link != first && pki.certificates.iter().any(|other| other.name == link.name());
    let links: Vec<Ending> = links.into_iter().filter(there).collect();
    let link = draw.pick(&links);
    for certificate in pki.certificates.iter_mut().filter(|certificate| certificate.name == link.name()) {
        certificate.until = at;
    }
    (link, at)
}

impl fmt::Display for Link {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (how, client) = match self.asker {
            Asker::Probe => ("probe", "gate"),
            Asker::Command(library) => ("command", library.word()),
            Asker::Shop(library) => ("shop", library.word()),
        };
        let made = if self.made == Made::ByGate { "declared" } else { "files" };
        let lax = if self.lax { ", verifies nobody" } else { "" };
        let then = self.second.map_or(String::new(), |(ending, _)| format!(", then {}", ending.name()));
        write!(
            formatter,
            "link: {client} ({how}) asks {}{lax}; {} ends{then}, {made}; under release: {}",
            self.server.word(),
            self.ending.name(),
            self.candidate
        )
    }
}
