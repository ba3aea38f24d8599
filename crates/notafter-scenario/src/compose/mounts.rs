//! `volumes` and `tmpfs` of a service.

use super::decode::Decoding;
use super::partial::{Mount, MountSource, Said};
use crate::Code;
use crate::decode::{Kind, Node};
use crate::source::plain;
use std::path::Path;

/// Words behind the last colon that say nothing here: whether it may be written, how SELinux labels it, how caches of
/// other platforms treat it.
const MODES: [&str; 8] = ["ro", "rw", "z", "Z", "cached", "consistent", "delegated", "nocopy"];

impl Decoding<'_> {
    pub(crate) fn tmpfs(&self, node: &Node) -> Vec<Said<Mount>> {
        let texts = self.texts(node).into_iter();
        texts
            .filter_map(|said| {
                let target = said.value.split(':').next().unwrap_or_default();
                let target = self.target(target, said.at)?;
                Some(Said { at: said.at, value: Mount { target, source: MountSource::Tmpfs } })
            })
            .collect()
    }

    pub(crate) fn mounts(&self, node: &Node) -> Vec<Said<Mount>> {
        let mount = |entry: &Node| {
            let value = match &entry.kind {
                Kind::Map(_) => self.long(entry)?,
                _ => self.short(entry)?,
            };
            Some(Said { at: self.at(entry), value })
        };
        self.list(node).iter().filter_map(mount).collect()
    }

    /// `[SOURCE:]TARGET[:MODE,…]`.
    fn short(&self, node: &Node) -> Option<Mount> {
        let (text, at) = (self.scalar(node)?, self.at(node));
        let parts: Vec<&str> = text.split(':').collect();
        let (source, target, modes) = match parts.as_slice() {
            [target] => (None, *target, ""),
            [target, modes] if !modes.starts_with('/') && target.starts_with('/') && is_modes(modes) => {
                (None, *target, *modes)
            }
            [source, target] => (Some(*source), *target, ""),
            [source, target, modes] => (Some(*source), *target, *modes),
            _ => {
                self.folder.report(at, Code::BadText, format!("`{text}` does not read SOURCE:TARGET:MODE"));
                return None;
            }
        };
        if !modes.is_empty() && !is_modes(modes) {
            self.unsupported(at, &format!("the mode `{modes}`"));
            return None;
        }
        let source = match source {
            None => MountSource::Anonymous,
            Some(source) if source.starts_with(['.', '/']) => {
                MountSource::Bind { path: plain(&self.base.join(source)), must_exist: false }
            }
            Some(source) if source.starts_with('~') || source.contains(['/', '\\']) || source.is_empty() => {
                let message = format!("`{source}` is no volume and no path that begins with `.` or `/`");
                self.folder.report(at, Code::BadText, message);
                return None;
            }
            Some(source) => MountSource::Named(source.to_owned()),
        };
        Some(Mount { target: self.target(target, at)?, source })
    }

    fn long(&self, node: &Node) -> Option<Mount> {
        let (mut kind, mut source, mut target) = (None, None, None);
        let mut must_exist = false;
        for (key, value) in self.map(node) {
            match key.text.as_str() {
                "type" => kind = self.scalar(value),
                "source" => source = Some(value),
                "target" => target = self.scalar(value),
                "bind" => {
                    for (key, value) in self.map(value) {
                        match key.text.as_str() {
                            "create_host_path" => must_exist = self.boolean(value) == Some(false),
                            "propagation" | "selinux" => {}
                            other => self.unsupported(self.key_at(key), &format!("`{other}` of a bind")),
                        }
                    }
                }
                "consistency" | "read_only" | "tmpfs" => {}
                "volume" => {
                    for (key, _) in self.map(value).into_iter().filter(|(key, _)| key.text != "nocopy") {
                        self.unsupported(self.key_at(key), &format!("`{}` of a volume", key.text));
                    }
                }
                other => self.unsupported(self.key_at(key), &format!("`{other}` of a mount")),
            }
        }
        let at = self.at(node);
        let source = match (kind.as_deref(), source) {
            (Some("bind"), Some(source)) => MountSource::Bind { path: self.path(source)?, must_exist },
            (Some("tmpfs"), None) => MountSource::Tmpfs,
            (Some("volume"), None) => MountSource::Anonymous,
            (Some("volume"), Some(source)) => MountSource::Named(self.scalar(source)?),
            (Some("bind" | "tmpfs"), _) => {
                self.folder.report(at, Code::MissingKey, "a `bind` needs a `source`, and a `tmpfs` has none");
                return None;
            }
            (Some(other), _) => {
                self.unsupported(at, &format!("a mount of type `{other}`"));
                return None;
            }
            (None, _) => {
                self.folder.report(at, Code::MissingKey, "`type` is missing");
                return None;
            }
        };
        let Some(target) = target else {
            self.folder.report(at, Code::MissingKey, "`target` is missing");
            return None;
        };
        Some(Mount { target: self.target(&target, at)?, source })
    }

    /// A path inside, in its plain form.
    fn target(&self, text: &str, at: super::folder::At) -> Option<String> {
        let path = plain(Path::new(text));
        let is_fine =
            text.starts_with('/') && path != Path::new("/") && !text.contains("..") && !text.contains('\0');
        if !is_fine {
            self.folder.report(at, Code::PathNotAbsolute, format!("`{text}` is no absolute path below `/`"));
            return None;
        }
        Some(path.display().to_string())
    }
}

fn is_modes(text: &str) -> bool {
    text.split(',').all(|mode| MODES.contains(&mode))
}
