//! The findings as CSV (RFC 4180), one line for every place and for everything that was not looked into.

use super::findings::{Findings, end, role};
use crate::page::escape;
use crate::words::path_chain;
use notafter_core::{Credential, UnixTime};

const COLUMNS: usize = 17;
const KIND: usize = 2;
const SUBJECT: usize = 3;
const PATH: usize = 8;

/// One line for every place, after a line of names. What was not looked into follows, of the kind `not looked into`, with the
/// reason as its subject. Fields that a spreadsheet would take for a formula begin with an apostrophe.
#[must_use]
pub fn csv(findings: &Findings<'_>) -> String {
    let mut text = "ends,begins,kind,subject,issuer,serial,fingerprint,container,path,offset,bytes,role,key,\
                    private_key,owners,layer,made_by\r\n"
        .to_owned();
    for credential in findings.shown() {
        for place in &credential.places {
            let owners: Vec<String> = place.owners.iter().map(ToString::to_string).collect();
            let layer = place.layer.as_ref();
            let layer = layer.map(|layer| (layer.digest.clone(), layer.made_by.clone())).unwrap_or_default();
            let fields = [
                end(credential),
                begin(credential),
                credential.kind.word().to_owned(),
                credential.subject.clone(),
                credential.issuer.clone(),
                credential.serial.clone(),
                credential.fingerprint.to_string(),
                place.container.to_string(),
                path_chain(place),
                place.offset.to_string(),
                place.len.to_string(),
                role(credential).to_owned(),
                credential.key.as_ref().map(|key| key.algorithm.clone()).unwrap_or_default(),
                place.private_key.clone().unwrap_or_default(),
                owners.join("; "),
                layer.0,
                layer.1,
            ];
            line(&mut text, &fields);
        }
    }
    for file in &findings.inventory.opaque {
        let mut fields: [String; COLUMNS] = std::array::from_fn(|_| String::new());
        fields[KIND] = "not looked into".to_owned();
        fields[SUBJECT].clone_from(&file.reason);
        fields[PATH].clone_from(&file.path);
        line(&mut text, &fields);
    }
    text
}

fn line(text: &mut String, fields: &[String; COLUMNS]) {
    text.push_str(&fields.each_ref().map(|field| quoted(field)).join(","));
    text.push_str("\r\n");
}

/// Empty where the format names no beginning.
fn begin(credential: &Credential) -> String {
    match credential.not_before {
        UnixTime::MIN => String::new(),
        begin => begin.to_string(),
    }
}

fn quoted(field: &str) -> String {
    let field = escape(field);
    let guard = if field.starts_with(['=', '+', '-', '@']) { "'" } else { "" };
    let quoted = field.contains(['"', ',']);
    if quoted { format!("\"{guard}{}\"", field.replace('"', "\"\"")) } else { format!("{guard}{field}") }
}
