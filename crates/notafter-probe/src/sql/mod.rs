//! Databases: a login, a question about the role that was let in, and one query.
//!
//! What must never happen here: an answer of a server that costs more than its bounds, or a password in what is said.

mod mysql;
#[cfg(feature = "postgres")]
mod postgres;

use crate::Error;
use crate::line::KeepOpen;
use crate::password::Password;
use notafter_core::{
    Credential, CredentialKind, Fingerprint, Origin, Refusal, RefusalLayer, Seen, ServedCertificate,
    SqlServer, SqlTerms, UnixTime,
};
use sha2::{Digest, Sha256};
use std::io::{self, Read, Write};
use std::sync::{Mutex, PoisonError};

/// How much of the rows goes into the record.
const KEPT_ROWS_BYTES: usize = 1024;

/// Who logs in and what is asked.
#[derive(Debug)]
pub(crate) struct Login {
    server: SqlServer,
    user: String,
    password: Option<Password>,
    database: String,
    query: String,
    /// The role as it was when it was let in last.
    role: Mutex<Option<Credential>>,
    /// What the role is known by.
    subject: String,
}

/// How the connection began.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Opening<'a> {
    /// What the server said first and was answered with a request for TLS; none where it is still to be heard.
    pub(crate) greeting: Option<&'a [u8]>,
}

/// What came back.
#[derive(Debug)]
pub(crate) enum Heard {
    Answered(Answered),
    /// The server closed the connection before it answered.
    Closed,
    Failed(io::Error),
    /// Not what the protocol says, or no answer to who may.
    Nonsense(String),
    /// It is there and lets nobody in yet, as while it starts.
    NotYet(String),
    Refused {
        reason: String,
        /// Whether it is the password that was refused.
        password: bool,
    },
}

/// An answer to the query.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answered {
    /// One a line, fields joined by `|`.
    pub(crate) rows: String,
    /// Whether there were more than are kept.
    pub(crate) is_cut: bool,
    /// The last second in which the password of the role holds; none where it never ends or the server does not tell.
    pub(crate) valid_until: Option<UnixTime>,
}

impl Login {
    /// Whether this build has the protocol.
    ///
    /// # Errors
    /// [`Error::NotBuilt`].
    pub(crate) fn new(
        server: SqlServer,
        (host, port): (&str, u16),
        terms: &SqlTerms,
        password: Option<String>,
    ) -> Result<Self, Error> {
        if server == SqlServer::Postgres && !cfg!(feature = "postgres") {
            return Err(Error::NotBuilt { kind: server.name() });
        }
        Ok(Self {
            server,
            user: terms.user.clone(),
            password: password.map(Password::from),
            database: terms.database.clone(),
            query: terms.query.clone(),
            role: Mutex::new(None),
            subject: Credential::role_subject(&terms.user, host, port),
        })
    }

    /// Asks over `wire`; `again` is whether it was asked there before.
    pub(crate) fn ask(
        &self,
        wire: &mut (impl Read + Write),
        again: bool,
        keep: KeepOpen,
        opening: &Opening<'_>,
    ) -> Heard {
        match self.server {
            SqlServer::Mysql => mysql::ask(self, wire, again, keep, opening),
            #[cfg(feature = "postgres")]
            SqlServer::Postgres => postgres::ask(self, wire, again, keep),
            #[cfg(not(feature = "postgres"))]
            SqlServer::Postgres => Heard::Nonsense("this build does not speak its protocol".to_owned()),
        }
    }

    /// The role that was let in, as a credential; none where it has no end.
    pub(crate) fn let_in(&self, valid_until: Option<UnixTime>) -> Option<ServedCertificate> {
        let role = valid_until.map(|end| Credential {
            subject: self.subject.clone(),
            not_after: end,
            origin: Origin::Served,
            ..Credential::found(CredentialKind::SqlRole, self.fingerprint(end))
        });
        self.role.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&role);
        let served = |credential| ServedCertificate { credential, der_base64: String::new(), declared: None };
        role.map(served)
    }

    /// The role that ended before `now`, as far as it was ever let in.
    pub(crate) fn ended_by(&self, now: UnixTime) -> Option<Credential> {
        let role = self.role.lock().unwrap_or_else(PoisonError::into_inner).clone();
        role.filter(|role| role.not_after < now)
    }

    /// The same role with the same end is the same credential in every launch.
    fn fingerprint(&self, end: UnixTime) -> Fingerprint {
        let mut digest = Sha256::new();
        for part in [self.server.name(), &self.subject, &end.as_secs().to_string()] {
            digest.update(part.as_bytes());
            digest.update([0]);
        }
        Fingerprint::from_bytes(digest.finalize().into())
    }
}

/// What of `rows` goes into the record.
pub(crate) fn kept(rows: &str) -> String {
    let end = (0..=rows.len().min(KEPT_ROWS_BYTES)).rev().find(|end| rows.is_char_boundary(*end));
    rows[..end.unwrap_or_default()].to_owned()
}

/// A refusal in the words of the server, and what it comes from where the role that was let in before has ended.
pub(crate) fn refused(reason: String, ended: Option<&Credential>, now: UnixTime) -> Seen {
    let because = ended.map(|role| {
        let (who, word, end) = (&role.subject, role.kind.end_word(), role.not_after);
        format!("; role {who}: {word} {end}, {} s before", now.secs_since(end))
    });
    Seen::Refused(Refusal {
        layer: RefusalLayer::Application,
        alert: None,
        reason: reason + &because.unwrap_or_default(),
        culprit: ended.map(|role| role.fingerprint),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that says these bytes, whatever it hears.
    pub(super) struct Says(io::Cursor<Vec<u8>>);

    impl Says {
        pub(super) fn new(bytes: &[u8]) -> Self {
            Self(io::Cursor::new(bytes.to_vec()))
        }
    }

    impl Read for Says {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0.read(buffer)
        }
    }

    impl Write for Says {
        fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
            Ok(buffer.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    pub(super) fn login() -> Login {
        let terms = SqlTerms {
            user: "app".to_owned(),
            password: None,
            database: "shop".to_owned(),
            query: "select 1".to_owned(),
        };
        Login {
            password: Some("secret".to_owned().into()),
            ..Login::new(SqlServer::Postgres, ("db", 5432), &terms, None).unwrap()
        }
    }

    #[test]
    fn a_role_that_has_ended_is_named_and_a_password_never_is() {
        let login = login();
        assert!(!format!("{login:?}").contains("secret"));
        let at = UnixTime::clamped;
        assert_eq!(login.ended_by(at(200)), None, "it was never let in");
        let role = login.let_in(Some(at(100))).unwrap().credential;
        assert_eq!((role.subject.as_str(), role.not_after), ("app@db:5432", at(100)));
        assert_eq!((login.ended_by(at(100)), login.ended_by(at(101))), (None, Some(role.clone())));
        let Seen::Refused(refusal) = refused("no".to_owned(), Some(&role), at(101)) else { panic!("let in") };
        assert_eq!(refusal.culprit, Some(role.fingerprint));
        assert_eq!(refusal.reason, "no; role app@db:5432: VALID UNTIL 1970-01-01T00:01:40Z, 1 s before");
        assert_ne!(login.let_in(Some(at(300))).unwrap().credential.fingerprint, role.fingerprint);
        assert_eq!((login.let_in(None), login.ended_by(at(1_000))), (None, None));
    }

    #[test]
    fn rows_are_cut_between_characters() {
        assert_eq!(kept(&"ä".repeat(600)).len(), 1024);
        assert_eq!(kept("x"), "x");
    }
}
