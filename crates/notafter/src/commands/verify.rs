//! `notafter verify`: may this image be deployed, by what was attested of it?

use crate::args::VerifyArgs;
use crate::attesting;
use crate::error::Error;
use crate::exit::Exit;
use crate::pointed;
use crate::printer::Printer;
use notafter_attest::{Demands, VerifyingKey};
use notafter_core::{Transport, UnixTime};
use notafter_runner::Recognised;
use std::io;
use std::path::Path;

const PREFIX: &str = "sha256:";

pub(crate) fn run(args: &VerifyArgs, printer: &mut Printer) -> Result<Exit, Error> {
    let now = notafter_runner::unix_now();
    let pem = attesting::text(&args.key)?;
    let key = VerifyingKey::from_pem(&pem).map_err(|source| Error::Key { path: args.key.clone(), source })?;
    let demands = Demands {
        image_sha256: digest(&args.image)?,
        now,
        max_age_secs: args.max_age.as_deref().map(|text| seconds(text, now)).transpose()?,
    };
    let bundle = attesting::text(&args.attestation)?;
    let (line, exit) = match notafter_attest::verify(&bundle, &key, &demands) {
        Ok(accepted) => {
            let name = accepted.name.escape_debug().to_string();
            (format!("accepted: {name} was allowed on {}\n", accepted.verified), Exit::Allow)
        }
        Err(refusal) => (format!("refused: {}\n", refusal.to_string().escape_debug()), Exit::Block),
    };
    printer.data(&line)?;
    Ok(exit)
}

fn digest(image: &str) -> Result<String, Error> {
    if let Some(hex) = image.strip_prefix(PREFIX) {
        let is_digest = hex.len() == 64 && hex.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'));
        return match is_digest {
            true => Ok(hex.to_owned()),
            false => Err(Error::NotADigest { text: image.to_owned() }),
        };
    }
    if let Some((transport, path, selector)) = pointed::stored(image) {
        return of_stored(transport, Path::new(path), selector);
    }
    let plain = ["rootfs:", "binary:"].into_iter().find_map(|form| image.strip_prefix(form));
    let path = Path::new(plain.unwrap_or(image));
    let unreadable = |source| Error::ImageUnreadable { path: path.to_owned(), source };
    match plain {
        None => match notafter_runner::recognise(path).map_err(unreadable)? {
            Some(Recognised::Stored(transport)) => of_stored(transport, path, None),
            Some(Recognised::Program | Recognised::StaticProgram | Recognised::Tree) | None => {
                notafter_runner::sha256(path).map_err(unreadable)
            }
        },
        Some(_) => notafter_runner::sha256(path).map_err(unreadable),
    }
}

/// Of the image in an archive or a layout, the digest by which the gate knows it.
fn of_stored(transport: Transport, path: &Path, selector: Option<&str>) -> Result<String, Error> {
    let unreadable = |source| Error::ImageUnreadable { path: path.to_owned(), source };
    let identity = notafter_runner::identity(transport, path, selector)
        .map_err(|error| unreadable(io::Error::other(error)))?;
    let other = || unreadable(io::Error::other("it goes by another digest than SHA-256"));
    identity.sha256().map(str::to_owned).ok_or_else(other)
}

/// `24h`, counted back from now.
fn seconds(text: &str, now: UnixTime) -> Result<i64, Error> {
    let wrong = |reason: String| Error::Instant { option: "--max-age", reason };
    let then =
        notafter_scenario::instant(&format!("+{text}"), now).map_err(|error| wrong(error.to_string()))?;
    Ok(then.secs_since(now))
}
