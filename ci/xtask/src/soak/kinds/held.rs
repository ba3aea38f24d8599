//! A service that holds a certificate or a token, and looks at its end at times of its own choosing.

use crate::soak::calendar::DAY;
use crate::soak::draw::Draw;
use crate::soak::expected::{Cause, Expected};
use crate::soak::frame::{End, Frame};
use crate::soak::guests::Library;
use crate::soak::pki::{Certificate, Key, Made, Pki, Role, sha256};
use crate::soak::place;
use crate::soak::service::{Content, Laid, PLACE, Service, Stage, quoted};
use anyhow::Result;
use std::fmt;

/// How what ends lies in the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::soak) enum Format {
    /// Behind the last byte of the executable.
    Appended,
    Der,
    Jks,
    Jwt,
    Pem,
    Pkcs12,
    TarGz,
    Zip,
}

impl Format {
    /// As guests are told it; the end of the file's name too.
    pub(in crate::soak) fn word(self) -> &'static str {
        match self {
            Self::Appended => "appended",
            Self::Der => "der",
            Self::Jks => "jks",
            Self::Jwt => "jwt",
            Self::Pem => "pem",
            Self::Pkcs12 => "p12",
            Self::TarGz => "tgz",
            Self::Zip => "zip",
        }
    }
}

/// When it looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Habit {
    /// Every so many seconds, and then answers no more.
    Every(i64),
    /// Every so many seconds, and then ends.
    Exit(i64),
    /// Whenever it is asked, so many seconds behind the time.
    Late(i64),
    Never,
    Request,
    Start,
}

impl fmt::Display for Habit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Every(span) => write!(formatter, "every:{span}"),
            Self::Exit(span) => write!(formatter, "exit:{span}"),
            Self::Late(span) => write!(formatter, "late:{span}"),
            Self::Never => formatter.write_str("never"),
            Self::Request => formatter.write_str("request"),
            Self::Start => formatter.write_str("start"),
        }
    }
}

/// A case of this kind.
#[derive(Debug, Clone)]
pub(in crate::soak) struct Held {
    library: Library,
    format: Format,
    habit: Habit,
    laid: Laid,
    frame: Frame,
    end: End,
    pki: Pki,
}

impl Held {
    pub(in crate::soak) fn draw(draw: &mut Draw) -> Self {
        let end = if draw.chance(85) { End::Inside } else { End::Beyond };
        let mut frame = Frame::draw(draw, end);
        let library = draw.pick(&[Library::Go, Library::Java, Library::OpenSsl, Library::Rustls]);
        let format = draw.pick(match library {
            Library::Go => {
                &[Format::Appended, Format::Der, Format::Jwt, Format::Pem, Format::TarGz, Format::Zip][..]
            }
            Library::Java => {
                &[Format::Der, Format::Jks, Format::Jwt, Format::Pem, Format::Pkcs12, Format::Zip][..]
            }
            Library::Nginx | Library::OpenSsl => &[Format::Der, Format::Pem, Format::Pkcs12][..],
            Library::Rustls => &[Format::Appended, Format::Der, Format::Pem][..],
        });
        let span = draw.pick(&[600, 3_600, 21_600, DAY]);
        let late = draw.pick(&[3_600, 5 * 3_600, 2 * DAY, 5 * DAY, 30 * DAY]);
        let habit = match library {
            // A start script, and a command that is run for every look.
            Library::Nginx | Library::OpenSsl => draw.pick(&[Habit::Never, Habit::Request, Habit::Start]),
            Library::Go | Library::Java | Library::Rustls => draw.pick(&[
                Habit::Every(span),
                Habit::Exit(span),
                Habit::Late(late),
                Habit::Never,
                Habit::Request,
                Habit::Start,
            ]),
        };
        // What the gate lays in may be 16 MiB large, and programs are larger.
        let laid = match format {
            Format::Appended => Laid::InImage,
            _ => draw.pick(&[Laid::ByScenario, Laid::InImage, Laid::InImage]),
        };
        if let (Habit::Every(span) | Habit::Exit(span), End::Inside) = (habit, end) {
            // Else the window may be over before it looks.
            frame.horizon = frame.horizon.max(frame.ends + span + 3_600);
        }
        if let Habit::Late(late) = habit {
            frame.issued = frame.issued.min(frame.start - late - 3_600);
        }
        let key = draw.pick(&[Key::Ed25519, Key::P256, Key::P384, Key::Rsa2048]);
        let root = Certificate {
            name: "root",
            issuer: None,
            role: Role::Root,
            from: frame.earlier(draw),
            until: frame.later(draw),
            key: Key::P256,
        };
        let held = Certificate {
            name: "held",
            issuer: Some("root"),
            role: Role::Server,
            from: frame.issued,
            until: frame.ends,
            key,
        };
        let mut pki = Pki { certificates: vec![root, held], crls: Vec::new() };
        if draw.chance(30) {
            // It lies there, ends, and nobody looks.
            let until = draw.between(frame.start + 60, frame.horizon);
            let role = draw.pick(&[Role::Client, Role::Intermediate, Role::Server]);
            pki.certificates.push(Certificate { name: "decoy", role, until, from: frame.issued, ..held });
        }
        Self { library, format, habit, laid, frame, end, pki }
    }

    fn expected(&self, sha256: impl FnOnce() -> Result<String>) -> Result<Expected> {
        let ends = self.frame.ends;
        let late_second = self.library == Library::OpenSsl || self.format == Format::Jwt;
        let first = if late_second { ends } else { ends + 1 };
        let (first, within) = match self.habit {
            Habit::Every(span) | Habit::Exit(span) => (first, span + 1),
            Habit::Late(span) => (first + span, 0),
            Habit::Request | Habit::Start => (first, 0),
            Habit::Never => return Ok(Expected::Allow),
        };
        if self.end == End::Beyond || first > self.frame.horizon {
            return Ok(Expected::Allow);
        }
        let mut cause = Cause::File(sha256()?);
        if matches!(self.habit, Habit::Late(_)) {
            cause = Cause::Late(Box::new(cause));
        }
        Ok(Expected::Block { from: first, through: first + within, cause })
    }

    /// Writes the scenario below its head, and says what must come of it.
    pub(in crate::soak) fn write(&self, stage: &mut Stage<'_>) -> Result<(String, Expected)> {
        (stage.made, stage.laid) = (Made::ByOpenssl, self.laid);
        let directory = stage.directory.join("pki");
        self.pki.make(&directory)?;
        let file = place::make(self.format, self.frame.ends, stage.guests.program(self.library), &directory)?;
        let expected = self.expected(|| match self.format {
            Format::Jwt => place::token_sha256(&directory),
            Format::Appended
            | Format::Der
            | Format::Jks
            | Format::Pem
            | Format::Pkcs12
            | Format::TarGz
            | Format::Zip => sha256(&directory, "held.pem", "x509"),
        })?;
        let mut text = String::from("services:\n");
        text += &self.service(&file).yaml(stage)?;
        text += "checks:\n  answered:\n    probe: ";
        text += &self.probe(&file);
        text += "\n    within: 20s\n    expect: { works: {} }\n";
        Ok((text, expected))
    }

    fn service(&self, file: &str) -> Service {
        let (place, habit) = (format!("{PLACE}/{file}"), self.habit.to_string());
        let mut arguments = vec!["hold", "8080", self.format.word(), place.as_str(), habit.as_str()];
        let root = format!("{PLACE}/root.pem");
        let mut files = vec![(file.to_owned(), Content::Pki(file.to_owned()))];
        if self.has_decoy() {
            files.push(("decoy.pem".to_owned(), Content::Certificate("decoy")));
        }
        if self.library == Library::Rustls {
            arguments.extend([root.as_str(), "held"]);
            files.push(("root.pem".to_owned(), Content::Certificate("root")));
        }
        let (command, port) = match self.library {
            Library::Go | Library::Java | Library::Rustls => (self.library.peer(&arguments), Some(8080)),
            Library::Nginx | Library::OpenSsl => {
                files.push(("root.pem".to_owned(), Content::Certificate("root")));
                let first = if self.habit == Habit::Start { self.judge(file) } else { "true".to_owned() };
                let line = format!("{first} && echo ready && exec sleep infinity");
                (vec!["sh".to_owned(), "-c".to_owned(), line], None)
            }
        };
        Service {
            name: "service",
            library: self.library,
            command,
            files,
            needs: None,
            port,
            more: if port.is_none() {
                "    ready: { log: { contains: ready }, within: 60s }\n".to_owned()
            } else {
                String::new()
            },
        }
    }

    /// The shell's line that has openssl judge the certificate.
    fn judge(&self, file: &str) -> String {
        let read = match self.format {
            Format::Der => format!("openssl x509 -inform der -in {PLACE}/{file}"),
            Format::Pkcs12 => format!("openssl pkcs12 -in {PLACE}/{file} -nokeys -passin pass:changeit"),
            Format::Appended | Format::Jks | Format::Jwt | Format::Pem | Format::TarGz | Format::Zip => {
                format!("cat {PLACE}/{file}")
            }
        };
        format!("{read} | openssl verify -CAfile {PLACE}/root.pem")
    }

    fn probe(&self, file: &str) -> String {
        match self.library {
            Library::Go | Library::Java | Library::Rustls => {
                "{ http: { url: \"http://service:8080/\" } }".to_owned()
            }
            Library::Nginx | Library::OpenSsl if self.habit == Habit::Request => {
                let line = quoted(&self.judge(file));
                format!("{{ exec: {{ service: service, command: [sh, -c, {line}] }} }}")
            }
            Library::Nginx | Library::OpenSsl => "{ alive: { service: service } }".to_owned(),
        }
    }

    fn has_decoy(&self) -> bool {
        self.pki.certificates.iter().any(|certificate| certificate.name == "decoy")
    }

    pub(in crate::soak) fn frame(&self) -> Frame {
        self.frame
    }
}

impl fmt::Display for Held {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let laid =
            if self.laid == Laid::InImage && self.library.has_tree() { "in the image" } else { "laid in" };
        let (library, format) = (self.library.word(), self.format.word());
        let decoy = if self.has_decoy() { ", beside another" } else { "" };
        write!(formatter, "held: {library} holds {format}{decoy}, {laid}, and looks {}", self.habit)
    }
}
