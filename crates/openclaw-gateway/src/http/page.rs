//! The page for browsers: its files, which are part of the binary, and the headers that keep other code out
//! of it.
//!
//! Everything that the page does goes over the WebSocket; nothing here can be asked to change anything.

use std::io::Write as _;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use flate2::Compression;
use flate2::write::GzEncoder;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{HeaderMap, Response, StatusCode};
use sha2::{Digest as _, Sha256};

use super::answer::HttpAnswer;

/// Only the page's own files are executed or shown, nothing is sent elsewhere, and no other page can frame
/// it. Text never becomes markup, whatever the page's own code does.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
     require-trusted-types-for 'script'; trusted-types 'none'";

const HEADERS: [(HeaderName, &str); 9] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    ),
    // The browser asks every time whether a file is still current, so that two versions never mix.
    (header::CACHE_CONTROL, "no-cache"),
    (header::VARY, "accept-encoding"),
];

/// A file of the page.
pub(crate) struct File {
    path: &'static str,
    kind: &'static str,
    content: &'static str,
}

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const PICTURE: &str = "image/svg+xml";

macro_rules! file {
    ($path:literal, $kind:expr, $name:literal) => {
        File {
            path: $path,
            kind: $kind,
            content: include_str!(concat!("../../ui/", $name)),
        }
    };
}

static FILES: [File; 17] = [
    file!("/", HTML, "index.html"),
    file!("/ui/style.css", STYLE, "style.css"),
    file!("/ui/icon.svg", PICTURE, "icon.svg"),
    file!("/ui/app.js", SCRIPT, "app.js"),
    file!("/ui/device.js", SCRIPT, "device.js"),
    file!("/ui/devices.js", SCRIPT, "devices.js"),
    file!("/ui/dom.js", SCRIPT, "dom.js"),
    file!("/ui/health.js", SCRIPT, "health.js"),
    file!("/ui/history.js", SCRIPT, "history.js"),
    file!("/ui/linking.js", SCRIPT, "linking.js"),
    file!("/ui/model.js", SCRIPT, "model.js"),
    file!("/ui/people.js", SCRIPT, "people.js"),
    file!("/ui/phone.js", SCRIPT, "phone.js"),
    file!("/ui/sign-in.js", SCRIPT, "sign-in.js"),
    file!("/ui/waiting.js", SCRIPT, "waiting.js"),
    file!("/ui/wire.js", SCRIPT, "wire.js"),
    file!("/ui/words.js", SCRIPT, "words.js"),
];

/// A file in the forms that are sent, made once.
struct Packed {
    /// The compressed file, a third of its size.
    packed: Bytes,
    /// The file's entity tag, which differs between versions.
    tag: Option<HeaderValue>,
}

static PACKED: LazyLock<Vec<Packed>> = LazyLock::new(|| FILES.iter().map(File::pack).collect());

/// The `Link` header with all parts of the page, so that the browser asks for them at once instead of one
/// after the other.
fn parts(base: &str) -> String {
    let parts = FILES.iter().filter_map(|file| match file.kind {
        SCRIPT => Some(format!("<{base}{}>; rel=modulepreload", file.path)),
        STYLE => Some(format!("<{base}{}>; rel=preload; as=style", file.path)),
        _ => None,
    });
    parts.collect::<Vec<_>>().join(", ")
}

fn takes_gzip(asked: &HeaderMap) -> bool {
    let values = asked.get_all(header::ACCEPT_ENCODING).iter();
    let mut names = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    // An encoding with a weight might be refused; it is not parsed further.
    names.any(|name| name.trim() == "gzip")
}

impl File {
    /// Finds the file of a path.
    pub(crate) fn at(path: &str) -> Option<&'static Self> {
        FILES.iter().find(|file| file.path == path)
    }

    /// Answers with the file, or with `304` if the browser has it. `base` is the path below which the page
    /// is.
    pub(crate) fn answer(&self, base: &str, asked: &HeaderMap) -> HttpAnswer {
        if !base.is_empty() && self.kind == HTML {
            return self.below(base);
        }
        let made = self.packed();
        let tag = made.and_then(|made| made.tag.as_ref());
        let is_known = tag.is_some() && asked.get(header::IF_NONE_MATCH) == tag;
        let packed = made.filter(|_| takes_gzip(asked) && !is_known);
        let content = match packed {
            _ if is_known => Bytes::new(),
            Some(made) => made.packed.clone(),
            None => Bytes::from_static(self.content.as_bytes()),
        };
        let mut answer = Response::new(Full::from(content));
        if is_known {
            *answer.status_mut() = StatusCode::NOT_MODIFIED;
        }
        self.describe("", &mut answer);
        let headers = answer.headers_mut();
        if packed.is_some() {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        if let Some(tag) = tag {
            headers.insert(header::ETAG, tag.clone());
        }
        answer
    }

    /// The HTML for a page below a path. Its links work wherever a proxy shows it, with or without a slash at
    /// the end.
    fn below(&self, base: &str) -> HttpAnswer {
        // The configuration has checked that a base path consists of plain characters.
        let content = self.content.replace("=\"ui/", &format!("=\"{base}/ui/"));
        let content = content.replacen("<html", &format!("<html data-base=\"{base}/\""), 1);
        let mut answer = Response::new(Full::from(content));
        self.describe(base, &mut answer);
        answer
    }

    fn describe(&self, base: &str, answer: &mut HttpAnswer) {
        let headers = answer.headers_mut();
        for (name, value) in HEADERS {
            headers.insert(name, HeaderValue::from_static(value));
        }
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.kind));
        if self.kind == HTML
            && let Ok(parts) = HeaderValue::from_str(&parts(base))
        {
            headers.insert(header::LINK, parts);
        }
    }

    fn packed(&self) -> Option<&'static Packed> {
        let at = FILES.iter().position(|file| file.path == self.path)?;
        PACKED.get(at)
    }

    fn pack(&self) -> Packed {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        // Writing into memory cannot fail.
        let packed = encoder.write_all(self.content.as_bytes());
        let packed = packed.and_then(|()| encoder.finish()).unwrap_or_default();
        let hash = Sha256::digest(self.content);
        let tag = format!("W/\"{}\"", BASE64_URL_SAFE_NO_PAD.encode(&hash[..12]));
        Packed {
            packed: packed.into(),
            tag: HeaderValue::from_str(&tag).ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a phone on a slow line gets in a moment.
    const MOST: usize = 115_000;

    #[test]
    fn all_of_it_is_small() {
        let size: usize = FILES.iter().map(|file| file.content.len()).sum();
        assert!(size < MOST, "{size} bytes");
    }

    #[test]
    fn what_is_sent_is_a_third_of_it() {
        let packed: usize = PACKED.iter().map(|made| made.packed.len()).sum();
        assert!(packed < 42_000, "{packed} bytes");
        for (file, made) in FILES.iter().zip(PACKED.iter()) {
            let mut text = String::new();
            let mut decoder = flate2::read::GzDecoder::new(&made.packed[..]);
            std::io::Read::read_to_string(&mut decoder, &mut text).unwrap();
            assert_eq!(text, file.content);
        }
    }

    #[test]
    fn all_of_it_is_asked_for_at_once() {
        let html = File::at("/").map(|file| file.answer("", &HeaderMap::new()));
        let html = html.unwrap();
        let parts = html.headers()[header::LINK].to_str().unwrap();
        let is_part = |file: &&File| [SCRIPT, STYLE].contains(&file.kind);
        for file in FILES.iter().filter(is_part) {
            assert!(parts.contains(&format!("<{}>", file.path)), "{}", file.path);
        }
        let script = File::at("/ui/app.js").map(|file| file.answer("", &HeaderMap::new()));
        assert!(!script.unwrap().headers().contains_key(header::LINK));
    }

    #[test]
    fn what_a_file_names_is_served() {
        let mut named = 0;
        for file in &FILES {
            for part in file.content.split(['"', '\'']) {
                let path = match part.strip_prefix("./") {
                    Some(name) if file.kind == SCRIPT => format!("/ui/{name}"),
                    _ if part.starts_with("ui/") => format!("/{part}"),
                    _ => continue,
                };
                // Types are for whoever writes the page.
                if path.ends_with(".ts") {
                    continue;
                }
                assert!(File::at(&path).is_some(), "{} names {path}", file.path);
                named += 1;
            }
        }
        assert!(named > FILES.len(), "{named}");
    }

    #[test]
    fn no_file_has_code_where_the_policy_forbids_it() {
        let html = File::at("/").map(|file| file.content).unwrap_or_default();
        assert!(!html.contains("<style") && !html.contains(" style="));
        assert!(!html.contains(" on") && html.matches("<script").count() == 1);
        for file in FILES.iter().filter(|file| file.kind == SCRIPT) {
            for sink in ["innerHTML", "outerHTML", "insertAdjacentHTML", "eval("] {
                assert!(!file.content.contains(sink), "{}: {sink}", file.path);
            }
        }
    }
}
