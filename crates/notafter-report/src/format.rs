//! The forms of a report, and the one way from a record to each of them.

use crate::{
    Detail, Error, StyleSheet, calendar, cbom, github, gitlab, html, json, junit, markdown, sarif, terminal,
};
use notafter_core::{Comparison, Gated, RunRecord, Verdict};
use std::fmt;
use std::str::FromStr;

/// The form of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// A cryptography bill of materials, CycloneDX 1.6, with the verdict of each credential.
    Cyclonedx,
    /// Workflow commands that GitHub shows beside the lines of the scenario.
    Github,
    /// A Code Quality report of GitLab.
    Gitlab,
    /// One HTML file for everybody: no script, nothing from the network.
    Html,
    /// A calendar (RFC 5545) of what breaks and what ends.
    Ical,
    /// The record and its verdict, from which every other form follows.
    Json,
    /// JUnit XML: one testcase for each check.
    Junit,
    /// GitHub-flavoured Markdown, for a pull request or the summary of a step.
    Markdown,
    /// SARIF 2.1.0.
    Sarif,
    /// The report for people, without colours.
    Text,
}

impl Format {
    /// Every form, in alphabetical order.
    pub const ALL: [Self; 10] = [
        Self::Cyclonedx,
        Self::Github,
        Self::Gitlab,
        Self::Html,
        Self::Ical,
        Self::Json,
        Self::Junit,
        Self::Markdown,
        Self::Sarif,
        Self::Text,
    ];

    /// Its name on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cyclonedx => "cyclonedx",
            Self::Github => "github",
            Self::Gitlab => "gitlab",
            Self::Html => "html",
            Self::Ical => "ical",
            Self::Json => "json",
            Self::Junit => "junit",
            Self::Markdown => "markdown",
            Self::Sarif => "sarif",
            Self::Text => "text",
        }
    }

    /// The report in this form.
    ///
    /// # Errors
    /// [`Error::Unwritable`] or [`Error::Xml`].
    pub fn render(self, record: &RunRecord, verdict: &Verdict) -> Result<String, Error> {
        self.render_beside(Gated { record, verdict }, None)
    }

    /// The report in this form with a comparison, where there is one. Forms for people and the record tell of it; those
    /// for machines are about the candidate alone.
    ///
    /// # Errors
    /// As for [`Self::render`].
    pub fn render_beside(self, gated: Gated<'_>, comparison: Option<&Comparison>) -> Result<String, Error> {
        let Gated { record, verdict } = gated;
        match self {
            Self::Cyclonedx => cbom::cbom(record, verdict),
            Self::Github => Ok(github::annotations(record, verdict)),
            Self::Gitlab => gitlab::code_quality(record, verdict),
            Self::Html => html::html(gated, comparison),
            Self::Ical => Ok(calendar::calendar(record, verdict)),
            Self::Json => {
                let mut text = String::new();
                json::write_beside(&mut text, gated, comparison).map(|()| text)
            }
            Self::Junit => junit::junit(record, verdict),
            Self::Markdown => Ok(markdown::summary(gated, comparison)),
            Self::Sarif => sarif::sarif(record, verdict),
            Self::Text => {
                let mut text = String::new();
                terminal::write_beside(&mut text, gated, comparison, Detail::Full, &StyleSheet::plain())
                    .map_err(Error::Sink)?;
                Ok(text)
            }
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl FromStr for Format {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let found = Self::ALL.into_iter().find(|format| format.as_str() == text);
        found.ok_or_else(|| Error::UnknownFormat { text: text.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::is_hostile;
    use crate::sample;

    #[test]
    fn every_form_has_a_name_of_its_own() {
        assert!(Format::ALL.is_sorted_by_key(|format| format.as_str()));
        for format in Format::ALL {
            assert_eq!(format.as_str().parse::<Format>().unwrap(), format);
        }
        let error = "xml".parse::<Format>().unwrap_err().to_string();
        insta::assert_snapshot!(error, @"there is no report format `xml`; there are cyclonedx, github, gitlab, html, ical, json, junit, markdown, sarif and text");
    }

    #[test]
    fn no_form_lets_hostile_text_through() {
        let (record, verdict) = sample::hostile();
        for format in Format::ALL {
            let text = format.render(&record, &verdict).unwrap();
            // Lines of calendars end with both.
            let bad = text.chars().find(|char| !matches!(char, '\n' | '\r') && is_hostile(*char));
            assert_eq!(bad, None, "{format}: {text}");
        }
    }

    #[test]
    fn the_same_record_renders_to_the_same_bytes() {
        for (record, verdict) in [sample::block(), sample::allow(), sample::unshifted()] {
            for format in Format::ALL {
                let (one, other) = (format.render(&record, &verdict), format.render(&record, &verdict));
                assert_eq!(one.unwrap(), other.unwrap(), "{format}");
            }
        }
    }
}
