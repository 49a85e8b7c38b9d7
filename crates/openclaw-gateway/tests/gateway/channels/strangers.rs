//! What a stranger gets: a reply, once; and what nobody gets a reply for.

use channel_kit::{Inbound, SendError};

use super::fake::{Fake, direct, in_chat, in_group};
use super::{all_of, behind, telegram};

/// Nobody writes from there but the marker.
const CHAT: &str = "900";

#[tokio::test]
async fn t67_a_stranger_is_told_once_where_they_wrote_by_whom_they_wrote_to() {
    let (fake, other) = (
        Fake::new("telegram", "work"),
        Fake::new("telegram", "default"),
    );
    let gateway = behind(telegram("pairingBackoffSeconds: 0"), &[&other, &fake]).await;
    let mut admin = gateway.admin().await;
    let mut first = in_chat(CHAT, direct("tg:111", "let me in"));
    first.chat.thread = Some("5".to_owned());
    fake.says(first).await;
    let (to, text) = fake.next().await;
    assert_eq!((to.chat.as_str(), to.thread.as_deref()), (CHAT, Some("5")));
    let code = gateway.waiting("work")[0].code;
    assert_eq!(
        text,
        format!(
            "OpenClaw: access not configured.\n\nYour Telegram user id: 111\n\n\
             Pairing code: {code}\n\nAsk the bot owner to approve with:\n\
             openclaw pairing approve telegram {code}",
            code = code.as_str()
        )
    );
    let event = admin.event("pairing.requested").await;
    assert_eq!(event["meta"]["username"], "zoe");
    assert_eq!(event["accountId"], "work");
    // The second, and many later ones.
    for n in 0..20 {
        gateway.pass(n);
        fake.says(in_chat(CHAT, direct("111", "please"))).await;
    }
    gateway.allows("work", "8");
    all_of(CHAT, &fake, "8", &mut admin).await;
    assert_eq!((fake.sent(), other.sent()), (1, 0));
    assert_eq!(gateway.outcome("waiting"), 20);
    assert_eq!(gateway.waiting("work").len(), 1);
    // Nothing of theirs went further, and it is not kept with the request.
    assert!(!format!("{:?}", gateway.waiting("work")).contains("please"));
    gateway.approves("work", code.as_str());
    fake.says(direct("111", "hello")).await;
    assert_eq!(super::heard(&mut admin).await["text"], "hello");
    gateway.stop().await;
}

/// What metrics call it, and what is wrong with the message.
type Case = (&'static str, fn(&mut Inbound));

#[tokio::test]
async fn t64_t65_who_is_not_somebody_else_who_writes_now_gets_nothing() {
    let fake = Fake::new("telegram", "default");
    let gateway = behind(telegram("allowFrom: [1]"), &[&fake]).await;
    let mut operator = gateway.asks(&["operator.messages"]).await;
    let cases: [Case; 5] = [
        ("from-me", |message| message.from_me = true),
        ("from-bot", |message| message.from_bot = true),
        ("historical", |message| message.historical = true),
        ("unauthenticated", |message| message.authenticated = false),
        ("no-sender", |message| message.sender = " ".to_owned()),
    ];
    for (outcome, change) in cases {
        // A stranger, and one who would be let in.
        for sender in ["666", "1"] {
            let mut message = in_chat(CHAT, direct(sender, "hello"));
            change(&mut message);
            fake.says(message).await;
        }
        all_of(CHAT, &fake, "1", &mut operator).await;
        assert_eq!(gateway.outcome(outcome), 2, "{outcome}");
    }
    // A group is nobody who could ask.
    fake.says(in_chat(CHAT, in_group("666", "hello"))).await;
    all_of(CHAT, &fake, "1", &mut operator).await;
    assert!(gateway.waiting("default").is_empty());
    assert_eq!(fake.sent(), 0);
    gateway.stop().await;
}

#[tokio::test]
async fn a_text_of_the_owners_or_none() {
    let (own, silent) = (
        Fake::new("telegram", "default"),
        Fake::new("telegram", "quiet"),
    );
    let settings = telegram(
        "pairingReply: 'Tell Ann {code}, {id}, {channel}, {name}.',
         accounts: { quiet: { pairingReply: false } }",
    );
    let gateway = behind(settings, &[&own, &silent]).await;
    let mut admin = gateway.admin().await;
    own.says(direct("7", "hello")).await;
    let (_, text) = own.next().await;
    let code = gateway.waiting("default")[0].code;
    let code = code.as_str();
    assert_eq!(text, format!("Tell Ann {code}, 7, telegram, {{name}}."));
    silent.says(direct("7", "hello")).await;
    loop {
        // The owner sees it all the same.
        let event = admin.event("pairing.requested").await;
        if event["accountId"] == "quiet" {
            break;
        }
    }
    gateway.allows("quiet", "8");
    all_of("7", &silent, "8", &mut admin).await;
    assert_eq!((silent.sent(), gateway.outcome("silent")), (0, 1));
    gateway.stop().await;
}

#[tokio::test]
async fn who_is_blocked_is_never_answered_whatever_lets_them_in() {
    let fake = Fake::new("telegram", "work");
    let settings = telegram(
        "blockFrom: ['tg:1'], allowFrom: [1, 2],
         accounts: { work: { blockFrom: [3, 4] } }",
    );
    let gateway = behind(settings, &[&fake]).await;
    let mut operator = gateway.asks(&["operator.messages"]).await;
    gateway.allows("work", "3");
    for sender in ["1", "3", "4"] {
        fake.says(in_chat(CHAT, direct(sender, "hello"))).await;
        fake.says(in_chat(CHAT, in_group(sender, "hello"))).await;
    }
    all_of(CHAT, &fake, "2", &mut operator).await;
    assert_eq!(gateway.outcome("blocked"), 6);
    assert!(gateway.waiting("work").is_empty());
    assert_eq!(fake.sent(), 0);
    gateway.stop().await;
}

#[tokio::test]
async fn t57_who_asks_again_and_again_waits_longer_each_time() {
    let fake = Fake::new("telegram", "default");
    let gateway = behind(telegram("allowFrom: [1]"), &[&fake]).await;
    let mut operator = gateway.asks(&["operator.messages"]).await;
    let owner = pairing_core::Approver::terminal("ann");
    for minutes in [1, 2, 4, 8] {
        fake.says(direct("666", "hello")).await;
        fake.next().await;
        gateway.account("default").reject("666", &owner).unwrap();
        gateway.pass(minutes * 60 - 1);
        fake.says(in_chat(CHAT, direct("666", "hello"))).await;
        all_of(CHAT, &fake, "1", &mut operator).await;
        assert!(gateway.waiting("default").is_empty());
        gateway.pass(1);
    }
    assert_eq!((fake.sent(), gateway.outcome("backoff")), (4, 4));
    // Whoever is approved meanwhile does not wait.
    fake.says(direct("666", "hello")).await;
    let code = fake.next().await;
    assert!(!code.1.is_empty());
    gateway.approves("default", gateway.waiting("default")[0].code.as_str());
    fake.says(direct("666", "at last")).await;
    assert_eq!(super::heard(&mut operator).await["text"], "at last");
    gateway.stop().await;
}

#[tokio::test]
async fn t57_whoever_comes_when_too_many_wait_is_seen_and_told_nothing() {
    let fake = Fake::new("telegram", "default");
    let gateway = behind(telegram(""), &[&fake]).await;
    let mut admin = gateway.admin().await;
    for sender in ["1", "2", "3"] {
        fake.says(direct(sender, "hello")).await;
        fake.next().await;
    }
    gateway.allows("default", "8");
    for _ in 0..5 {
        fake.says(in_chat(CHAT, direct("4", "hello"))).await;
    }
    all_of(CHAT, &fake, "8", &mut admin).await;
    assert_eq!(fake.sent(), 3);
    assert_eq!(gateway.outcome("turned-away"), 1);
    assert_eq!(gateway.outcome("backoff"), 4);
    let telegram = gateway.pairing.channel("telegram").unwrap();
    assert_eq!(telegram.turned_away().unwrap()[0].count, 1);
    gateway.stop().await;
}

#[tokio::test]
async fn t67_a_reply_that_fails_is_no_success_and_takes_nothing_back() {
    let fake = Fake::new("telegram", "default");
    *fake.sending.lock().unwrap() = Box::new(|_| {
        Err(SendError::Chat {
            reason: "blocked by the user".to_owned(),
        })
    });
    let gateway = behind(telegram(""), &[&fake]).await;
    let mut admin = gateway.admin().await;
    fake.says(direct("5", "hello")).await;
    gateway.allows("default", "8");
    all_of("5", &fake, "8", &mut admin).await;
    assert_eq!(gateway.outcome("asked-untold"), 1);
    assert_eq!(gateway.outcome("asked"), 0);
    assert_eq!(gateway.waiting("default").len(), 1);
    gateway.stop().await;
}

#[tokio::test]
async fn t131_who_could_not_be_told_now_is_told_at_a_later_message() {
    let away = || SendError::Unavailable {
        reason: "away".to_owned(),
    };
    let blocked = || SendError::Chat {
        reason: "bot was blocked by the user".to_owned(),
    };
    told_later(away).await;
    told_later(blocked).await;
    told_later(|| SendError::Unable).await;
}

async fn told_later(error: fn() -> SendError) {
    let fake = Fake::new("telegram", "default");
    let away = move || Err(error());
    *fake.sending.lock().unwrap() = Box::new(move |_| away());
    let gateway = behind(telegram("allowFrom: [8]"), &[&fake]).await;
    let mut operator = gateway.asks(&["operator.messages"]).await;
    let says = |text: &'static str| fake.says(in_chat(CHAT, direct("5", text)));
    says("hello").await;
    all_of(CHAT, &fake, "8", &mut operator).await;
    *fake.sending.lock().unwrap() = Box::new(|_| Ok(()));
    // Not before the pause is over, and then once.
    says("hello?").await;
    all_of(CHAT, &fake, "8", &mut operator).await;
    assert_eq!(fake.sent(), 0);
    for _ in 0..3 {
        gateway.pass(60);
        says("anybody?").await;
    }
    let code = gateway.waiting("default")[0].code;
    assert!(fake.next().await.1.contains(code.as_str()));
    all_of(CHAT, &fake, "8", &mut operator).await;
    assert_eq!((fake.sent(), gateway.outcome("asked-untold")), (1, 1));
    gateway.stop().await;
}

#[tokio::test]
async fn t131_a_topic_that_is_closed_does_not_keep_the_code_from_its_sender() {
    let fake = Fake::new("telegram", "default");
    *fake.sending.lock().unwrap() = Box::new(|to| {
        let is_closed = to.thread.is_some();
        let reason = || "message thread not found".to_owned();
        if is_closed {
            return Err(SendError::Chat { reason: reason() });
        }
        Ok(())
    });
    let gateway = behind(telegram(""), &[&fake]).await;
    let mut asked = direct("5", "hello");
    asked.chat.thread = Some("4711".to_owned());
    fake.says(asked).await;
    let (to, text) = fake.next().await;
    assert_eq!((to.chat.as_str(), to.thread), ("5", None));
    let code = gateway.waiting("default")[0].code;
    assert!(text.contains(code.as_str()));
    assert_eq!(gateway.outcome("asked-untold"), 0);
    gateway.stop().await;
}
