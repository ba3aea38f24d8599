//! Who we are to a registry: the files that Docker (`config.json`) and containers-auth.json(5) describe.

use super::failure::Failure;
use super::helper;
use super::place::Place;
use super::secret::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Longest file of credentials.
const MAX_FILE_BYTES: u64 = 4 << 20;
/// The user name by which programs tell that they give a refresh token.
const TOKEN_USER: &str = "<token>";

/// Credentials, and where they came from.
#[derive(Debug, Clone)]
pub(super) struct Login {
    /// For messages: `the credentials of FILE`, `no credentials: …`.
    pub(super) source: String,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone)]
pub(super) enum Kind {
    None,
    Password {
        user: String,
        password: Secret,
    },
    /// To be exchanged for tokens.
    Refresh(Secret),
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Config {
    auths: BTreeMap<String, Auth>,
    cred_helpers: BTreeMap<String, String>,
    creds_store: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Auth {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
}

/// What the first of `files` that knows the registry says; a file that is not there knows none.
pub(super) fn find(files: &[PathBuf], place: &Place) -> Result<Login, Failure> {
    let mut looked = Vec::new();
    for path in files {
        let bad = |reason: String| Failure::BadAuthFile { path: path.clone(), reason };
        let Some(config) = read(path).map_err(bad)? else { continue };
        looked.push(path.display().to_string());
        if let Some(kind) = of_file(&config, path, place)? {
            return Ok(Login {
                source: format!("the credentials of {}{}", path.display(), kind.1),
                kind: kind.0,
            });
        }
    }
    let source = match looked.is_empty() {
        true => "no credentials: there is no file of them".to_owned(),
        false => format!("no credentials: {} has none for {}", looked.join(", "), place.host),
    };
    Ok(Login { source, kind: Kind::None })
}

fn read(path: &Path) -> Result<Option<Config>, String> {
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(error.to_string()),
    };
    if !file.metadata().is_ok_and(|meta| meta.is_file()) {
        return Err("it is no regular file".to_owned());
    }
    let mut bytes = zeroize::Zeroizing::new(Vec::new());
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(format!("it is longer than {MAX_FILE_BYTES} bytes"));
    }
    // What serde says itself may quote the file.
    serde_json::from_slice(&bytes).map(Some).map_err(|error| {
        format!("it is not as it should be in line {}, column {}", error.line(), error.column())
    })
}

/// What the file knows, and by which program.
fn of_file(config: &Config, path: &Path, place: &Place) -> Result<Option<(Kind, String)>, Failure> {
    let of_registry = config.cred_helpers.get(&place.host).or(config.creds_store.as_ref());
    if let Some(name) = of_registry.filter(|name| !name.is_empty()) {
        let program = helper::program(name);
        let failed = |reason| Failure::Helper { program: program.clone(), path: path.to_owned(), reason };
        if let Some((user, secret)) = helper::ask(name, place.login_key()).map_err(failed)? {
            let kind = match user.as_str() {
                TOKEN_USER => Kind::Refresh(secret),
                _ => Kind::Password { user, password: secret },
            };
            return Ok(Some((kind, format!(", by {program}"))));
        }
    }
    let Some((key, auth)) = keys(place).into_iter().find_map(|key| {
        config.auths.iter().find(|(known, _)| plain_key(known) == key).map(|(_, auth)| (key, auth))
    }) else {
        return Ok(None);
    };
    let bad = |reason: &str| Failure::BadAuthFile {
        path: path.to_owned(),
        reason: format!("its entry for {key} {reason}"),
    };
    if let Some(token) = auth.identitytoken.as_ref().filter(|token| !token.is_empty()) {
        return Ok(Some((Kind::Refresh(Secret::new(token.clone())), String::new())));
    }
    let pair = match (&auth.auth, &auth.username, &auth.password) {
        (Some(auth), _, _) if !auth.is_empty() => {
            let bytes = STANDARD.decode(auth.trim()).map_err(|_| bad("is no base64"))?;
            let text = String::from_utf8(bytes).map_err(|_| bad("is no text"))?;
            let (user, password) = text.split_once(':').ok_or_else(|| bad("has no colon"))?;
            Some((user.to_owned(), password.trim_end_matches('\0').to_owned()))
        }
        (_, Some(user), Some(password)) => Some((user.clone(), password.clone())),
        // `docker login` leaves an empty entry beside a store.
        _ => None,
    };
    Ok(pair.map(|(user, password)| (Kind::Password { user, password: Secret::new(password) }, String::new())))
}

/// The names under which credentials may stand, the most special first.
fn keys(place: &Place) -> Vec<String> {
    let mut keys = Vec::new();
    let mut path = Some(format!("{}/{}", place.host, place.repository));
    while let Some(key) = path {
        path = key.rsplit_once('/').map(|(parent, _)| parent.to_owned());
        keys.push(key);
    }
    if place.host == "docker.io" {
        keys.push("index.docker.io".to_owned());
    }
    keys
}

/// `https://HOST/v1/` as `HOST`.
fn plain_key(key: &str) -> &str {
    let key = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://")).unwrap_or(key);
    let key = key.trim_end_matches('/');
    key.strip_suffix("/v1").or_else(|| key.strip_suffix("/v2")).unwrap_or(key)
}
