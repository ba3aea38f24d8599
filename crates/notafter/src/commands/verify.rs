//! `notafter verify`: may this image be deployed, by what was attested of it?

use crate::args::VerifyArgs;
use crate::attesting;
use crate::error::Error;
use crate::exit::Exit;
use crate::printer::Printer;
use notafter_attest::{Demands, VerifyingKey};
use notafter_core::UnixTime;
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
    let path = image.strip_prefix("rootfs:").unwrap_or(image);
    notafter_runner::sha256(Path::new(path))
        .map_err(|source| Error::ImageUnreadable { path: path.into(), source })
}

/// `24h`, counted back from now.
fn seconds(text: &str, now: UnixTime) -> Result<i64, Error> {
    let wrong = |reason: String| Error::Instant { option: "--max-age", reason };
    let then =
        notafter_scenario::instant(&format!("+{text}"), now).map_err(|error| wrong(error.to_string()))?;
    Ok(then.secs_since(now))
}
