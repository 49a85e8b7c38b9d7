//! The first message of a stranger, after they were approved.

use serde_json::json;

use super::fake::{Fake, direct, in_chat};
use super::{all_of, behind, heard, telegram};

#[tokio::test]
async fn whoever_approves_the_first_message_is_handed_over_once() {
    let fake = Fake::new("telegram", "default");
    let gateway = behind(telegram("handOverFirst: true"), &[&fake]).await;
    let mut admin = gateway.admin().await;
    gateway.allows("default", "8");
    for (sender, by_wire) in [("1", true), ("2", false)] {
        fake.says(direct(sender, "first")).await;
        fake.next().await;
        fake.says(direct(sender, "second")).await;
        all_of(sender, &fake, "8", &mut admin).await;
        let waiting = gateway.waiting("default");
        let code = waiting[0].code.as_str();
        if by_wire {
            let params = json!({ "channel": "telegram", "code": code });
            admin.call("pairing.approve", params).await.unwrap();
        } else {
            // As another process does: the store tells.
            gateway.approves("default", code);
        }
        let event = heard(&mut admin).await;
        assert_eq!(
            (&event["sender"], &event["text"], &event["chat"]),
            (&json!(sender), &json!("first"), &json!(sender))
        );
        fake.says(direct(sender, "third")).await;
        assert_eq!(heard(&mut admin).await["text"], "third");
    }
    assert_eq!(gateway.outcome("handed-over"), 2);
    gateway.stop().await;
}

#[tokio::test]
async fn what_was_rejected_is_blocked_or_is_too_long_is_never_handed_over() {
    let fake = Fake::new("telegram", "default");
    let usual = "handOverFirst: true, pairingBackoffSeconds: 0, allowFrom: [9]";
    let gateway = behind(telegram(usual), &[&fake]).await;
    let mut admin = gateway.admin().await;
    let owner = pairing_core::Approver::terminal("ann");
    // Rejected, and then let in.
    fake.says(direct("1", "first")).await;
    fake.next().await;
    // What comes and goes unseen is not told of.
    assert_eq!(admin.event("pairing.requested").await["id"], "1");
    gateway.account("default").reject("1", &owner).unwrap();
    assert_eq!(admin.event("pairing.resolved").await["id"], "1");
    // The reject has been looked at once a later approval has been, and one after that.
    for witness in ["20", "21"] {
        fake.says(direct(witness, "witness")).await;
        fake.next().await;
        gateway.approves("default", gateway.waiting("default")[0].code.as_str());
        assert_eq!(heard(&mut admin).await["text"], "witness");
    }
    gateway.allows("default", "1");
    all_of("1", &fake, "1", &mut admin).await;
    // Too long.
    let long = "ä".repeat(2049);
    fake.says(direct("3", &long)).await;
    fake.next().await;
    gateway.approves("default", gateway.waiting("default")[0].code.as_str());
    all_of("3", &fake, "3", &mut admin).await;
    // Turned off meanwhile.
    fake.says(direct("4", "first")).await;
    fake.next().await;
    gateway.handle.reload(telegram("allowFrom: [9]"));
    gateway.approves("default", gateway.waiting("default")[0].code.as_str());
    all_of("4", &fake, "4", &mut admin).await;
    // Blocked meanwhile.
    gateway.handle.reload(telegram(usual));
    fake.says(direct("5", "first")).await;
    fake.next().await;
    let blocking = format!("{usual}, blockFrom: [5]");
    gateway.handle.reload(telegram(&blocking));
    gateway.approves("default", gateway.waiting("default")[0].code.as_str());
    fake.says(in_chat("5", direct("5", "again"))).await;
    all_of("5", &fake, "9", &mut admin).await;
    assert_eq!(gateway.outcome("handed-over"), 2);
    gateway.stop().await;
}
