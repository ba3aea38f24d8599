//! `notafter explain`: what a code means.

use crate::error::Error;
use crate::exit::Exit;
use crate::printer::Printer;
use notafter_report::explain::{self, Explanation};
use notafter_scenario::Code;

/// Why a mistake in a scenario is an error and no warning.
const WHY: &str = "A scenario that means something else than its author believes would gate something else, so nothing \
                   runs until it is mended.";

pub(crate) fn run(code: Option<&str>, printer: &mut Printer) -> Result<Exit, Error> {
    let mut page = String::new();
    let styles = printer.out_styles();
    // A String takes everything that is written to it.
    match code {
        Some(code) => {
            let found = find(code).ok_or_else(|| Error::UnknownCode { code: code.to_owned() })?;
            _ = explain::write(&mut page, code, &found, &styles);
        }
        None => {
            let findings: Vec<_> =
                explain::CODES.iter().map(|code| (code.as_str(), explain::explain(*code).meaning)).collect();
            _ = explain::list(&mut page, "Codes of findings", &findings, &styles);
            page.push('\n');
            let mistakes: Vec<_> = Code::ALL.iter().map(|code| (code.as_str(), code.meaning())).collect();
            _ = explain::list(&mut page, "Codes of mistakes in scenarios", &mistakes, &styles);
        }
    }
    printer.data(&page)?;
    Ok(Exit::Allow)
}

fn find(code: &str) -> Option<Explanation> {
    let finding = explain::find(code).map(explain::explain);
    finding.or_else(|| {
        let mistake = Code::ALL.iter().find(|known| known.as_str() == code)?;
        Some(Explanation { meaning: mistake.meaning(), why: WHY, mend: mistake.mend() })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_explained_and_none_means_two_things() {
        let findings = explain::CODES.iter().map(|code| code.as_str());
        let mut codes: Vec<&str> = findings.chain(Code::ALL.iter().map(|code| code.as_str())).collect();
        for code in &codes {
            let Explanation { meaning, why, mend } = find(code).unwrap();
            for text in [meaning, why, mend] {
                assert!(
                    text.ends_with('.') && text.starts_with(|c: char| c.is_uppercase() || c == '`'),
                    "{code}: {text}"
                );
            }
        }
        let all = codes.len();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), all);
    }
}
