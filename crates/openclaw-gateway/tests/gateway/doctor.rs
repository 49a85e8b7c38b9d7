//! `doctor.findings`, and what `status` says of the store.

use std::fs;

use serde_json::{Value, json};

use crate::serving::{options, try_serve};
use crate::support::{TOKEN, settings, start, start_with};

fn kinds(answer: &Value) -> Vec<&str> {
    let findings = answer["findings"].as_array().unwrap().iter();
    findings
        .map(|finding| finding["kind"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn what_is_wrong_with_the_install_is_told_as_it_is_now() {
    let dir = tempfile::tempdir().unwrap();
    let config = |more: &str| {
        let text =
            format!("{{ gateway: {{ auth: {{ token: '{TOKEN}' }}, localAdmin: true }}, {more} }}");
        fs::write(dir.path().join("openclaw.json"), text).unwrap();
    };
    config("");
    let served = try_serve(options(dir.path())).await.unwrap();
    let (admin, _events) = served.admin(TOKEN).await.unwrap();
    let status: Value = admin.call("status", json!({})).await.unwrap();
    assert_eq!(status["store"], json!({ "kind": "files", "ok": true }));
    let answer: Value = admin.call("doctor.findings", json!({})).await.unwrap();
    assert_eq!(answer["store"], "files");
    let before = answer["findings"].as_array().unwrap().len();

    // A sender that can match nobody, and a file that nobody can read.
    config("channels: { telegram: { allowFrom: ['not a\u{202e} number'] } }");
    let credentials = dir.path().join("credentials");
    fs::create_dir_all(&credentials).unwrap();
    fs::write(credentials.join("telegram-pairing.json"), "{ cut").unwrap();
    let answer: Value = admin.call("doctor.findings", json!({})).await.unwrap();
    let kinds = kinds(&answer);
    assert!(kinds.contains(&"never-matches"), "{answer}");
    assert!(kinds.contains(&"malformed"), "{answer}");
    let findings = answer["findings"].as_array().unwrap();
    assert!(findings.len() >= before + 2);
    let useless = findings.iter().find(|f| f["kind"] == "never-matches");
    let useless = useless.unwrap().as_object().unwrap();
    let names: Vec<_> = useless.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        ["advice", "detail", "fixable", "kind", "path", "severity"]
    );
    assert_eq!(useless["severity"], "warning");
    assert!(useless["path"].as_str().unwrap().ends_with("openclaw.json"));
    // Whoever shows it need not know what turns text around.
    assert!(!answer.to_string().contains('\u{202e}'));
    // The owner's token is in the file that was looked at, and nowhere else.
    assert!(!answer.to_string().contains(TOKEN));
    served.stop().await;
}

#[tokio::test]
async fn it_is_the_owners_and_there_where_there_is_an_install() {
    let without = start().await;
    let mut admin = without.admin().await;
    assert_eq!(
        admin.refused("doctor.findings", json!({})).await,
        "INVALID_REQUEST unknown method: doctor.findings"
    );
    without.stop().await;
    let dir = tempfile::tempdir().unwrap();
    let state = pairing_fs::StateDir::at(dir.path());
    let with = start_with(settings(""), |builder| builder.doctor(&state, |_| None)).await;
    let scopes = ["operator.read", "operator.write", "operator.pairing"];
    let mut operator = with.asks(&scopes).await;
    assert_eq!(
        operator.refused("doctor.findings", json!({})).await,
        "INVALID_REQUEST missing scope: operator.admin"
    );
    let mut admin = with.admin().await;
    let methods = admin.hello["features"]["methods"].as_array().unwrap();
    assert!(methods.contains(&json!("doctor.findings")));
    let refused = admin.refused("doctor.findings", json!({ "fix": true }));
    let refused = refused.await;
    assert!(refused.contains("unknown field `fix`"), "{refused}");
    with.stop().await;
}
