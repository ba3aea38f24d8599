use super::response::{Failure, Response, read_response};
use notafter_core::HttpMethod;
use std::io::{self, Read};

/// Hands out one byte at a time, or all at once.
struct Wire<'a> {
    bytes: &'a [u8],
    step: usize,
}

impl Read for Wire<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let take = self.bytes.len().min(self.step).min(buffer.len());
        buffer[..take].copy_from_slice(&self.bytes[..take]);
        self.bytes = &self.bytes[take..];
        Ok(take)
    }
}

/// Reads `text` in steps of every size, which must make no difference; status, body, and whether the connection can
/// be used again.
fn read(method: HttpMethod, text: &str) -> Result<(u16, String, bool), String> {
    let results: Vec<_> = [1, 2, 7, usize::MAX]
        .into_iter()
        .map(|step| match read_response(&mut Wire { bytes: text.as_bytes(), step }, method) {
            Ok(Response { status, body, reusable, .. }) => Ok((status, body, reusable)),
            Err(Failure::Closed) => Err("closed".to_owned()),
            Err(Failure::Io(error)) => Err(error.to_string()),
            Err(Failure::Nonsense(reason)) => Err(reason),
        })
        .collect();
    // What lies behind the end may or may not have been read by then.
    let ends_at_once =
        |result: &Result<(u16, String, bool), String>| result.clone().map(|found| (found.0, found.1));
    assert!(results.iter().all(|result| ends_at_once(result) == ends_at_once(&results[0])), "{results:?}");
    results[3].clone()
}

#[test]
fn answers_are_read_to_their_end() {
    for (text, expected) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", (200, "hi", true)),
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\nConnection: Close\r\n\r\nhi", (200, "hi", false)),
        ("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", (200, "hi", false)),
        ("HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nhi", (200, "hi", true)),
        ("HTTP/1.1 200 OK\r\n\r\nuntil closed", (200, "until closed", false)),
        ("HTTP/1.1 204 No Content\r\n\r\n", (204, "", true)),
        (
            "HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n3;x=y\r\n ho\r\n0\r\nT: t\r\n\r\n",
            (404, "hi ho", true),
        ),
        ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", (200, "hi", true)),
        ("HTTP/1.1 200 OK\nContent-Length: 2\n\nhi", (200, "hi", true)),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi and more", (200, "hi", false)),
        ("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", (200, "", true)),
    ] {
        let (status, body, reusable) = expected;
        assert_eq!(read(HttpMethod::Get, text), Ok((status, body.to_owned(), reusable)), "{text:?}");
    }
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n";
    assert_eq!(read(HttpMethod::Head, head), Ok((200, String::new(), true)));
}

#[test]
fn broken_answers_are_told_apart() {
    for (text, reason) in [
        ("", "closed"),
        ("HTT", "it breaks off within its head"),
        ("HTTP/1.1 200 OK\r\nX", "it breaks off within its head"),
        ("HTTP/2.0 200 OK\r\n\r\n", "it does not begin with HTTP/1"),
        ("hello", "it does not begin with HTTP/1"),
        ("HTTP/1.1 2xx OK\r\n\r\n", "invalid response status"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi", "it breaks off, 1 bytes before its end"),
        ("HTTP/1.1 200 OK\r\nContent-Length: +3\r\n\r\nhi", "its Content-Length is no number"),
        ("HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nhi", "its Content-Length is no number"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi", "it has two Content-Lengths"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "a chunk has no size"),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi!\r\n",
            "a chunk is longer than it says",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n",
            "it breaks off between two chunks",
        ),
    ] {
        assert_eq!(read(HttpMethod::Get, text), Err(reason.to_owned()), "{text:?}");
    }
}

#[test]
fn the_kept_body_is_cut_between_characters() {
    for (text, kept) in [("ä".repeat(600), 1024), (format!("x{}", "ä".repeat(600)), 1023)] {
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len());
        let (_, body, reusable) = read(HttpMethod::Get, &answer).unwrap();
        assert_eq!(body.len(), kept);
        assert!(text.starts_with(&body) && reusable);
    }
}

#[test]
fn bytes_that_are_no_text_stay_within_bounds() {
    let mut answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2048\r\n\r\n".to_vec();
    answer.extend([0xff; 2048]);
    let response = read_response(&mut Wire { bytes: &answer, step: usize::MAX }, HttpMethod::Get).unwrap();
    assert!(response.body.len() <= 1024 && response.body.starts_with('\u{fffd}'));
}
