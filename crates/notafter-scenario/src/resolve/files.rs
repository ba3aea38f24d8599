//! Files that are laid into a service's root tree.

use super::scope::{Scope, Target};
use super::services::duplicate_path;
use crate::Code;
use crate::decode::{Entries, Located};
use crate::diagnostic::{Draft, Span};
use crate::raw::{RawFile, RawFiles, RawMount};
use notafter_core::{CredentialName, MountedFile, MountedSource};
use std::collections::HashMap;
use std::path::PathBuf;

const FILE_MODE: u32 = 0o644;
const KEY_MODE: u32 = 0o600;

impl Scope<'_> {
    pub(super) fn files(&self, files: Option<&Located<RawFiles>>) -> Vec<MountedFile> {
        let mut mounted = Vec::new();
        for (path, mount) in
            files.and_then(|files| files.value.as_ref()).into_iter().flat_map(|files| &files.0)
        {
            let Some((text, span)) = path.get() else { continue };
            match mount {
                RawMount::File(file) => {
                    let path = self.absolute_path(text, span);
                    mounted.extend(path.and_then(|path| self.file(path, span, file, None)));
                }
                RawMount::Folder(folder) => mounted.extend(self.folder(text, span, folder)),
            }
        }
        let mut seen: HashMap<String, Span> = HashMap::new();
        for (file, span) in &mounted {
            if let Some(first) = seen.get(&file.path) {
                self.report(duplicate_path(&file.path, *span, *first));
            } else {
                seen.insert(file.path.clone(), *span);
            }
        }
        mounted.into_iter().map(|(file, _)| file).collect()
    }

    fn folder(&self, path: &str, span: Span, folder: &Located<Entries<RawFile>>) -> Vec<(MountedFile, Span)> {
        let Some(path) = self.absolute_path(path.trim_end_matches('/'), span) else { return Vec::new() };
        let Some((entries, _)) = folder.get() else { return Vec::new() };
        let mut files = Vec::new();
        for (name, file) in &entries.0 {
            let Some((name, span)) = name.get() else { continue };
            if matches!(name.as_str(), "" | "." | "..") || name.contains(['/', '\0']) {
                let draft = Draft::new(Code::BadFileName, span, format!("`{name}` is no plain file name"));
                self.report(draft.help("folders that rotate as one hold files and no folders"));
                continue;
            }
            files.extend(self.file(format!("{path}/{name}"), span, file, Some(path.clone())));
        }
        files
    }

    fn file(
        &self,
        path: String,
        span: Span,
        file: &Located<RawFile>,
        folder: Option<String>,
    ) -> Option<(MountedFile, Span)> {
        if path == "/" {
            return self.fail(Draft::new(Code::BadFileName, span, "`/` is no file"));
        }
        let (raw, whole) = file.get()?;
        let source = self.file_source(raw, whole);
        let mode = match &raw.mode {
            Some(mode) => self.mode(mode),
            None if raw.key.is_some() || raw.token.is_some() => Some(KEY_MODE),
            None => Some(FILE_MODE),
        };
        let location = self.location(span);
        Some((MountedFile { path, source: source?, mode: mode?, folder, location }, span))
    }

    fn file_source(&self, raw: &RawFile, whole: Span) -> Option<MountedSource> {
        let RawFile { certificate, chain, content, crl, jwks, key, source, token, mode: _ } = raw;
        let given = [certificate, chain, content, crl, jwks, key, source, token];
        let spans = given.map(|text| text.as_ref().map(|text| text.span));
        let keys = "`certificate`, `chain`, `content`, `crl`, `jwks`, `key`, `source` or `token`";
        if !self.exactly_one(&spans, whole, keys) {
            return None;
        }
        type Made = fn(CredentialName) -> MountedSource;
        let named: [(&Option<Located<String>>, Target, Made); 6] = [
            (certificate, Target::Credential, MountedSource::Certificate),
            (chain, Target::Credential, MountedSource::Chain),
            (crl, Target::Crl, MountedSource::Crl),
            (jwks, Target::Token, MountedSource::Jwks),
            (key, Target::Credential, MountedSource::Key),
            (token, Target::Token, MountedSource::Token),
        ];
        if let Some((name, target, made)) = named.into_iter().find_map(|(n, t, m)| Some((n.as_ref()?, t, m)))
        {
            return self.reference(target, name).map(made);
        }
        if let Some(text) = content {
            return text.value.clone().map(MountedSource::Content);
        }
        let (path, span) = source.as_ref()?.get()?;
        if path.is_empty() || path.contains('\0') {
            return self.fail(Draft::new(Code::BadText, span, "this names no file"));
        }
        Some(MountedSource::Source(PathBuf::from(path)))
    }

    fn mode(&self, mode: &Located<String>) -> Option<u32> {
        let (text, span) = mode.get()?;
        let digits = text.strip_prefix("0o").unwrap_or(text);
        let octal =
            (3..=5).contains(&digits.len()) && digits.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
        match u32::from_str_radix(digits, 8) {
            Ok(mode) if octal && mode <= 0o7777 => Some(mode),
            _ => self.fail(
                Draft::new(Code::ModeNotOctal, span, format!("`{text}` are no permission bits"))
                    .help("write octal digits in quotes, as chmod takes them: \"0400\""),
            ),
        }
    }
}
