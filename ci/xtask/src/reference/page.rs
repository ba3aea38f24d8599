//! From a schema to a page: one heading for each kind of thing, one row for each of its keys.

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value};
use std::fmt::Write as _;

const HEAD: &str = "\
# Reference

Every key of a scenario file, made from its JSON Schema by `notafter schema | cargo xtask reference`. Bold keys must be there. What
takes a *text* says beside it how that is written; an instant is RFC 3339 in UTC, `now`, or counted as in `start + 90d` and
`NAME.not_after - 1s`, where NAME is a credential. Where something takes one of several maps, it has exactly one of their keys.

Any value, a script in `content` too, may hold `${NAME}`, a variable of the environment in which the gate runs, or `${NAME:-default}`; one
that is neither set nor has a default is an error. `$$` is a dollar sign: a shell's own `${x}` is written `$${x}`, and its `$$` is `$$$$`.
A `$x` stays as it is. Files that `source` lays in are not looked at for variables.

## scenario
";

/// Examples that are longer, in bytes, would fill the table.
const LONGEST_EXAMPLE: usize = 60;

/// The page for the schema of scenarios.
///
/// # Errors
/// Where a part of the schema is of a kind that the page has no words for.
pub fn page(schema: &Value) -> Result<String> {
    let mut page = HEAD.to_owned();
    describe(&mut page, schema).context("in the scenario itself")?;
    let kinds = schema["$defs"].as_object().context("a schema without definitions")?;
    for (name, kind) in kinds {
        // A String takes everything that is written to it.
        _ = write!(page, "\n## {name}\n");
        describe(&mut page, kind).with_context(|| format!("in {name}"))?;
    }
    Ok(page)
}

/// What a thing is, and its keys or its words.
fn describe(page: &mut String, kind: &Value) -> Result<()> {
    _ = write!(page, "\n{}\n", words(kind));
    let choices = kind["oneOf"].as_array();
    let mut rows = Vec::new();
    for choice in choices.into_iter().flatten() {
        match (choice["const"].as_str(), choice["properties"].as_object()) {
            (Some(word), _) => rows.push(format!("| `{word}` | | {} |", words(choice))),
            (None, Some(keys)) => rows.extend(self::rows(keys, &Value::Null, Some(choice))?),
            (None, None) => bail!("a choice that is neither a word nor a map: {choice}"),
        }
    }
    match (choices, kind["properties"].as_object()) {
        (None, Some(keys)) => rows.extend(self::rows(keys, &kind["required"], None)?),
        (None, None) => bail!("neither keys nor choices: {kind}"),
        (Some(_), _) => {}
    }
    _ = write!(page, "\n| key | takes | |\n| --- | --- | --- |\n{}\n", rows.join("\n"));
    Ok(())
}

/// A row for each key; those of a choice are described by it.
fn rows(keys: &Map<String, Value>, required: &Value, choice: Option<&Value>) -> Result<Vec<String>> {
    let must_be_there = |key: &str| required.as_array().is_some_and(|keys| keys.iter().any(|it| it == key));
    keys.iter()
        .map(|(key, value)| {
            let name = if must_be_there(key) { format!("**`{key}`**") } else { format!("`{key}`") };
            let what = taken(value).with_context(|| format!("in {key}"))?;
            let told = words(choice.unwrap_or(value));
            Ok(format!("| {name} | {what} | {told}{} |", examples(value, &told)))
        })
        .collect()
}

/// What a value may be.
fn taken(value: &Value) -> Result<String> {
    if let Some(target) = value["$ref"].as_str() {
        let name = target.strip_prefix("#/$defs/").context("a reference that leads elsewhere")?;
        let name = name.replace("%20", " ");
        return Ok(format!("[{name}](#{})", name.to_lowercase().replace(' ', "-")));
    }
    if let Some(words) = value["enum"].as_array() {
        // That a key may be empty is no word of its own.
        let words = words.iter().filter_map(Value::as_str).map(|word| format!("`{word}`"));
        return Ok(words.collect::<Vec<_>>().join(", "));
    }
    if let Some(choices) = value["anyOf"].as_array() {
        let choices: Vec<String> = choices.iter().map(taken).collect::<Result<_>>()?;
        return Ok(choices.join(" or "));
    }
    if let Some(patterns) = value["patternProperties"].as_object() {
        let kinds: Vec<String> = patterns.values().map(taken).collect::<Result<_>>()?;
        return Ok(format!("by path: {}", kinds.join("; or ")));
    }
    let kinds: Vec<&str> = match &value["type"] {
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        kind => kind.as_str().into_iter().collect(),
    };
    let words: Vec<String> = kinds.into_iter().map(|kind| of_type(kind, value)).collect::<Result<_>>()?;
    match words.is_empty() {
        true => bail!("a value of no kind: {value}"),
        false => Ok(words.join(" or ")),
    }
}

fn of_type(kind: &str, value: &Value) -> Result<String> {
    Ok(match kind {
        "array" => format!("a list, each {}", taken(&value["items"])?),
        "boolean" => "`true` or `false`".to_owned(),
        "integer" | "number" => "a number".to_owned(),
        "object" => format!("by name: {}", taken(&value["additionalProperties"])?),
        "string" => "a text".to_owned(),
        other => bail!("a value of the kind {other}"),
    })
}

/// Its description, as it stands in a cell of a table.
fn words(value: &Value) -> String {
    value["description"].as_str().unwrap_or_default().replace('\n', " ").replace('|', "\\|")
}

/// Its examples, as far as they are short and not `told` already, in YAML's flow style, of which JSON is a part.
fn examples(value: &Value, told: &str) -> String {
    let shown = value["examples"].as_array().into_iter().flatten().map(|example| match example.as_str() {
        Some(text) => text.trim_end().to_owned(),
        None => example.to_string(),
    });
    let shown: Vec<String> = shown
        .filter(|text| text.len() <= LONGEST_EXAMPLE && !text.contains('`'))
        .map(|text| format!("`{}`", text.replace('|', "\\|")))
        .filter(|text| !told.contains(text.as_str()))
        .collect();
    if shown.is_empty() { String::new() } else { format!(" For example {}.", shown.join(" or ")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_kind_of_key_has_its_words() {
        let schema = json!({
            "description": "A thing\nwith a | in it.",
            "required": ["plain"],
            "properties": {
                "among": { "enum": ["one", "two", null], "description": "Words." },
                "either": { "anyOf": [{ "type": "string" }, { "$ref": "#/$defs/other%20Thing" }] },
                "list": { "type": "array", "items": { "type": ["string", "number"] } },
                "paths": { "type": "object", "patternProperties": { "^/": { "type": "boolean" } } },
                "plain": {
                    "type": "string", "description": "Must be there, as `told`.",
                    "examples": ["a|b", "x".repeat(61), "c", "told"]
                },
                "several": {
                    "type": "object", "additionalProperties": { "type": "integer" },
                    "examples": [{ "one": 1 }]
                }
            },
            "$defs": { "other Thing": { "description": "Another.", "oneOf": [
                { "const": "word", "description": "A word." },
                { "properties": { "key": { "type": "string" } }, "description": "A map." }
            ] } }
        });
        let page = page(&schema).unwrap();
        insta::assert_snapshot!(page.strip_prefix(HEAD).unwrap(), @r#"

        A thing with a \| in it.

        | key | takes | |
        | --- | --- | --- |
        | `among` | `one`, `two` | Words. |
        | `either` | a text or [other Thing](#other-thing) |  |
        | `list` | a list, each a text or a number |  |
        | `paths` | by path: `true` or `false` |  |
        | **`plain`** | a text | Must be there, as `told`. For example `a\|b` or `c`. |
        | `several` | by name: a number |  For example `{"one":1}`. |

        ## other Thing

        Another.

        | key | takes | |
        | --- | --- | --- |
        | `word` | | A word. |
        | `key` | a text | A map. |
        "#);
    }

    #[test]
    fn what_has_no_words_is_an_error() {
        for (value, why) in [
            (json!({ "properties": { "key": {} }, "$defs": {} }), "a value of no kind"),
            (json!({ "properties": { "key": { "type": "null" } }, "$defs": {} }), "of the kind null"),
            (json!({ "properties": { "key": { "$ref": "https://a" } }, "$defs": {} }), "leads elsewhere"),
            (json!({ "properties": {}, "$defs": { "odd": {} } }), "neither keys nor choices"),
            (json!({ "properties": {}, "$defs": { "odd": { "oneOf": [{}] } } }), "neither a word nor a map"),
            (json!({ "properties": {} }), "without definitions"),
        ] {
            let told = format!("{:#}", page(&value).unwrap_err());
            assert!(told.contains(why), "{told}");
        }
    }
}
