//! The pages that the demonstration site makes itself.

use super::http::Status;

/// The front page.
pub(crate) const FRONT: &str = "<!doctype html>
<html lang=\"en\"><head><meta charset=\"utf-8\"><title>One task per connection</title></head>
<body><h1>It works</h1>
<p>Each connection to this server has a task of its own, written as if it were alone.</p>
<ul><li><a href=\"/hello/reader\">/hello/reader</a> greets</li>
<li><a href=\"/slow\">/slow</a> takes its time, and nobody else notices</li></ul>
</body></html>
";

/// What `/slow` answers.
pub(crate) const SLOW: &str = "<!doctype html>
<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Slow</title></head>
<body><p>This task slept. The others did not.</p></body></html>
";

/// A page that greets `name`.
pub(crate) fn hello(name: &str, into: &mut Vec<u8>) {
    into.extend_from_slice(
        b"<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Hello</title></head>\n\
          <body><p>Hello, ",
    );
    escape(name, into);
    into.extend_from_slice(b".</p></body></html>\n");
}

/// The page for a request that was not answered otherwise.
pub(crate) fn trouble(status: Status, into: &mut Vec<u8>) {
    let (code, reason) = (status.code().to_string(), status.reason());
    for part in [
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>",
        reason,
        "</title></head>\n<body><h1>",
        &code,
        " ",
        reason,
        "</h1></body></html>\n",
    ] {
        into.extend_from_slice(part.as_bytes());
    }
}

/// Text as HTML: what has a meaning there is written as an entity, so that nobody can put a script into our page.
fn escape(text: &str, into: &mut Vec<u8>) {
    for byte in text.bytes() {
        match byte {
            b'<' => into.extend_from_slice(b"&lt;"),
            b'>' => into.extend_from_slice(b"&gt;"),
            b'&' => into.extend_from_slice(b"&amp;"),
            b'"' => into.extend_from_slice(b"&quot;"),
            b'\'' => into.extend_from_slice(b"&#39;"),
            _ => into.push(byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_bring_markup_along() {
        let mut page = Vec::new();
        hello("<script>alert('x' & \"y\")</script>", &mut page);
        let page = String::from_utf8(page).unwrap();
        assert!(!page.contains("<script>"), "{page}");
        assert!(
            page.contains("&lt;script&gt;alert(&#39;x&#39; &amp; &quot;y&quot;)&lt;/script&gt;"),
            "{page}"
        );
    }
}
