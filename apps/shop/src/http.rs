//! As much of HTTP/1.1 as the demo needs: bounded requests, answers with a length, connections that stay open.

use std::io::{self, BufRead, Read, Write};

/// A line of a request.
const LINE_BYTES_MAX: u64 = 4_096;
/// Lines of a request's head.
const LINES_MAX: usize = 64;
/// A request's body.
const BODY_BYTES_MAX: usize = 1_024;
/// An order's id.
const ID_BYTES_MAX: usize = 64;

/// A request.
#[derive(Debug, PartialEq, Eq)]
pub struct Request {
    /// GET, POST, …
    pub method: String,
    /// The path without its query.
    pub path: String,
    /// The order's id, if one is named.
    pub id: Option<String>,
    /// Whether another request may follow.
    pub keep_alive: bool,
}

/// An answer.
pub struct Reply {
    code: u16,
    body: String,
}

impl Reply {
    /// It went well.
    pub fn good(body: String) -> Reply {
        Reply { code: 200, body }
    }

    /// It did not; `code` says in what way.
    pub fn bad(code: u16, body: String) -> Reply {
        Reply { code, body }
    }

    /// Sends it, in one piece.
    pub fn write(&self, mut stream: impl Write, keep_alive: bool) -> io::Result<()> {
        let reason = match self.code {
            200 => "OK",
            404 => "Not Found",
            405 => "Method Not Allowed",
            _ => "Internal Server Error",
        };
        let connection = if keep_alive { "keep-alive" } else { "close" };
        let (code, body) = (self.code, &self.body);
        let head =
            format!("HTTP/1.1 {code} {reason}\r\nContent-Type: text/plain\r\nConnection: {connection}");
        let whole = format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        stream.write_all(whole.as_bytes())
    }
}

/// Reads the next request; `None` when the other side has no more. What is no HTTP, or too long, is an error.
pub fn read(reader: &mut impl BufRead) -> io::Result<Option<Request>> {
    let Some(first) = line(reader)? else { return Ok(None) };
    let mut words = first.split_whitespace();
    let (Some(method), Some(target), Some(version)) = (words.next(), words.next(), words.next()) else {
        return Err(nonsense("no request line"));
    };
    let (mut length, mut keep_alive) = (0, version != "HTTP/1.0");
    for _ in 0..LINES_MAX {
        let header = line(reader)?.ok_or_else(|| nonsense("cut off"))?;
        let Some((name, value)) = header.split_once(':') else {
            let body = body(reader, length)?;
            return Ok(Some(Request::new(method, target, &body, keep_alive)));
        };
        match (name.to_ascii_lowercase().as_str(), value.trim()) {
            ("content-length", value) => length = value.parse().map_err(|_| nonsense("no length"))?,
            ("connection", value) => keep_alive = !value.eq_ignore_ascii_case("close"),
            (_, _) => {}
        }
    }
    Err(nonsense("too many headers"))
}

impl Request {
    fn new(method: &str, target: &str, body: &str, keep_alive: bool) -> Request {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let named = query.split('&').find_map(|pair| pair.strip_prefix("n="));
        let body = body.trim().trim_start_matches("n=");
        let id = named.or(Some(body).filter(|body| !body.is_empty())).map(plain);
        Request { method: method.into(), path: path.into(), id: id.filter(|id| !id.is_empty()), keep_alive }
    }
}

/// What of an id can stand in a line of the ledger.
fn plain(id: &str) -> String {
    let fits = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
    id.chars().filter(fits).take(ID_BYTES_MAX).collect()
}

/// The next line without its end; `None` at the end of the stream.
fn line(reader: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut bytes = Vec::new();
    reader.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut bytes)?;
    match bytes.last() {
        None => Ok(None),
        Some(b'\n') => Ok(Some(String::from_utf8_lossy(&bytes).trim_end().to_owned())),
        Some(_) => Err(nonsense("a line is too long, or cut off")),
    }
}

fn body(reader: &mut impl BufRead, length: usize) -> io::Result<String> {
    if length > BODY_BYTES_MAX {
        return Err(nonsense("the body is too long"));
    }
    let mut bytes = vec![0; length];
    reader.read_exact(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn nonsense(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, method: &str, path: &str, id: Option<&str>, keep_alive: bool) {
        let request = read(&mut text.as_bytes()).unwrap().unwrap();
        let (method, path, id) = (method.into(), path.into(), id.map(String::from));
        assert_eq!(request, Request { method, path, id, keep_alive }, "{text:?}");
    }

    #[test]
    fn requests_are_read() {
        check("GET / HTTP/1.1\r\nHost: x\r\n\r\n", "GET", "/", None, true);
        check("GET /?n=17 HTTP/1.0\r\n\r\n", "GET", "/", Some("17"), false);
        check("GET /?a=b&n=a%22b\" HTTP/1.1\nConnection: Close\n\n", "GET", "/", Some("a22b"), false);
        check("POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nn=42", "POST", "/", Some("42"), true);
        check("POST /?n=1 HTTP/1.1\r\ncontent-length: 1\r\n\r\n2", "POST", "/", Some("1"), true);
    }

    #[test]
    fn several_follow_one_another() {
        let mut text = "GET /?n=1 HTTP/1.1\r\n\r\nGET /?n=2 HTTP/1.1\r\n\r\n".as_bytes();
        for id in ["1", "2"] {
            assert_eq!(read(&mut text).unwrap().unwrap().id.as_deref(), Some(id));
        }
        assert_eq!(read(&mut text).unwrap(), None);
    }

    #[test]
    fn nonsense_is_refused() {
        let long = format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(5_000));
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(100));
        let texts = ["\r\n", "GET\r\n\r\n", "GET / HTTP/1.1\r\nHost", &long, &many];
        texts.iter().for_each(|text| assert!(read(&mut text.as_bytes()).is_err(), "{text:?}"));
        let body = "POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n";
        assert!(read(&mut body.as_bytes()).is_err());
    }
}
