//! What gateways say of themselves, and when it ends.

use std::collections::BTreeMap;
use std::time::Duration;

use etcd_client::Client;
use pairing_etcd::{Directory, EtcdStore};

use crate::asking::run;
use crate::members::Members;
use crate::support::{Bot, LONG};

fn values(names: &[&str]) -> BTreeMap<String, Vec<u8>> {
    let value = |name: &&str| ((*name).to_owned(), name.as_bytes().to_vec());
    names.iter().map(value).collect()
}

/// Waits until just this is published.
fn sees(directory: &Directory, expected: &[&str]) {
    let mut known = None;
    for _ in 0..1_000 {
        let Ok(Some(contents)) = directory.read(known, LONG) else {
            continue;
        };
        known = Some(contents.version);
        let mut values = contents.values;
        values.sort();
        if values
            == expected
                .iter()
                .map(|v| v.as_bytes().to_vec())
                .collect::<Vec<_>>()
        {
            return;
        }
    }
    panic!("{expected:?} was never seen");
}

#[test]
fn what_one_says_all_see_until_it_ends() {
    let members = Members::start(1);
    let settings = members.settings();
    let [one, other] = [0, 1].map(|_| EtcdStore::open(&settings).unwrap().directory());
    one.publish(&values(&["a", "b"])).unwrap();
    other.publish(&values(&["c"])).unwrap();
    sees(&other, &["a", "b", "c"]);
    one.publish(&values(&["b", "d"])).unwrap();
    sees(&other, &["b", "c", "d"]);
    // The same again is no news.
    let version = other.read(None, LONG).unwrap().unwrap().version;
    one.publish(&values(&["b", "d"])).unwrap();
    let news = other.read(Some(version), Duration::ZERO).unwrap();
    assert!(news.is_none(), "{news:?}");
    drop(one);
    sees(&other, &["c"]);
}

#[test]
fn many_are_published_and_withdrawn() {
    let members = Members::start(1);
    let settings = members.settings();
    let [one, other] = [0, 1].map(|_| EtcdStore::open(&settings).unwrap().directory());
    let many: Vec<String> = (0..350).map(|n| format!("n{n:04}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    one.publish(&values(&many)).unwrap();
    sees(&other, &many);
    one.publish(&values(&["a"])).unwrap();
    sees(&other, &["a"]);
}

#[test]
fn what_a_lost_lease_took_with_it_is_published_again() {
    let members = Members::start(1);
    let settings = members.settings();
    let store = EtcdStore::open(&settings).unwrap();
    let directory = store.directory();
    directory.publish(&values(&["a"])).unwrap();
    sees(&directory, &["a"]);
    // As if nobody had been able to renew it.
    run(async {
        let mut client = Client::connect(members.endpoints(), None).await.unwrap();
        let found = client.get("install-0/state/gateway/a", None).await.unwrap();
        client.lease_revoke(found.kvs()[0].lease()).await.unwrap();
    });
    sees(&directory, &[]);
    // Who finds the lease gone, by renewing it or by using it, takes another.
    let again = (0..1_000).find(|number| {
        directory
            .publish(&values(&["a", &number.to_string()]))
            .unwrap();
        directory.read(None, LONG).unwrap().unwrap().values.len() == 2
    });
    assert!(again.is_some(), "it never came back");
}

#[test]
fn who_is_there_is_no_change_of_the_state() {
    let members = Members::start(1);
    let settings = members.settings();
    let store = EtcdStore::open(&settings).unwrap();
    let bot = Bot::over(store.clone(), 1);
    bot.let_in("1001");
    store.directory().publish(&values(&["a"])).unwrap();
    let gate = bot.gate();
    assert!(gate.is_allowed("1001").unwrap());
    assert_eq!(gate.allowed().unwrap().problems, []);
}
