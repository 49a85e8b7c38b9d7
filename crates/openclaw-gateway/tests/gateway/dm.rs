//! `pairing.*`: who may talk to the bot.

use serde_json::json;

use crate::shown::shown;
use crate::stores::{Odd, over};
use crate::support::start;

#[tokio::test]
async fn strangers_are_listed_approved_rejected_allowed_and_revoked() {
    let gateway = start().await;
    let mut admin = gateway.admin().await;
    let one = gateway.stranger("telegram", "default", "111");
    gateway.pass(1);
    let two = gateway.stranger("telegram", "work", "222");
    gateway.pass(1);
    gateway.stranger("discord", "default", "333");
    let lower = one.to_lowercase();
    let typed = format!("{}-{}", &lower[..4], &lower[4..]);
    let calls = [
        ("pairing.list", json!({})),
        ("pairing.list", json!({ "channel": "discord" })),
        ("pairing.list", json!({ "accountId": "work" })),
        ("pairing.list", json!({ "channel": "no-such" })),
        // Somebody types.
        (
            "pairing.approve",
            json!({ "channel": "telegram", "code": typed }),
        ),
        (
            "pairing.approve",
            json!({ "channel": "telegram", "code": one }),
        ),
        (
            "pairing.approve",
            json!({ "channel": "telegram", "code": two, "accountId": "default" }),
        ),
        (
            "pairing.approve",
            json!({ "channel": "telegram", "code": two, "accountId": "work" }),
        ),
        (
            "pairing.reject",
            json!({ "channel": "discord", "request": "333" }),
        ),
        (
            "pairing.reject",
            json!({ "channel": "discord", "request": "333" }),
        ),
        ("pairing.allowed", json!({ "channel": "telegram" })),
        (
            "pairing.allowed",
            json!({ "channel": "telegram", "accountId": "work" }),
        ),
        (
            "pairing.allow",
            json!({ "channel": "telegram", "entry": "tg:444" }),
        ),
        (
            "pairing.allow",
            json!({ "channel": "telegram", "entry": "444" }),
        ),
        (
            "pairing.allow",
            json!({ "channel": "telegram", "entry": "*" }),
        ),
        (
            "pairing.revoke",
            json!({ "channel": "telegram", "entry": "111" }),
        ),
        (
            "pairing.revoke",
            json!({ "channel": "telegram", "entry": "111" }),
        ),
        ("pairing.allowed", json!({ "channel": "telegram" })),
        (
            "pairing.allowed",
            json!({ "channel": "telegram", "accountId": "../x" }),
        ),
        ("pairing.list", json!({})),
    ];
    let mut told = String::new();
    for (method, params) in calls {
        let answer = match admin.call(method, params).await {
            Ok(answer) => shown(&answer),
            Err(error) => shown(&error),
        };
        told += &format!("{method}: {answer}\n");
    }
    insta::assert_snapshot!("strangers", told);
    let telegram = gateway.pairing.channel("telegram").unwrap();
    let work = telegram.account("work").unwrap();
    assert!(work.is_allowed("222").unwrap() && !work.is_allowed("111").unwrap());
    gateway.stop().await;
}

#[tokio::test]
async fn a_claim_code_is_issued_over_the_wire() {
    let gateway = start().await;
    let mut admin = gateway.admin().await;
    let params = json!({ "channel": "telegram", "accountId": "work", "principal": "user-7" });
    let invited: serde_json::Value = admin.call("pairing.invite", params).await.unwrap();
    assert_eq!(invited["channel"], "telegram");
    assert_eq!(invited["accountId"], "work");
    let in_ten_minutes = gateway.pairing.now().as_millis() + 600_000;
    assert_eq!(invited["expiresAtMs"], in_ten_minutes);
    let telegram = gateway.pairing.channel("telegram").unwrap();
    let work = telegram.account("work").unwrap();
    let code = invited["code"].as_str().unwrap();
    let claimed = work.claim("12345", code).unwrap();
    let principal = claimed.sender().principal().unwrap();
    assert_eq!(principal.as_str(), "user-7");
    let params = json!({ "channel": "telegram", "principal": " " });
    let refused = admin.call("pairing.invite", params).await;
    assert!(refused.is_err(), "{refused:?}");
    gateway.stop().await;
}

#[tokio::test]
async fn claim_codes_are_listed_and_ended_over_the_wire() {
    let gateway = start().await;
    let mut admin = gateway.admin().await;
    let telegram = gateway.pairing.channel("telegram").unwrap();
    let work = telegram.account("work").unwrap();
    let mut invite = async |params| admin.call("pairing.invite", params).await.unwrap();
    let spent = invite(json!({ "channel": "telegram", "accountId": "work" })).await;
    work.claim("1", spent["code"].as_str().unwrap()).unwrap();
    let kept = json!({ "channel": "telegram", "accountId": "work", "principal": "user-7" });
    let kept = invite(kept).await;
    invite(json!({ "channel": "telegram" })).await;

    let params = json!({ "channel": "telegram", "accountId": "work" });
    let listed = admin.call("pairing.invite.list", params.clone()).await;
    let listed = listed.unwrap();
    let told = listed.to_string();
    assert!(!told.contains(kept["code"].as_str().unwrap()), "{told}");
    let [one] = listed["invitations"].as_array().unwrap().as_slice() else {
        panic!("{told}")
    };
    assert_eq!(one["id"], kept["id"]);
    assert_eq!(one["principal"], "user-7");
    assert_eq!(one["expiresAtMs"], kept["expiresAtMs"]);
    let all = json!({ "channel": "telegram" });
    let all = admin.call("pairing.invite.list", all).await.unwrap();
    assert_eq!(all["invitations"].as_array().unwrap().len(), 2);

    let end = json!({ "channel": "telegram", "id": kept["id"] });
    let mut reader = gateway.asks(&["operator.read"]).await;
    reader
        .call("pairing.invite.end", end.clone())
        .await
        .unwrap_err();
    for ended in [true, false] {
        let answer = admin.call("pairing.invite.end", end.clone()).await.unwrap();
        assert_eq!(answer["ended"], ended);
    }
    let code = kept["code"].as_str().unwrap();
    work.claim("2", code).unwrap_err();
    let listed = admin.call("pairing.invite.list", params).await.unwrap();
    assert_eq!(listed["invitations"], json!([]));
    gateway.stop().await;
}

#[tokio::test]
async fn who_cannot_even_wait_is_seen() {
    let gateway = start().await;
    let mut admin = gateway.admin().await;
    for sender in ["1", "2", "3"] {
        gateway.stranger("telegram", "default", sender);
    }
    let account = gateway
        .pairing
        .channel("telegram")
        .unwrap()
        .account("default")
        .unwrap();
    account.request_or_reuse("4").unwrap();
    let list = admin
        .call("pairing.list", json!({ "channel": "telegram" }))
        .await
        .unwrap();
    assert_eq!(list["requests"].as_array().unwrap().len(), 3);
    assert_eq!(list["turnedAway"][0]["count"], 1);
    assert_eq!(list["turnedAway"][0]["recent"][0]["id"], "4");
    gateway.stop().await;
}

#[tokio::test]
async fn t58_whoever_guesses_codes_over_the_wire_is_locked_out_and_nobody_else() {
    let gateway = start().await;
    let mut guesser = gateway.asks(&["operator.pairing"]).await;
    let code = gateway.stranger("telegram", "default", "111");
    let other = gateway.stranger("discord", "default", "222");
    let wrong = json!({ "channel": "telegram", "code": "AAAAAAAA" });
    for _ in 0..10 {
        let error = guesser
            .call("pairing.approve", wrong.clone())
            .await
            .unwrap_err();
        assert_eq!(error["code"], "INVALID_REQUEST", "{error}");
    }
    let right = json!({ "channel": "telegram", "code": code });
    let error = guesser
        .call("pairing.approve", right.clone())
        .await
        .unwrap_err();
    assert_eq!(error["code"], "UNAVAILABLE");
    assert_eq!(error["details"]["code"], "LOCKED_OUT");
    let until = error["details"]["untilMs"].as_i64().unwrap();
    assert_eq!(until - gateway.pairing.now().as_millis(), 900_000);
    // The other channel, and somebody else.
    let elsewhere = json!({ "channel": "discord", "code": other });
    guesser.call("pairing.approve", elsewhere).await.unwrap();
    let device = gateway.device();
    let mut second = gateway
        .operator_device(&device, &["operator.pairing"])
        .await;
    second.call("pairing.approve", right).await.unwrap();
    gateway.stop().await;
}

#[tokio::test]
async fn a_channel_that_cannot_be_read_hides_no_other_and_no_path_is_told() {
    let gateway = over(Odd {
        torn: Some("discord"),
        ..Odd::default()
    })
    .await;
    let mut admin = gateway.admin().await;
    gateway.stranger("telegram", "default", "111");
    let list = admin.call("pairing.list", json!({})).await.unwrap();
    assert_eq!(list["requests"][0]["id"], "111");
    assert_eq!(list["problems"], json!(["discord: cannot be read"]));
    assert_eq!(list["unreadable"], json!(["discord"]));
    for (method, params) in [
        ("pairing.list", json!({ "channel": "discord" })),
        ("pairing.allowed", json!({ "channel": "discord" })),
        (
            "pairing.approve",
            json!({ "channel": "discord", "code": "AAAAAAAA" }),
        ),
        (
            "pairing.allow",
            json!({ "channel": "discord", "entry": "1" }),
        ),
    ] {
        let error = admin.call(method, params).await.unwrap_err();
        assert_eq!(
            error,
            json!({
                "code": "UNAVAILABLE",
                "message": "the gateway cannot read or write its state",
                "details": { "code": "STORE_UNAVAILABLE" },
                "retryable": true,
            }),
            "{method}"
        );
    }
    gateway.stop().await;
}
