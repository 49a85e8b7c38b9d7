//! `channels.login.start`, `.wait` and `.end`: accounts that are linked by scanning a code; `channels.logout`.

use std::sync::Arc;

use channel_kit::{Linked, LoggedOut, LoginCode, LoginError, LoginStep, LogoutError};
use serde_json::{Value, json};
use test_support::Logs;
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedSender;

use super::fake::{Fake, Linking};
use super::{behind, with};
use crate::support::Running;
use crate::talk::Talk;

const CODE: &str = "sgnl://linkdevice?uuid=secret&pub_key=B";

struct Stage {
    gateway: Running,
    admin: Talk,
    signal: Arc<Fake>,
    tell: UnboundedSender<Linking>,
}

async fn stage() -> Stage {
    let (signal, tell) = Fake::linked_by("signal", "default");
    let telegram = Fake::new("telegram", "default");
    let settings =
        with("channels: { signal: { accounts: { default: {}, off: { enabled: false } } } }");
    let gateway = behind(settings, &[&signal, &telegram]).await;
    let admin = gateway.asks(&["operator.admin"]).await;
    Stage {
        gateway,
        admin,
        signal,
        tell,
    }
}

impl Stage {
    fn tells(&self, what: Linking) {
        assert!(self.tell.send(what).is_ok());
    }

    async fn start(&mut self) -> Value {
        let start = json!({ "channel": "signal" });
        self.admin
            .call("channels.login.start", start)
            .await
            .unwrap()
    }

    /// The step after this one.
    async fn next(&mut self, now: &Value) -> Value {
        let wait = json!({ "loginId": now["loginId"], "after": now["step"], "timeoutMs": 20_000 });
        self.admin.call("channels.login.wait", wait).await.unwrap()
    }
}

fn shown(code: &str) -> Linking {
    Linking::Step(LoginStep::Code(LoginCode::new(code)))
}

#[tokio::test]
async fn a_login_is_followed_step_by_step_and_its_code_ends_with_it() {
    let logs = Logs::default();
    let _guard = logs.listen();
    let mut stage = stage().await;
    let begun = stage.start().await;
    assert_eq!(
        (&begun["state"], &begun["step"], &begun["how"]),
        (
            &json!("preparing"),
            &json!(1),
            &json!("on the phone: Settings, Devices")
        )
    );
    stage.tells(shown(CODE));
    let coded = stage.next(&begun).await;
    assert_eq!(
        (&coded["state"], &coded["code"]),
        (&json!("code"), &json!(CODE))
    );
    let rows = coded["qr"].as_array().unwrap();
    assert_eq!(rows.len(), rows[0].as_str().unwrap().len());
    // Nothing new: the same step, and no error.
    let wait = json!({ "loginId": begun["loginId"], "after": 2, "timeoutMs": 1 });
    let same = stage.admin.call("channels.login.wait", wait).await.unwrap();
    assert_eq!(same, coded);
    // Some chat systems change the code now and then.
    stage.tells(shown("sgnl://linkdevice?uuid=another"));
    let coded = stage.next(&coded).await;
    assert_eq!(coded["code"], "sgnl://linkdevice?uuid=another");
    // What is typed has no picture.
    let typed = LoginStep::Typed(LoginCode::new("ABCD-2345"));
    stage.tells(Linking::Step(typed));
    let coded = stage.next(&coded).await;
    assert_eq!(
        (&coded["state"], &coded["code"], &coded["qr"]),
        (&json!("code"), &json!("ABCD-2345"), &Value::Null)
    );
    stage.tells(Linking::Step(LoginStep::Scanned));
    let scanned = stage.next(&coded).await;
    assert_eq!(scanned["state"], "scanned");
    let linked = Linked::to("+15550001111\u{1b}[2J").remark(Some("set account".to_owned()));
    stage.tells(Linking::End(Ok(linked)));
    let done = stage.next(&scanned).await;
    assert_eq!(
        done,
        json!({ "loginId": begun["loginId"], "step": 6, "state": "linked", "how": begun["how"],
                "linkedAs": "+15550001111\\u{1b}[2J", "remark": "set account" })
    );
    assert_eq!(scanned["code"], Value::Null);
    assert!(logs.text().contains("account linked"));
    for secret in ["linkdevice", "ABCD"] {
        assert!(!logs.text().contains(secret), "{}", logs.text());
    }
    stage.gateway.stop().await;
}

#[tokio::test]
async fn a_login_that_fails_says_why_and_one_that_is_given_up_is_gone() {
    let mut stage = stage().await;
    let begun = stage.start().await;
    stage.tells(shown(CODE));
    let reason = "signal-cli cannot be started".to_owned();
    let advice = "install signal-cli";
    stage.tells(Linking::End(Err(LoginError::Unavailable {
        reason,
        advice,
    })));
    let mut now = begun.clone();
    while now["state"] != "failed" {
        now = stage.next(&now).await;
    }
    assert_eq!(
        (&now["error"], &now["advice"], &now["code"]),
        (
            &json!("signal-cli cannot be started"),
            &json!(advice),
            &Value::Null
        )
    );
    // Another attempt takes the place of the first.
    let again = stage.start().await;
    let wait = json!({ "loginId": begun["loginId"] });
    let gone = stage
        .admin
        .call("channels.login.wait", wait)
        .await
        .unwrap_err();
    assert_eq!(gone["details"]["code"], "UNKNOWN_REQUEST");
    stage.tells(shown(CODE));
    stage.next(&again).await;
    let end = json!({ "loginId": again["loginId"] });
    for ended in [true, false] {
        let answer = stage.admin.call("channels.login.end", end.clone()).await;
        assert_eq!(answer.unwrap(), json!({ "ended": ended }));
    }
    let gone = stage
        .admin
        .call("channels.login.wait", end)
        .await
        .unwrap_err();
    assert_eq!(gone["details"]["code"], "UNKNOWN_REQUEST");
    stage.gateway.stop().await;
}

#[tokio::test]
async fn only_admins_link_and_only_what_is_linked_by_a_code() {
    let mut stage = stage().await;
    let mut writer = stage
        .gateway
        .asks(&["operator.write", "operator.pairing"])
        .await;
    for (method, params) in [
        ("channels.login.start", json!({ "channel": "signal" })),
        ("channels.login.wait", json!({ "loginId": "x" })),
        ("channels.login.end", json!({ "loginId": "x" })),
        ("channels.logout", json!({ "channel": "signal" })),
    ] {
        let refused = writer.call(method, params).await.unwrap_err();
        assert_eq!(refused["details"]["code"], "MISSING_SCOPE", "{method}");
    }
    for (params, named) in [
        (json!({ "channel": "telegram" }), "not linked by a code"),
        (json!({ "channel": "slack" }), "runs no such account"),
        (
            json!({ "channel": "whatsapp" }),
            if cfg!(feature = "whatsapp-web") {
                "runs no such account"
            } else {
                "--features whatsapp-web"
            },
        ),
        (
            json!({ "channel": "signal", "accountId": "off" }),
            "runs no such account",
        ),
        (
            json!({ "channel": "signal", "accountId": "../x" }),
            "accountId",
        ),
        (json!({}), "channel"),
    ] {
        let refused = stage
            .admin
            .call("channels.login.start", params.clone())
            .await;
        let message = refused.unwrap_err()["message"].to_string();
        assert!(message.contains(named), "{params}: {message}");
    }
    // Whoever shows the accounts knows which of them can be linked.
    let all = stage
        .admin
        .call("pairing.channels", json!({}))
        .await
        .unwrap();
    let can_link = |channel: &str| {
        let all = all["channels"].as_array().unwrap();
        let found = all.iter().find(|one| one["channel"] == channel).unwrap();
        found["accounts"][0]["canLink"].clone()
    };
    assert_eq!(
        (can_link("signal"), can_link("telegram")),
        (json!(true), Value::Null)
    );
    stage.gateway.stop().await;
}

#[tokio::test]
async fn an_account_is_logged_out_and_a_login_that_is_under_way_with_it() {
    let logs = Logs::default();
    let _guard = logs.listen();
    let mut stage = stage().await;
    let signal = json!({ "channel": "signal" });
    let out = LoggedOut::of("+15550001111\u{1b}[2J").remark(Some("remove it".to_owned()));
    let was_not = LoggedOut::of("+15550001111").was_not_linked();
    let logouts = [
        Ok(out),
        Ok(was_not),
        Err(LogoutError::Refused {
            reason: "no linked device".to_owned(),
            advice: "turn it off",
        }),
        Err(LogoutError::Unavailable {
            reason: "no route".to_owned(),
            advice: "try again",
        }),
        Err(LogoutError::HalfDone {
            reason: "the keys are here".to_owned(),
            advice: "delete them",
        }),
    ];
    stage.signal.logouts.lock().unwrap().extend(logouts);
    let begun = stage.start().await;
    let answer = stage.admin.call("channels.logout", signal.clone()).await;
    assert_eq!(
        answer.unwrap(),
        json!({ "channel": "signal", "accountId": "default", "cleared": true, "loggedOut": true,
                "name": "+15550001111\\u{1b}[2J", "remark": "remove it" })
    );
    let wait = json!({ "loginId": begun["loginId"] });
    let gone = stage.admin.call("channels.login.wait", wait).await;
    assert_eq!(gone.unwrap_err()["details"]["code"], "UNKNOWN_REQUEST");
    let answer = stage.admin.call("channels.logout", signal.clone()).await;
    let answer = answer.unwrap();
    assert_eq!(
        (&answer["cleared"], &answer["loggedOut"]),
        (&json!(false), &json!(true))
    );
    for (code, detail, reason, hint) in [
        (
            "INVALID_REQUEST",
            "UNABLE",
            "no linked device",
            "turn it off",
        ),
        (
            "UNAVAILABLE",
            "CHANNEL_UNAVAILABLE",
            "no route",
            "try again",
        ),
        (
            "UNAVAILABLE",
            "CHANNEL_UNAVAILABLE",
            "the keys are here",
            "delete them",
        ),
    ] {
        let answer = stage.admin.call("channels.logout", signal.clone()).await;
        let error = answer.unwrap_err();
        assert_eq!(
            (&error["code"], &error["message"], &error["details"]),
            (
                &json!(code),
                &json!(reason),
                &json!({ "code": detail, "hint": hint })
            )
        );
    }
    assert_eq!(logs.count("account logged out"), 2);
    assert_eq!(logs.count("account not logged out"), 3);
    stage.gateway.stop().await;
}

#[tokio::test]
async fn a_logout_is_done_to_its_end_also_if_its_caller_goes() {
    let logs = Logs::default();
    let _guard = logs.listen();
    let stage = stage().await;
    let [begun, go_on] = [Arc::new(Notify::new()), Arc::new(Notify::new())];
    *stage.signal.leaving.lock().unwrap() = Some([Arc::clone(&begun), Arc::clone(&go_on)]);
    let out = Ok(LoggedOut::of("+15550001111"));
    stage.signal.logouts.lock().unwrap().push_back(out);
    let mut caller = stage.admin;
    caller
        .send("channels.logout", json!({ "channel": "signal" }))
        .await;
    begun.notified().await;
    drop(caller);
    logs.until("disconnected", 1).await;
    go_on.notify_one();
    logs.until("account logged out", 1).await;
    stage.gateway.stop().await;
}

#[tokio::test]
async fn who_cannot_be_logged_out_is_told_what_to_do_instead() {
    let mut stage = stage().await;
    let telegram = json!({ "channel": "telegram" });
    let error = stage
        .admin
        .call("channels.logout", telegram)
        .await
        .unwrap_err();
    assert_eq!(error["message"], "channel telegram does not support logout");
    let hint = error["details"]["hint"].as_str().unwrap();
    assert!(hint.contains("channels.telegram.botToken"), "{hint}");
    for (params, named) in [
        (json!({ "channel": "whatsapp" }), "runs no such account"),
        (
            json!({ "channel": "signal", "accountId": "../x" }),
            "accountId",
        ),
        (json!({}), "channel"),
    ] {
        let refused = stage.admin.call("channels.logout", params.clone()).await;
        let message = refused.unwrap_err()["message"].to_string();
        assert!(message.contains(named), "{params}: {message}");
    }
    stage.gateway.stop().await;
}
