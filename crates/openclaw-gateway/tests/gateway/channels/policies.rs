//! Who gets through: by policy, store, list, and group or direct chat.

use std::sync::Arc;

use openclaw_gateway::Metrics;
use pairing_core::{Channels, MemoryStore, PairingBuilder, PairingStore};
use pairing_fs::{FsStore, StateDir};
use tokio::time::timeout;

use super::fake::{Fake, direct, in_chat, in_group};
use super::{adding, all_of, behind, heard, telegram};
use crate::stores::Odd;
use crate::support::{Counting, Hands, NEVER, Running, start, start_on};

/// Nobody writes from there but the marker.
const CHAT: &str = "900";

async fn over(
    store: impl PairingStore + 'static,
    clock: Hands,
    settings: openclaw_gateway::Settings,
    fake: &Arc<Fake>,
) -> Running {
    let entropy = Counting::default();
    let pairing = PairingBuilder::new(store, clock.clone(), entropy.clone()).build();
    start_on(pairing, clock, entropy, settings, |builder| {
        adding(builder.metrics(Metrics::new()), &[fake])
    })
    .await
}

/// What a message comes to.
async fn outcome(gateway: &Running, fake: &Fake, is_direct: bool, sender: &str) -> &'static str {
    let all = [
        "kept",
        "direct",
        "group",
        "asked",
        "waiting",
        "policy",
        "group-stranger",
    ];
    let counts = || all.map(|outcome| gateway.outcome(outcome));
    let before = counts();
    let message = if is_direct {
        direct(sender, "hello")
    } else {
        in_group(sender, "hello")
    };
    fake.says(in_chat(CHAT, message)).await;
    let counted = async {
        loop {
            let after = counts();
            let changed = (0..all.len()).find(|&n| after[n] > before[n]);
            if let Some(changed) = changed {
                return all[changed];
            }
            tokio::task::yield_now().await;
        }
    };
    timeout(NEVER, counted).await.unwrap()
}

#[tokio::test]
async fn t54_t55_policies_stores_lists_and_groups() {
    // Who is in the list, who was approved, and who is neither.
    let (listed, paired, stranger) = ("1", "2", "3");
    let rows = [
        // policy, list, what becomes of them directly, and in a group
        (
            "pairing",
            "[1]",
            ["direct", "direct", "asked"],
            ["group", "group-stranger", "group-stranger"],
        ),
        (
            "pairing",
            "[1, '*']",
            ["direct", "direct", "direct"],
            ["group", "group", "group"],
        ),
        (
            "allowlist",
            "[1]",
            ["direct", "policy", "policy"],
            ["group", "group-stranger", "group-stranger"],
        ),
        (
            "open",
            "[1]",
            ["direct", "policy", "policy"],
            ["group", "group-stranger", "group-stranger"],
        ),
        (
            "open",
            "['*']",
            ["direct", "direct", "direct"],
            ["group", "group", "group"],
        ),
        (
            // It is about direct messages: groups go by the list alone.
            "disabled",
            "[1, '*']",
            ["policy", "policy", "policy"],
            ["group", "group", "group"],
        ),
    ];
    for is_on_files in [false, true] {
        for (policy, list, directly, in_groups) in rows {
            let spare = start().await;
            let clock = spare.clock.clone();
            spare.stop().await;
            let fake = Fake::new("telegram", "default");
            let settings = telegram(&format!("dmPolicy: '{policy}', allowFrom: {list}"));
            let dir = tempfile::tempdir().unwrap();
            let gateway = if is_on_files {
                let store = FsStore::new(&StateDir::at(dir.path()), Channels::builtin());
                over(store, clock, settings, &fake).await
            } else {
                over(MemoryStore::new(), clock, settings, &fake).await
            };
            gateway.allows("default", paired);
            for (n, sender) in [listed, paired, stranger].into_iter().enumerate() {
                for (is_direct, expected) in [(false, in_groups[n]), (true, directly[n])] {
                    let found = outcome(&gateway, &fake, is_direct, sender).await;
                    assert_eq!(
                        found, expected,
                        "{policy} {list} {sender}, direct: {is_direct}, files: {is_on_files}"
                    );
                }
            }
            let waiting = gateway.waiting("default");
            let asked = directly.contains(&"asked");
            assert_eq!(waiting.len(), usize::from(asked), "{policy} {list}");
            gateway.stop().await;
            // A reply is sent before it is counted.
            assert_eq!(fake.sent(), usize::from(asked), "{policy} {list}");
        }
    }
}

#[tokio::test]
async fn a_store_that_fails_keeps_out_whoever_it_would_let_in_and_nobody_else() {
    for (policy, [listed, stranger]) in [
        ("pairing", ["direct", "kept"]),
        ("allowlist", ["direct", "policy"]),
        ("open", ["direct", "policy"]),
        ("disabled", ["policy", "policy"]),
    ] {
        let spare = start().await;
        let clock = spare.clock.clone();
        spare.stop().await;
        let store = Odd {
            torn: Some("telegram"),
            ..Odd::default()
        };
        let fake = Fake::new("telegram", "default");
        let settings = telegram(&format!("dmPolicy: '{policy}', allowFrom: [1]"));
        let gateway = over(store, clock, settings, &fake).await;
        for (sender, expected) in [("2", stranger), ("1", listed), ("2", stranger)] {
            let found = outcome(&gateway, &fake, true, sender).await;
            assert_eq!(found, expected, "{policy} {sender}");
        }
        gateway.stop().await;
        assert_eq!(fake.sent(), 0);
    }
}

#[tokio::test]
async fn t53_t56_accounts_have_nothing_of_each_other() {
    let (one, work) = (
        Fake::new("telegram", "default"),
        Fake::new("telegram", "work"),
    );
    let settings = telegram("accounts: { work: { allowFrom: [9] } }");
    let gateway = behind(settings, &[&one, &work]).await;
    let mut operator = gateway.asks(&["operator.messages"]).await;
    for sender in ["1", "2", "3"] {
        one.says(direct(sender, "hello")).await;
        one.next().await;
    }
    // Three wait at the one; the other has room.
    work.says(direct("1", "hello")).await;
    let (to, text) = work.next().await;
    assert_eq!(to.chat, "1");
    let waiting = gateway.waiting("work");
    assert!(text.contains(waiting[0].code.as_str()));
    assert_eq!((one.sent(), work.sent()), (3, 1));
    gateway.approves("work", waiting[0].code.as_str());
    work.says(direct("1", "now")).await;
    let event = heard(&mut operator).await;
    assert_eq!(
        (&event["accountId"], &event["text"]),
        (&"work".into(), &"now".into())
    );
    // Not at the other; nor is who is listed at one listed at the other.
    for sender in ["1", "9"] {
        one.says(in_chat("900", direct(sender, "hello"))).await;
    }
    gateway.allows("default", "8");
    all_of("900", &one, "8", &mut operator).await;
    work.says(direct("9", "listed")).await;
    assert_eq!(heard(&mut operator).await["text"], "listed");
    assert_eq!(one.sent(), 3);
    gateway.stop().await;
}

#[tokio::test]
async fn a_new_configuration_counts_from_the_next_message() {
    let fake = Fake::new("telegram", "default");
    let gateway = behind(telegram("dmPolicy: 'allowlist'"), &[&fake]).await;
    let mut operator = gateway.asks(&["operator.messages"]).await;
    assert_eq!(outcome(&gateway, &fake, true, "1").await, "policy");
    gateway
        .handle
        .reload(telegram("dmPolicy: 'allowlist', allowFrom: ['tg:1']"));
    fake.says(direct("1", "hello")).await;
    assert_eq!(heard(&mut operator).await["sender"], "1");
    gateway
        .handle
        .reload(telegram("allowFrom: ['1'], blockFrom: ['tg:1']"));
    gateway.allows("default", "2");
    fake.says(in_chat(CHAT, direct("1", "hello"))).await;
    all_of(CHAT, &fake, "2", &mut operator).await;
    assert_eq!(gateway.outcome("blocked"), 1);
    gateway.stop().await;
}
