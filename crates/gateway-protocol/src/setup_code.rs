//! Setup codes, which a phone scans or pastes to find its gateway and ask to be paired.

use std::fmt;

use base64::alphabet;
use base64::engine::{DecodePaddingMode, Engine as _, GeneralPurpose, GeneralPurposeConfig};
use pairing_core::Timestamp;
use pairing_core::device::{ParseTokenError, SecretToken};
use serde::Serialize;
use serde::de::{DeserializeOwned, Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::{GatewayUrl, GatewayUrlError};

const CONFIG: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_encode_padding(false)
    .with_decode_padding_mode(DecodePaddingMode::Indifferent);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, CONFIG);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, CONFIG);

/// The contents of a setup code.
///
/// - Base64url without padding of `{ url, token, bootstrapToken, expiresAtMs, tlsFingerprint? }`. Releases from
///   2026.7 on may add `urls`: further addresses of the same gateway.
/// - As a link: `oc-pair://` before the code.
/// - Its only secret is a short-lived pairing token, contained twice: older apps read `token`, newer ones
///   `bootstrapToken`. There is no field for the gateway's own secret.
/// - `Debug` shows no token.
#[derive(Debug, Clone)]
pub struct SetupCode {
    /// The address of the gateway.
    pub url: GatewayUrl,
    /// Further addresses of the same gateway, in the order in which to try them; at most
    /// [`MAX_OTHER_URLS`](Self::MAX_OTHER_URLS).
    pub other_urls: Vec<GatewayUrl>,
    /// The pairing token.
    pub token: SecretToken,
    /// The expiry time; setup codes of other programs may lack it.
    pub expires_at: Option<Timestamp>,
    /// The fingerprint of the certificate that the gateway must present.
    pub tls_fingerprint: Option<String>,
}

/// The reason that a text is not a setup code. The text is not repeated, because it may contain a token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SetupCodeError {
    /// Longer than 4 KiB.
    #[error(
        "a setup code has at most {} bytes, this has {found}",
        SetupCode::MAX_BYTES
    )]
    Long {
        /// Number of bytes found.
        found: usize,
    },
    /// Not base64 of a JSON object: another text, or an incomplete setup code.
    #[error("not a setup code, or not the whole of it")]
    Malformed,
    /// A member is missing or invalid.
    #[error("the setup code has no valid `{member}`")]
    Member {
        /// The member.
        member: &'static str,
    },
    /// The URL is not accepted.
    #[error("the URL in the setup code is refused")]
    Url(#[source] GatewayUrlError),
    /// The token is not valid.
    #[error("the token in the setup code is none")]
    Token(#[source] ParseTokenError),
}

impl SetupCode {
    /// Maximum length of a setup code that is parsed, in bytes.
    pub const MAX_BYTES: usize = 4096;

    /// Maximum number of further addresses that are read.
    pub const MAX_OTHER_URLS: usize = 8;

    /// What comes before a setup code in a link.
    pub const LINK: &str = "oc-pair://";

    /// A setup code of a gateway with one address.
    pub fn new(url: GatewayUrl, token: SecretToken) -> Self {
        Self {
            url,
            other_urls: Vec::new(),
            token,
            expires_at: None,
            tls_fingerprint: None,
        }
    }

    /// Returns the setup code as a link, which apps open and `openclaw node run --pair` takes. It contains the token,
    /// and is wiped from memory when dropped.
    pub fn link(&self) -> Zeroizing<String> {
        let code = self.encode();
        // Made at its full length, so that no copy stays behind.
        let mut link = Zeroizing::new(String::with_capacity(Self::LINK.len() + code.len()));
        link.push_str(Self::LINK);
        link.push_str(&code);
        link
    }

    /// Returns the setup code as text. It contains the token, and is wiped from memory when dropped.
    pub fn encode(&self) -> Zeroizing<String> {
        let (url, token) = (self.url.as_str(), self.token.expose());
        let fingerprint = self.tls_fingerprint.as_deref();
        // Each byte may take six, so with this capacity the text is never moved, which would leave a copy
        // behind.
        let urls: Vec<_> = std::iter::once(&self.url)
            .chain(&self.other_urls)
            .map(GatewayUrl::as_str)
            .collect();
        let all_urls: usize = urls.iter().map(|url| url.len() + 3).sum();
        let longest = url.len() + all_urls + 2 * token.len() + fingerprint.map_or(0, str::len);
        let mut json = Zeroizing::new(Vec::with_capacity(6 * longest + 128));
        let members = Encoded {
            url,
            urls: (urls.len() > 1).then_some(urls),
            token,
            bootstrap_token: token,
            expires_at_ms: self.expires_at.map(Timestamp::as_millis),
            tls_fingerprint: fingerprint,
        };
        // Strings and a number always serialise.
        let _ = serde_json::to_writer(&mut *json, &members);
        Zeroizing::new(URL_SAFE.encode(&*json))
    }

    /// Parses a setup code: base64 in either alphabet, with or without padding and surrounding white
    /// space.
    ///
    /// Takes a link, too. Ignores unknown members, and addresses in `urls` that are not accepted. Without `url`, the first
    /// accepted address in `urls` takes its place. If there are two tokens, `bootstrapToken` is used.
    pub fn decode(code: &str) -> Result<Self, SetupCodeError> {
        let code = code.trim();
        let code = match code.get(..Self::LINK.len()) {
            Some(link) if link.eq_ignore_ascii_case(Self::LINK) => {
                code[Self::LINK.len()..].trim_end_matches('/')
            }
            _ => code,
        };
        if code.len() > Self::MAX_BYTES {
            return Err(SetupCodeError::Long { found: code.len() });
        }
        let standard = |_| STANDARD.decode(code);
        let json = URL_SAFE.decode(code).or_else(standard).map(Zeroizing::new);
        match json {
            Ok(json) => Self::from_json(&json),
            Err(_) => Err(SetupCodeError::Malformed),
        }
    }

    /// Parses the content of a setup code, as a gateway answers to a join code. Takes the same as
    /// [`decode`](Self::decode) without its base64.
    pub fn from_json(json: &[u8]) -> Result<Self, SetupCodeError> {
        let Members {
            url,
            urls,
            token,
            bootstrap_token,
            expires_at,
            tls_fingerprint,
        } = Members::read(json).ok_or(SetupCodeError::Malformed)?;

        let member = "url";
        let mut other_urls = match urls {
            Some(urls) => addresses(&read::<Vec<String>>(urls, "urls")?),
            None => Vec::new(),
        };
        let url = match string(url, member)? {
            Some(url) => GatewayUrl::parse(&url).map_err(SetupCodeError::Url)?,
            None if other_urls.is_empty() => return Err(SetupCodeError::Member { member }),
            None => other_urls.remove(0),
        };
        other_urls.retain(|other| *other != url);
        other_urls.truncate(Self::MAX_OTHER_URLS);
        let member = "bootstrapToken";
        let token = match string(bootstrap_token, member)? {
            Some(token) => token,
            None => string(token, "token")?.ok_or(SetupCodeError::Member { member })?,
        };
        let tls_fingerprint = string(tls_fingerprint, "tlsFingerprint")?;
        Ok(Self {
            url,
            other_urls,
            token: SecretToken::parse(&token).map_err(SetupCodeError::Token)?,
            expires_at: expires_at
                .map(|at| read(at, "expiresAtMs").map(Timestamp::from_millis))
                .transpose()?,
            tls_fingerprint: tls_fingerprint.map(|text| text.to_string()),
        })
    }
}

/// A setup code as it is written.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Encoded<'c> {
    url: &'c str,
    #[serde(skip_serializing_if = "Option::is_none")]
    urls: Option<Vec<&'c str>>,
    token: &'c str,
    bootstrap_token: &'c str,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_fingerprint: Option<&'c str>,
}

/// The known members, as they are written. Of several with one name, the last counts, as in the program that made the
/// format. They borrow from the text, so that no copy of a token stays behind.
#[derive(Default)]
struct Members<'t> {
    url: Option<&'t RawValue>,
    urls: Option<&'t RawValue>,
    token: Option<&'t RawValue>,
    bootstrap_token: Option<&'t RawValue>,
    expires_at: Option<&'t RawValue>,
    tls_fingerprint: Option<&'t RawValue>,
}

impl<'t> Members<'t> {
    /// Reads exactly one object.
    fn read(json: &'t [u8]) -> Option<Self> {
        let mut json = serde_json::Deserializer::from_slice(json);
        let members = json.deserialize_map(MembersVisitor).ok()?;
        json.end().ok()?;
        Some(members)
    }
}

struct MembersVisitor;

impl<'t> Visitor<'t> for MembersVisitor {
    type Value = Members<'t>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a setup code")
    }

    fn visit_map<A: MapAccess<'t>>(self, mut map: A) -> Result<Members<'t>, A::Error> {
        let mut found = Members::default();
        while let Some((name, value)) = map.next_entry::<String, &'t RawValue>()? {
            let member = match name.as_str() {
                "url" => &mut found.url,
                "urls" => &mut found.urls,
                "token" => &mut found.token,
                "bootstrapToken" => &mut found.bootstrap_token,
                "expiresAtMs" => &mut found.expires_at,
                "tlsFingerprint" => &mut found.tls_fingerprint,
                _ => continue,
            };
            *member = Some(value);
        }
        Ok(found)
    }
}

/// The accepted ones of several addresses, each once. Only so many are looked at.
fn addresses(texts: &[String]) -> Vec<GatewayUrl> {
    let mut addresses: Vec<GatewayUrl> = Vec::new();
    for text in texts.iter().take(2 * SetupCode::MAX_OTHER_URLS) {
        if let Ok(url) = GatewayUrl::parse(text)
            && !addresses.contains(&url)
        {
            addresses.push(url);
        }
    }
    addresses
}

fn string(
    value: Option<&RawValue>,
    member: &'static str,
) -> Result<Option<Zeroizing<String>>, SetupCodeError> {
    let text = value.map(|value| read(value, member)).transpose()?;
    Ok(text.map(Zeroizing::new))
}

fn read<T: DeserializeOwned>(value: &RawValue, member: &'static str) -> Result<T, SetupCodeError> {
    serde_json::from_str(value.get()).map_err(|_| SetupCodeError::Member { member })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TOKEN: &str = "7lH12ZXhRjk8YmHv1oGyJO6Jv59zqzoAKproFeaSu_Q";

    fn code(url: &str, tls_fingerprint: Option<&str>) -> SetupCode {
        SetupCode {
            url: GatewayUrl::parse(url).unwrap(),
            other_urls: Vec::new(),
            token: SecretToken::parse(TOKEN).unwrap(),
            expires_at: Some(Timestamp::from_millis(1_795_353_766_585)),
            tls_fingerprint: tls_fingerprint.map(str::to_owned),
        }
    }

    fn json_of(code: &SetupCode) -> serde_json::Value {
        let bytes = URL_SAFE.decode(&*code.encode()).unwrap();
        serde_json::from_slice(&bytes).unwrap()
    }

    fn decode(json: &str) -> Result<SetupCode, SetupCodeError> {
        SetupCode::decode(&URL_SAFE.encode(json))
    }

    #[test]
    fn t39_holds_a_pairing_token_and_no_other_secret() {
        let json = json_of(&code("wss://gw.example", Some("ab:cd")));
        let expected = serde_json::json!({
            "url": "wss://gw.example", "token": TOKEN, "bootstrapToken": TOKEN,
            "expiresAtMs": 1_795_353_766_585_i64, "tlsFingerprint": "ab:cd",
        });
        assert_eq!(json, expected);
        let json = json_of(&code("wss://gw.example", None));
        assert_eq!(json.as_object().unwrap().len(), 4);
    }

    #[test]
    fn t50_the_url_is_carried_byte_for_byte() {
        for url in [
            "wss://Gw.Example",
            "WSS://gw.example/a/../b?c=%7e",
            "ws://192.168.1.7:18789/",
        ] {
            let encoded = code(url, None).encode();
            assert_eq!(SetupCode::decode(&encoded).unwrap().url.as_str(), url);
        }
    }

    #[test]
    fn read_in_any_spelling_of_base64() {
        // The encoded bytes use the characters in which the two alphabets differ.
        let json = r#"{"url":"wss://g","token":"a~~?>>?","x":"ÿÿÿ~?"}"#;
        let plain = URL_SAFE.encode(json);
        assert!(plain.contains('-') || plain.contains('_'), "{plain}");
        let standard = plain.replace('-', "+").replace('_', "/");
        let padding = "=".repeat((4 - plain.len() % 4) % 4);
        for code in [
            plain.clone(),
            format!(
                " {plain}
"
            ),
            standard.clone(),
            format!("{standard}{padding}"),
        ] {
            let read = SetupCode::decode(&code).unwrap();
            assert_eq!(read.token.expose(), "a~~?>>?", "{code}");
            assert_eq!(read.expires_at, None);
        }
    }

    #[test]
    fn a_link_is_read_and_made() {
        let code = code("wss://gw.example", Some("ab:cd"));
        let link = code.link();
        assert_eq!(*link, format!("oc-pair://{}", &*code.encode()));
        for text in [
            link.to_string(),
            format!(" {}/\n", &*link),
            link.replace("oc-pair", "OC-Pair"),
        ] {
            let read = SetupCode::decode(&text).unwrap();
            assert_eq!(read.url, code.url, "{text}");
            assert_eq!(read.token.expose(), TOKEN);
        }
        for text in ["oc-pair://", "oc-pair:", "oc-pair:/x", "öc-pair://x"] {
            assert_eq!(
                SetupCode::decode(text).unwrap_err(),
                SetupCodeError::Malformed,
                "{text}"
            );
        }
    }

    #[test]
    fn further_addresses_are_read_once_each_and_written_again() {
        let read = decode(
            r#"{"url":"wss://a","urls":["wss://a","wss://b","http://c","wss://b"],"token":"t"}"#,
        )
        .unwrap();
        assert_eq!(read.url.as_str(), "wss://a");
        let others: Vec<_> = read.other_urls.iter().map(GatewayUrl::as_str).collect();
        assert_eq!(others, ["wss://b"]);
        let json = json_of(&read);
        assert_eq!(json["urls"], serde_json::json!(["wss://a", "wss://b"]));
        let again = SetupCode::decode(&read.encode()).unwrap();
        assert_eq!(again.other_urls, read.other_urls);

        let without = decode(r#"{"urls":["ftp://x","wss://b","wss://c"],"token":"t"}"#).unwrap();
        assert_eq!(without.url.as_str(), "wss://b");
        assert_eq!(without.other_urls.len(), 1);

        let many: Vec<_> = (0..100).map(|n| format!("wss://g{n}")).collect();
        let many = serde_json::json!({ "url": "wss://g", "urls": many, "token": "t" });
        assert_eq!(
            decode(&many.to_string()).unwrap().other_urls.len(),
            SetupCode::MAX_OTHER_URLS
        );
        assert_eq!(
            decode(r#"{"url":"wss://g","urls":"wss://b","token":"t"}"#).unwrap_err(),
            SetupCodeError::Member { member: "urls" }
        );
    }

    #[test]
    fn the_newer_name_of_the_token_comes_first() {
        let both = decode(r#"{"url":"wss://g","bootstrapToken":"new","token":"old"}"#).unwrap();
        assert_eq!(both.token.expose(), "new");
        let old = decode(r#"{"url":"wss://g","token":"old"}"#).unwrap();
        assert_eq!(old.token.expose(), "old");
    }

    #[test]
    fn what_is_no_code_is_told_apart() {
        let member = |member| SetupCodeError::Member { member };
        let table = [
            ("[]", SetupCodeError::Malformed),
            (r#"{"url":"wss://g","token":"a""#, SetupCodeError::Malformed),
            ("{}", member("url")),
            (r#"{"url":1}"#, member("url")),
            (r#"{"url":"wss://g"}"#, member("bootstrapToken")),
            (r#"{"url":"wss://g","token":true}"#, member("token")),
            (
                r#"{"url":"wss://g","token":"a","bootstrapToken":1}"#,
                member("bootstrapToken"),
            ),
            (
                r#"{"url":"wss://g","token":"a","expiresAtMs":"1"}"#,
                member("expiresAtMs"),
            ),
            (
                r#"{"url":"wss://g","token":"a","expiresAtMs":1.5}"#,
                member("expiresAtMs"),
            ),
            (
                r#"{"url":"wss://g","token":"a","tlsFingerprint":[]}"#,
                member("tlsFingerprint"),
            ),
            (
                r#"{"url":"ws://gw.example","token":"a"}"#,
                SetupCodeError::Url(GatewayUrlError::Unencrypted),
            ),
            (
                r#"{"url":"wss://g","token":""}"#,
                SetupCodeError::Token(ParseTokenError::Empty),
            ),
        ];
        for (json, error) in table {
            assert_eq!(decode(json).unwrap_err(), error, "{json}");
        }
        assert_eq!(
            SetupCode::decode("").unwrap_err(),
            SetupCodeError::Malformed
        );
        assert_eq!(
            SetupCode::decode("M8NG T2AA").unwrap_err(),
            SetupCodeError::Malformed
        );
        let found = SetupCode::MAX_BYTES + 1;
        assert_eq!(
            SetupCode::decode(&"A".repeat(found)).unwrap_err(),
            SetupCodeError::Long { found }
        );
    }

    #[test]
    fn what_is_no_json_and_what_is_nested_too_deep_is_no_code() {
        let known = r#""url":"wss://g","token":"a""#;
        for good in [
            "1",
            "-0.5e+7",
            "1e999",
            r#""\u00e9\ud83d\ude00\n\/""#,
            r#"[1,{"c":null}]"#,
        ] {
            assert!(
                decode(&format!("{{{known},\"x\":{good}}}")).is_ok(),
                "{good}"
            );
        }
        let bad = [
            "", "1,", "01", "1.", ".5", "+1", "1e", "--1", "\"\n\"", r#""\x""#, "tru", "[1 2]",
            "1}x",
        ];
        for bad in bad {
            let error = decode(&format!("{{{known},\"x\":{bad}}}")).unwrap_err();
            assert_eq!(error, SetupCodeError::Malformed, "{bad}");
        }
        let deep = format!("{{{known},\"x\":{}", "[".repeat(2000));
        assert_eq!(decode(&deep).unwrap_err(), SetupCodeError::Malformed);
        let twice = decode(&format!("{{{known},\"token\":\"b\"}}")).unwrap();
        assert_eq!(twice.token.expose(), "b");
    }

    #[test]
    fn debug_shows_no_token() {
        let code = code("wss://gw.example", None);
        assert!(!format!("{code:?}").contains(TOKEN));
    }

    proptest! {
        #[test]
        fn what_is_encoded_can_be_read(
            token in "[ -~]{1,60}", millis in 0..4_000_000_000_000_i64, fingerprint: Option<String>,
        ) {
            let code = SetupCode {
                other_urls: Vec::new(),
                url: GatewayUrl::parse("wss://gw.example/x").unwrap(),
                token: SecretToken::parse(&token).unwrap(),
                expires_at: Some(Timestamp::from_millis(millis)),
                tls_fingerprint: fingerprint.filter(|text| text.len() < 400),
            };
            let json = json_of(&code);
            prop_assert_eq!(&json["token"], &token);
            prop_assert_eq!(&json["bootstrapToken"], &token);
            prop_assert_eq!(json["tlsFingerprint"].as_str(), code.tls_fingerprint.as_deref());
            let read = SetupCode::decode(&code.encode()).unwrap();
            prop_assert_eq!(read.url, code.url);
            prop_assert_eq!(read.token.expose(), code.token.expose());
            prop_assert_eq!(read.expires_at, code.expires_at);
            prop_assert_eq!(read.tls_fingerprint, code.tls_fingerprint);
        }

        #[test]
        fn decoding_never_panics(code: String, json: String) {
            let _ = SetupCode::decode(&code);
            let _ = decode(&json);
            let _ = decode(&format!("{{\"url\":\"wss://g\",\"token\":\"{json}\"}}"));
        }
    }
}
