//! What HTTP requests carry of their own.

use super::scope::Scope;
use crate::Code;
use crate::decode::{Entries, Located};
use crate::diagnostic::Draft;
use notafter_core::{HttpContent, HttpMethod};
use std::collections::BTreeMap;

/// Longest body, in bytes.
const MOST_BODY_BYTES: usize = 64 << 10;

impl Scope<'_> {
    pub(super) fn content(
        &self,
        method: HttpMethod,
        token: Option<&Located<String>>,
        headers: Option<&Located<Entries<String>>>,
        body: Option<&Located<String>>,
    ) -> Option<HttpContent> {
        let mut fields = BTreeMap::new();
        if let Some(headers) = headers {
            for (name, value) in &headers.value.as_ref()?.0 {
                let (field, value) = (self.field(name, token)?, self.field_value(value)?);
                fields.insert(field, value);
            }
        }
        let body = match body {
            Some(body) => Some(self.body(method, body)?),
            None => None,
        };
        Some(HttpContent { headers: fields, body })
    }

    fn field(&self, name: &Located<String>, token: Option<&Located<String>>) -> Option<String> {
        let field = self.header_name(name)?;
        let lower = field.to_ascii_lowercase();
        if HttpContent::OWN_FIELDS.contains(&lower.as_str()) {
            let message = format!("the probe sends `{field}` itself");
            return self.fail(Draft::new(Code::BadText, name.span, message));
        }
        match token.filter(|_| lower == "authorization") {
            Some(token) => {
                let message = "`token` is sent in `Authorization` already";
                self.fail(Draft::new(Code::BadText, name.span, message).context(token.span, "this one"))
            }
            None => Some(field),
        }
    }

    /// RFC 9110 §5.5: no line breaks, and no blanks around it.
    fn field_value(&self, value: &Located<String>) -> Option<String> {
        let (text, span) = value.get()?;
        let is_plain = |byte: u8| byte == b'\t' || (byte >= b' ' && byte != 0x7f);
        if text.trim() != text || !text.bytes().all(is_plain) {
            let message =
                "this is no value of a header: it holds control characters or begins or ends with a blank";
            return self.fail(Draft::new(Code::BadText, span, message));
        }
        Some(text.clone())
    }

    fn body(&self, method: HttpMethod, body: &Located<String>) -> Option<String> {
        let (text, span) = body.get()?;
        match method {
            HttpMethod::Patch | HttpMethod::Post | HttpMethod::Put => {}
            HttpMethod::Delete | HttpMethod::Get | HttpMethod::Head => {
                let draft = Draft::new(Code::BadText, span, "a request by this method has no body");
                return self.fail(draft.help("give `method: POST`, `PUT` or `PATCH`"));
            }
        }
        if text.len() > MOST_BODY_BYTES {
            let message =
                format!("a body of {} bytes, and a probe sends {MOST_BODY_BYTES} at most", text.len());
            return self.fail(Draft::new(Code::BadText, span, message));
        }
        Some(text.clone())
    }
}
