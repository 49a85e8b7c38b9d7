//! Setup codes as they are pasted: what is read can be written and read again, and no secret is shown.

use base64::engine::{Engine as _, general_purpose::URL_SAFE_NO_PAD};
use gateway_protocol::SetupCode;

use serde_json::Value;

target!(|text: &str| {
    // As a code, and as what is in one.
    check(text);
    check(&URL_SAFE_NO_PAD.encode(text));
});

fn check(text: &str) {
    let code = match SetupCode::decode(text) {
        Ok(code) => code,
        Err(_) => return,
    };
    let written = code.encode();
    let again = SetupCode::decode(&written).expect("what we wrote");
    assert_eq!(again.url, code.url);
    assert_eq!(again.other_urls, code.other_urls);
    assert!(code.other_urls.len() <= SetupCode::MAX_OTHER_URLS);
    assert_eq!(again.token.expose(), code.token.expose());
    assert_eq!(again.expires_at, code.expires_at);
    assert_eq!(again.tls_fingerprint, code.tls_fingerprint);
    assert_eq!(*again.encode(), *written);

    // To others it is JSON with these members and no more.
    let json = URL_SAFE_NO_PAD.decode(&*written).expect("base64url");
    let json: Value = serde_json::from_slice(&json).expect("JSON");
    let members = json.as_object().expect("an object");
    assert_eq!(members["url"], code.url.as_str());
    assert_eq!(members["token"], code.token.expose());
    assert_eq!(members["bootstrapToken"], code.token.expose());
    let millis = members
        .get("expiresAtMs")
        .map(|at| at.as_i64().expect("a number"));
    assert_eq!(millis, code.expires_at.map(|at| at.as_millis()));
    let fingerprint = members
        .get("tlsFingerprint")
        .map(|f| f.as_str().expect("a string"));
    assert_eq!(fingerprint, code.tls_fingerprint.as_deref());
    let optional = usize::from(millis.is_some())
        + usize::from(fingerprint.is_some())
        + usize::from(!code.other_urls.is_empty());
    assert_eq!(members.len(), 3 + optional);

    assert!(format!("{code:?}").contains("SecretToken(..)"));
}
