//! Guesses at the secret, with something beside them.

use serde_json::json;

use crate::credentials::start_asking;
use crate::lockout::{ATTACKER, outcome, paired, setup_code};
use crate::support::{Running, TOKEN};

const BEHIND_PROXY: &str = "trustedProxies: ['127.0.0.1']";

/// Guesses, ten at a time, until the address is locked out of secrets; how many times.
async fn guesses(gateway: &Running, mut guess: impl AsyncFnMut()) -> usize {
    let right = json!({ "token": TOKEN, "password": TOKEN });
    for count in 0..4 {
        let probe = outcome(gateway, ATTACKER, &gateway.device(), right.clone()).await;
        if probe == "AUTH_RATE_LIMITED" {
            return count;
        }
        // What is right clears the count, so it is asked for only where it may be locked by now.
        for _ in 0..10 {
            guess().await;
        }
    }
    usize::MAX
}

/// Nothing that comes beside a guess hides it: no device, no token of another kind, not even a good one.
#[tokio::test]
async fn t99_a_guess_counts_whatever_comes_beside_it() {
    for field in ["token", "password"] {
        for beside in [
            "nothing",
            "new devices",
            "wrong token",
            "good token",
            "good token in its place",
            "wrong code",
            "good code",
            "locked",
        ] {
            let asking = format!("mode: '{field}', {field}: '{TOKEN}'");
            let gateway = start_asking(&asking, BEHIND_PROXY).await;
            let (device, token) = paired(&gateway, json!({ field: TOKEN })).await;
            let stranger = gateway.device();
            let mut auth = json!({ field: "guess" });
            match beside {
                "wrong token" => auth["deviceToken"] = json!("wrong"),
                "good token" => auth["deviceToken"] = json!(token),
                // Where a token is asked for, that would be no guess.
                "good token in its place" if field == "token" => {}
                "good token in its place" => auth["token"] = json!(token),
                "wrong code" => auth["bootstrapToken"] = json!("wrong"),
                "good code" => auth["bootstrapToken"] = json!(setup_code(&gateway)),
                "locked" => {
                    // First locked out of everything else.
                    let wrong = json!({ "deviceToken": "wrong", "bootstrapToken": "wrong" });
                    for _ in 0..10 {
                        outcome(&gateway, ATTACKER, &stranger, wrong.clone()).await;
                    }
                    auth["deviceToken"] = json!("wrong");
                    auth["bootstrapToken"] = json!("wrong");
                }
                _ => {}
            }
            let counted = guesses(&gateway, async || {
                let new = gateway.device();
                let device = match beside {
                    "new devices" => &new,
                    "good token" | "good token in its place" => &device,
                    _ => &stranger,
                };
                outcome(&gateway, ATTACKER, device, auth.clone()).await;
            });
            assert_eq!(counted.await, 1, "{field} beside {beside}");
            gateway.stop().await;
        }
    }
}

/// In the place of another secret, any token is a guess at all kinds of them.
#[tokio::test]
async fn t99_tokens_in_the_wrong_field_are_counted_where_no_token_is_asked_for() {
    let gateway = start_asking("mode: 'password', password: 'p'", BEHIND_PROXY).await;
    for _ in 0..10 {
        let wrong = json!({ "token": "wrong" });
        let wrong = outcome(&gateway, ATTACKER, &gateway.device(), wrong).await;
        assert_eq!(wrong, "AUTH_PASSWORD_MISSING");
    }
    let code = json!({ "bootstrapToken": setup_code(&gateway) });
    let locked = outcome(&gateway, ATTACKER, &gateway.device(), code).await;
    assert_eq!(locked, "AUTH_RATE_LIMITED");
    gateway.stop().await;
}
