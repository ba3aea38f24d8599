//! What a service may use and do at most.

use super::scope::Scope;
use crate::Code;
use crate::bounds::{self, Named};
use crate::decode::{Located, Quantity};
use crate::diagnostic::Draft;
use crate::raw::RawService;
use notafter_core::{Capability, Restrictions, RootAccess};

/// As many as a Linux kernel has process ids, `PID_MAX_LIMIT`.
const MOST_PIDS: i64 = 4_194_304;

impl Scope<'_> {
    pub(super) fn restrictions(&self, raw: &RawService) -> Restrictions {
        let dropped = self.distinct(raw.cap_drop.as_ref(), |name| self.capability(name));
        let added = self.distinct(raw.cap_add.as_ref(), |name| {
            let named = self.capability(name)?;
            let Named::Withheld(capability) = named else { return Some(named) };
            let every: Vec<&str> = Capability::ALL.into_iter().map(Capability::as_str).collect();
            let message =
                format!("no service gets `{capability}`: with it, it could reach what shifts its clock");
            let draft = Draft::new(Code::UnknownValue, name.span, message);
            self.fail(draft.help(format!("services may hold {}", every.join(", "))))
        });
        let pids = raw.pids_limit.as_ref();
        let root = raw.read_only.as_ref().and_then(|read_only| read_only.value);
        Restrictions {
            memory_bytes: self.bound(raw.mem_limit.as_ref(), bounds::memory),
            pids: pids.and_then(|pids| self.number(pids, 1, MOST_PIDS, Code::OutOfRange)),
            milli_cpus: self.bound(raw.cpus.as_ref(), bounds::cpus),
            root: root.map(|read_only| if read_only { RootAccess::ReadOnly } else { RootAccess::ReadWrite }),
            capabilities: bounds::left(&dropped, &added),
        }
    }

    fn bound<T>(
        &self,
        given: Option<&Located<Quantity>>,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        let (Quantity(text), span) = given?.get()?;
        match parse(text) {
            Ok(amount) => Some(amount),
            Err(message) => self.fail(Draft::new(Code::BadLimit, span, message)),
        }
    }

    fn capability(&self, name: &Located<String>) -> Option<Named> {
        let (text, span) = name.get()?;
        match bounds::capability(text) {
            Ok(named) => Some(named),
            Err(meant) => {
                let draft = Draft::new(Code::UnknownValue, span, format!("`{text}` is no capability"));
                self.fail(match meant {
                    Some(meant) => draft.help(format!("did you mean `{meant}`?")),
                    None => draft.help("capabilities(7) lists them; `ALL` means each"),
                })
            }
        }
    }
}
