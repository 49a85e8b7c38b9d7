//! Several accounts at one daemon, and a configuration that changes.

use gateway_client::Client;
use serde_json::{Value, json};
use tempfile::TempDir;
use test_support::Logs;
use test_support::signal::{ACCOUNT, ANN, Signal};

use super::{OWNER, install};
use crate::bots::{self, code_in, connections, heard, start};

const WORK: &str = "+15550000002";
const OTHER: &str = "+15550000003";

/// Configures the default account, and one more with this number.
fn configure(dir: &TempDir, signal: &Signal, work: Option<&str>) {
    let mut settings = json!({ "account": ACCOUNT, "httpUrl": signal.root() });
    if let Some(number) = work {
        settings["accounts"] = json!({ "work": { "account": number } });
    }
    let owner = OWNER.number.unwrap();
    bots::configure(dir, ("signal", &settings), owner, false);
}

/// What is sent next: by which number, to whom, and the text.
async fn sent(signal: &Signal) -> (String, String, String) {
    let call = signal.called("send").await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (
        text(&call["account"]),
        text(&call["recipient"][0]),
        text(&call["message"]),
    )
}

/// Ann writes to an account, and is let in.
async fn lets_in(owner: &Client, signal: &Signal, number: &str, account: &str) {
    signal.says_to(number, ANN, "let me in");
    let (by, to, reply) = sent(signal).await;
    assert_eq!((by.as_str(), to.as_str()), (number, ANN.number.unwrap()));
    let approve = json!({ "channel": "signal", "accountId": account, "code": code_in(&reply) });
    let _: Value = owner.call("pairing.approve", approve).await.unwrap();
}

#[tokio::test]
async fn each_hears_its_own_and_one_that_fails_harms_no_other() {
    let logs = Logs::default();
    let _guard = logs.listen();
    let signal = Signal::start().await;
    signal.set_accounts(&[ACCOUNT, WORK]);
    let dir = install(&signal, false);
    configure(&dir, &signal, Some(WORK));
    let gateway = start(&dir).await;
    signal.heard_by(&[ACCOUNT, WORK]).await;
    let (owner, mut events) = gateway.owner().await;
    // Who was let in by one is a stranger to the other.
    for (number, account) in [(WORK, "work"), (ACCOUNT, "default")] {
        lets_in(&owner, &signal, number, account).await;
    }
    for (number, account) in [(WORK, "work"), (ACCOUNT, "default")] {
        signal.says_to(number, ANN, account);
        let inbound = heard(&mut events).await;
        assert_eq!(
            (&inbound["accountId"], &inbound["text"]),
            (&json!(account), &json!(account))
        );
        let answer = json!({
            "channel": "signal", "accountId": account, "to": inbound["chat"], "message": "yes",
            "idempotencyKey": account,
        });
        let _: Value = owner.call("send", answer).await.unwrap();
        let expected = (number.into(), ANN.number.unwrap().into(), "yes".into());
        assert_eq!(sent(&signal).await, expected);
    }
    assert_eq!(signal.calls(), 0);
    let both = |default: bool, work: bool| [("default", default), ("work", work)];
    let both = |default, work| {
        both(default, work)
            .map(|(id, is)| (id.to_owned(), is))
            .to_vec()
    };
    assert_eq!(connections(&owner, "signal").await, both(true, true));

    // The phone has removed one.
    signal.set_accounts(&[ACCOUNT]);
    signal.close_streams();
    logs.until("signal: no messages, retrying", 1).await;
    signal.heard_by(&[ACCOUNT]).await;
    assert_eq!(connections(&owner, "signal").await, both(true, false));
    signal.says_to(ACCOUNT, ANN, "still");
    assert_eq!(heard(&mut events).await["text"], "still");
    // It is linked again.
    signal.set_accounts(&[ACCOUNT, WORK]);
    signal.says_to(WORK, ANN, "and again");
    let inbound = heard(&mut events).await;
    assert_eq!(
        (&inbound["accountId"], &inbound["text"]),
        (&json!("work"), &json!("and again"))
    );
    assert_eq!(connections(&owner, "signal").await, both(true, true));
    gateway.stop().await;
}

#[tokio::test]
async fn accounts_come_change_and_go_with_the_configuration() {
    let signal = Signal::start().await;
    signal.set_accounts(&[ACCOUNT, WORK, OTHER]);
    let dir = install(&signal, false);
    configure(&dir, &signal, None);
    let gateway = start(&dir).await;
    signal.heard_by(&[ACCOUNT]).await;
    let (owner, mut events) = gateway.owner().await;
    lets_in(&owner, &signal, ACCOUNT, "default").await;

    configure(&dir, &signal, Some(WORK));
    signal.heard_by(&[ACCOUNT, WORK]).await;
    signal.says_to(WORK, ANN, "let me in");
    assert_eq!(sent(&signal).await.0, WORK);

    configure(&dir, &signal, Some(OTHER));
    signal.heard_by(&[ACCOUNT, OTHER]).await;
    // Ann is known to wait: the account is the same, with another number.
    let allow = json!({ "channel": "signal", "accountId": "work", "entry": ANN.number.unwrap() });
    let _: Value = owner.call("pairing.allow", allow).await.unwrap();
    signal.says_to(OTHER, ANN, "by another number");
    assert_eq!(heard(&mut events).await["text"], "by another number");

    configure(&dir, &signal, None);
    signal.heard_by(&[ACCOUNT]).await;
    // The default account was not touched: its stream is the first one.
    signal.says_to(ACCOUNT, ANN, "as before");
    assert_eq!(heard(&mut events).await["text"], "as before");
    signal.opened(3).await;
    gateway.stop().await;
}
