//! From the view to the file.

use super::page::HtmlPage;
use crate::Error;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior};
use notafter_core::{Comparison, Gated};

/// Escaped as HTML because of the ending of its name.
const NAME: &str = "report.html";
const TEMPLATE: &str = include_str!("report.html");

/// The whole file.
///
/// # Errors
/// [`Error::Template`].
pub fn html(gated: Gated<'_>, comparison: Option<&Comparison>) -> Result<String, Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let broken = |error| Error::Template(Box::new(error));
    let syntax = SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .keep_trailing_newline(true)
        .build()
        .map_err(broken)?;
    environment.set_syntax(syntax);
    environment.add_template(NAME, TEMPLATE).map_err(broken)?;
    let template = environment.get_template(NAME).map_err(broken)?;
    template.render(Serde(HtmlPage::new(gated, comparison))).map_err(broken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;
    use notafter_core::{RunRecord, Verdict};

    fn alone((record, verdict): &(RunRecord, Verdict)) -> String {
        html(Gated { record, verdict }, None).unwrap()
    }

    #[test]
    fn the_answer_and_what_it_rests_on_are_in_the_file() {
        let text = alone(&sample::block());
        for part in [
            "<title>block: sgsn-mme 1.14</title>",
            "CN=sgsn-mme software",
            "2018-12-06T04:30:00Z",
            "giffgaff, Lyca and Tesco Mobile",
            "watchdog: software certificate",
            "1 of 1 expiring credential exercised",
        ] {
            assert!(text.contains(part), "{part:?} is not in\n{text}");
        }
        for sample in [sample::allow(), sample::unshifted(), sample::held_works()] {
            assert!(alone(&sample).ends_with("</html>\n"));
        }
    }

    #[test]
    fn text_from_outside_is_no_markup_and_nothing_is_fetched() {
        let (mut record, mut verdict) = sample::hostile();
        let script = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>";
        for known in &mut record.inventory.credentials {
            known.subject = format!("CN={script}");
            known.issuer = script.to_owned();
            known.places.iter_mut().for_each(|place| place.path = format!("/{script}"));
        }
        verdict.findings[0].summary = script.to_owned();
        verdict.findings[0].log_tail = Some(script.to_owned());
        verdict.findings[0].seen = Some(script.to_owned());
        record.remarks.push(script.to_owned());
        record.cases[1].ends[0].log_tail = script.to_owned();
        let text = alone(&(record, verdict));
        assert!(!text.contains("<script") && !text.contains("<img"), "{text}");
        assert!(text.contains("&lt;script&gt;"), "{text}");
        let text = text.replace("url(#head)", "");
        for part in ["http:", "https:", "url(", "@import", "<link"] {
            assert!(!text.contains(part), "{part:?} is in\n{text}");
        }
    }
}
