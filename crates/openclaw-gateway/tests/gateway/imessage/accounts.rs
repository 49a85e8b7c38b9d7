//! Several accounts, each by a program of its own, and a configuration that changes.

use gateway_client::Client;
use serde_json::{Value, json};
use tempfile::TempDir;
use test_support::Logs;
use test_support::imsg::{ANN, Imsg};

use super::{OWNER, sent};
use crate::bots::{self, code_in, connections, heard, start};

/// Configures the default account, and one more by this program.
fn configure(dir: &TempDir, first: &Imsg, work: Option<&Imsg>) {
    let mut settings = json!({ "cliPath": first.program() });
    if let Some(work) = work {
        settings["accounts"] = json!({ "work": { "cliPath": work.program() } });
    }
    bots::configure(dir, ("imessage", &settings), OWNER, false);
}

/// Ann writes to an account, and is let in.
async fn lets_in(owner: &Client, imsg: &Imsg, account: &str) {
    imsg.says(ANN, "let me in");
    let (to, reply) = sent(imsg).await;
    assert_eq!(to, ANN);
    let approve = json!({ "channel": "imessage", "accountId": account, "code": code_in(&reply) });
    let _: Value = owner.call("pairing.approve", approve).await.unwrap();
}

#[tokio::test]
async fn each_hears_its_own_and_one_that_fails_harms_no_other() {
    let logs = Logs::default();
    let _guard = logs.listen();
    let [dir, dir_1, dir_2] = std::array::from_fn(|_| tempfile::tempdir().unwrap());
    let [first, second] = [
        Imsg::start(dir_1.path()).await,
        Imsg::start(dir_2.path()).await,
    ];
    configure(&dir, &first, Some(&second));
    let gateway = start(&dir).await;
    first.watching(1).await;
    second.watching(1).await;
    let (owner, mut events) = gateway.owner().await;
    // Who was let in by one is a stranger to the other.
    let both = [(&second, "work"), (&first, "default")];
    for (imsg, account) in both {
        lets_in(&owner, imsg, account).await;
    }
    for (imsg, account) in both {
        imsg.says(ANN, account);
        let inbound = heard(&mut events).await;
        assert_eq!(
            (&inbound["accountId"], &inbound["text"]),
            (&json!(account), &json!(account))
        );
        let answer = json!({
            "channel": "imessage", "accountId": account, "to": inbound["chat"], "message": "yes",
            "idempotencyKey": account,
        });
        let _: Value = owner.call("send", answer).await.unwrap();
        assert_eq!(sent(imsg).await, (ANN.into(), "yes".into()));
    }
    let both = |default, work| vec![("default".to_owned(), default), ("work".to_owned(), work)];
    assert_eq!(connections(&owner, "imessage").await, both(true, true));

    // The program of one is gone.
    let aside = dir_2.path().join("aside");
    std::fs::rename(second.program(), &aside).unwrap();
    second.end();
    logs.until("cannot be started", 1).await;
    assert_eq!(connections(&owner, "imessage").await, both(true, false));
    first.says(ANN, "still");
    assert_eq!(heard(&mut events).await["text"], "still");
    // It is there again.
    std::fs::rename(&aside, second.program()).unwrap();
    second.watching(2).await;
    second.says(ANN, "and again");
    let inbound = heard(&mut events).await;
    assert_eq!(
        (&inbound["accountId"], &inbound["text"]),
        (&json!("work"), &json!("and again"))
    );
    assert_eq!(connections(&owner, "imessage").await, both(true, true));
    gateway.stop().await;
}

#[tokio::test]
async fn accounts_come_change_and_go_with_the_configuration() {
    let [dir, dir_1, dir_2, dir_3] = std::array::from_fn(|_| tempfile::tempdir().unwrap());
    let [first, second, third] = [
        Imsg::start(dir_1.path()).await,
        Imsg::start(dir_2.path()).await,
        Imsg::start(dir_3.path()).await,
    ];
    configure(&dir, &first, None);
    let gateway = start(&dir).await;
    first.watching(1).await;
    let (owner, mut events) = gateway.owner().await;
    lets_in(&owner, &first, "default").await;

    configure(&dir, &first, Some(&second));
    second.watching(1).await;
    lets_in(&owner, &second, "work").await;

    configure(&dir, &first, Some(&third));
    second.left().await;
    third.watching(1).await;
    third.says(ANN, "by another program");
    let inbound = heard(&mut events).await;
    assert_eq!(
        (&inbound["accountId"], &inbound["text"]),
        (&json!("work"), &json!("by another program"))
    );

    configure(&dir, &first, None);
    third.left().await;
    let none = json!({
        "channel": "imessage", "accountId": "work", "to": ANN, "message": "?", "idempotencyKey": "1",
    });
    let refused: Result<Value, _> = owner.call("send", none).await;
    // Its child has ended, and the account right after that.
    assert!(refused.is_err());
    // The default account was not touched: it has the child that it began with.
    first.says(ANN, "as before");
    assert_eq!(heard(&mut events).await["text"], "as before");
    assert_eq!(first.children().len(), 1);
    gateway.stop().await;
}
