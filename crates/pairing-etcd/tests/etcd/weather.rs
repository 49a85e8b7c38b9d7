//! Members that die, stand still or are cut off; and what is left of the promises meanwhile.

use std::time::Duration;

use etcd_client::Client;
use pairing_core::store::{Batch, Change, Changed, Condition, Version};
use pairing_core::{Admission, AdmitError, PairingStore, Record, RequestError, StoreError};
use pairing_etcd::{EtcdStore, Settings};

use crate::asking::{leader, run};
use crate::members::Members;
use crate::proxy::Proxy;
use crate::support::{Bot, allow_key, owner, present, wait_for};

fn open(settings: &Settings) -> EtcdStore {
    EtcdStore::open(settings).unwrap()
}

/// A handle on the first install of the members behind the proxy.
fn open_through(proxy: &Proxy) -> EtcdStore {
    let settings = Settings::new([&proxy.endpoint]).unwrap();
    open(&settings.prefix("install-0").unwrap())
}

#[test]
fn a_leader_is_killed_and_nothing_is_lost() {
    let mut members = Members::start(3);
    let settings = members.settings();
    let store = open(&settings);
    let bot = Bot::over(store.clone(), 1);
    bot.let_in("1001");
    let leader = leader(&members);
    members.kill(leader);
    bot.let_in("1002");
    let another = Bot::over(open(&settings), 2);
    members.start_again(&[leader]);
    bot.let_in("1003");
    for sender in ["1001", "1002", "1003"] {
        assert!(another.gate().is_allowed(sender).unwrap(), "{sender}");
    }
}

#[test]
fn a_leader_stands_still_and_another_takes_over() {
    let members = Members::start(3);
    let settings = members.settings();
    let bot = Bot::over(open(&settings), 1);
    bot.let_in("1001");
    let leader = leader(&members);
    members.stop(leader);
    bot.let_in("1002");
    members.go_on(leader);
    bot.let_in("1003");
    assert_eq!(bot.gate().allowed().unwrap().entries.len(), 3);
}

#[test]
fn a_follower_of_each_member_misses_nothing_when_one_is_killed() {
    let mut members = Members::start(3);
    let settings = members.settings();
    let writer = open(&settings);
    let bot = Bot::over(writer.clone(), 1);
    // Whatever members these hang on, one of them hangs on the one that is killed.
    let endpoints = members.endpoints();
    let followers: Vec<_> = (0..3)
        .map(|first| {
            let mut order = endpoints.clone();
            order.rotate_left(first);
            open(&Settings::new(order).unwrap().prefix("install-0").unwrap())
        })
        .collect();
    let positions: Vec<_> = followers.iter().map(|f| present(f)).collect();
    members.kill(1);
    bot.let_in("1001");
    let key = allow_key(&bot.gate(), "1001");
    for (follower, position) in followers.iter().zip(positions) {
        let told = wait_for(follower, position, &key);
        assert!(matches!(told, Changed::Keys(_)), "a gap: {told:?}");
    }
}

#[test]
fn without_a_majority_nothing_is_granted_and_who_was_approved_is_served_for_a_while() {
    let members = Members::start(3);
    let grace = Duration::from_millis(2_500);
    let patience = Duration::from_millis(1_500);
    let settings = members.settings().grace(grace).patience(patience);
    let bot = Bot::over(open(&settings), 1);
    let gate = bot.gate();
    bot.let_in("1001");
    assert!(gate.is_allowed("1001").unwrap());
    let stopped = [0, 1];
    for at in stopped {
        members.stop(at);
    }
    // Who was approved is served; until nobody knows any more whether they still may.
    let mut served = 0;
    let refused = loop {
        match gate.admit("1001") {
            Ok(Admission::Approved(_)) => served += 1,
            other => break other,
        }
        // Nobody else is let in meanwhile, and nothing is written.
        assert!(!matches!(gate.admit("1002"), Ok(Admission::Approved(_))));
        if served == 1 {
            let asked = gate.request_or_reuse("1002").unwrap_err();
            let RequestError::Store(asked) = asked else {
                panic!("{asked:?}")
            };
            let is_honest = matches!(
                asked,
                StoreError::Unreachable { .. } | StoreError::Unwritable { .. }
            );
            assert!(is_honest, "{asked:?}");
        }
    };
    assert!(served > 0, "refused at once");
    let refused = refused.unwrap_err();
    assert!(
        matches!(refused, AdmitError::Store(StoreError::Unreachable { .. })),
        "{refused:?}"
    );
    for at in stopped {
        members.go_on(at);
    }
    // It recovers by itself.
    bot.pairing.changes(None, Duration::ZERO).ok();
    let again = (0..1_000).find_map(|_| gate.admit("1001").ok()).unwrap();
    assert!(matches!(again, Admission::Approved(_)));
    (0..1_000)
        .find_map(|_| gate.request_or_reuse("1002").ok())
        .unwrap();
}

#[test]
fn a_whole_cluster_is_started_again() {
    let mut members = Members::start(3);
    let settings = members.settings();
    let store = open(&settings);
    let bot = Bot::over(store.clone(), 1);
    bot.let_in("1001");
    let position = present(&store);
    for at in 0..3 {
        members.kill(at);
    }
    members.start_again(&[0, 1, 2]);
    let writer = Bot::over(open(&settings), 2);
    writer.let_in("1002");
    let told = wait_for(&store, position, &allow_key(&writer.gate(), "1002"));
    assert!(matches!(told, Changed::Keys(_)), "a gap: {told:?}");
    assert!(bot.gate().is_allowed("1001").unwrap());
}

#[test]
fn a_watch_that_was_lost_goes_on_where_it_was() {
    let members = Members::start(1);
    let settings = members.settings();
    let proxy = Proxy::to(&members.endpoints()[0]);
    let far = open_through(&proxy);
    let position = present(&far);
    proxy.cut();
    let bot = Bot::over(open(&settings), 1);
    bot.let_in("1001");
    proxy.open();
    let told = wait_for(&far, position, &allow_key(&bot.gate(), "1001"));
    assert!(matches!(told, Changed::Keys(_)), "a gap: {told:?}");
}

#[test]
fn what_was_compacted_meanwhile_is_listed_anew() {
    let members = Members::start(1);
    let settings = members.settings();
    let endpoint = &members.endpoints()[0];
    let proxy = Proxy::to(endpoint);
    let far = open_through(&proxy);
    let position = present(&far);
    proxy.cut();
    let bot = Bot::over(open(&settings), 1);
    bot.let_in("1001");
    run(async {
        let mut client = Client::connect([endpoint], None).await.unwrap();
        let revision = client.get("x", None).await.unwrap();
        let revision = revision.header().unwrap().revision();
        client.compact(revision, None).await.unwrap();
    });
    proxy.open();
    let key = allow_key(&bot.gate(), "1001");
    assert_eq!(wait_for(&far, position, &key), Changed::Everything);
    assert!(Bot::over(far, 2).gate().is_allowed("1001").unwrap());
}

#[test]
fn a_commit_whose_answer_was_lost_has_happened_once() {
    let members = Members::start(1);
    let proxy = Proxy::to(&members.endpoints()[0]);
    let settings = Settings::new([&proxy.endpoint]).unwrap();
    let store = EtcdStore::direct(&settings).unwrap();
    let bot = Bot::over(store.clone(), 1);
    bot.let_in("1001");
    let entry = store.read(&allow_key(&bot.gate(), "1001")).unwrap();
    let (key, version) = (entry.record.as_ref().unwrap().key(), entry.version);
    proxy.lose_next_answer();
    let batch = Batch {
        conditions: vec![Condition::Record(key.clone(), version)],
        changes: vec![Change::Put((*entry.record.unwrap()).clone())],
    };
    // Done twice, the second would conflict with the first.
    store.commit(&batch).unwrap();
    assert_eq!(proxy.lost(), 1);
    let after = store.read(&key).unwrap().version;
    assert!(after.number() > version.number());
}

#[test]
fn a_try_that_was_given_up_cannot_come_through_later() {
    let members = Members::start(1);
    let endpoint = members.endpoints()[0].clone();
    let slow = Proxy::to(&endpoint);
    let settings = Settings::new([slow.endpoint.as_str(), &endpoint]).unwrap();
    let store = EtcdStore::direct(&settings).unwrap();
    let bot = Bot::over(store.clone(), 1);
    bot.let_in("1001");
    let gate = bot.gate();
    let entry = store
        .read(&allow_key(&gate, "1001"))
        .unwrap()
        .record
        .unwrap();
    let key = entry.key();
    // Somebody has the place before the second try, and has left it when the first arrives.
    let other = EtcdStore::direct(&Settings::new([&endpoint]).unwrap()).unwrap();
    let batch = Batch {
        conditions: vec![Condition::Record(key.clone(), Version::ABSENT)],
        changes: vec![Change::Put((*entry).clone())],
    };
    slow.hold_requests();
    let refused = store.commit(&batch);
    assert!(matches!(refused, Err(StoreError::Conflict)), "{refused:?}");
    other
        .commit(&Batch {
            conditions: Vec::new(),
            changes: vec![Change::Delete(key.clone())],
        })
        .unwrap();
    slow.open();
    let given_up = run(async {
        let mut client = Client::connect([&endpoint], None).await.unwrap();
        let options = etcd_client::GetOptions::new().with_prefix();
        let operations = client
            .get("openclaw/operation/", Some(options))
            .await
            .unwrap();
        let said = operations.kvs().iter().map(|kv| kv.value().to_vec());
        said.filter(|value| value == b"given up").count()
    });
    assert_eq!(given_up, 1);
    assert_eq!(other.read(&key).unwrap().version, Version::ABSENT);
}

#[test]
fn a_value_that_makes_no_sense_spares_the_others_and_stays() {
    let members = Members::start(1);
    let settings = members.settings();
    let bot = Bot::over(EtcdStore::direct(&settings).unwrap(), 1);
    bot.let_in("1001");
    let foreign = "install-0/state/record/allow/telegram/default/1002";
    run(async {
        let mut client = Client::connect(members.endpoints(), None).await.unwrap();
        client
            .put(foreign, "{\"kind\":\"nonsense\"}", None)
            .await
            .unwrap();
    });
    for store in [open(&settings), EtcdStore::direct(&settings).unwrap()] {
        let gate = Bot::over(store, 2).gate();
        let listed = gate.allowed().unwrap();
        assert_eq!(listed.entries.len(), 1);
        assert_eq!(listed.problems[0].resource, foreign);
        assert!(gate.is_allowed("1001").unwrap());
        gate.is_allowed("1002").unwrap_err();
        gate.allow("1002", &owner()).unwrap_err();
    }
}

/// A record as large as they come does not fit a cluster, which is said, and spares everything else.
#[test]
fn what_is_too_much_at_once_is_refused() {
    let members = Members::start(1);
    let store = open(&members.settings());
    let bot = Bot::over(store.clone(), 1);
    bot.let_in("1001");
    let entry = store
        .read(&allow_key(&bot.gate(), "1001"))
        .unwrap()
        .record
        .unwrap();
    let Record::Allow(entry) = &*entry else {
        panic!("{entry:?}")
    };
    let large = pairing_core::store::AllowEntry {
        written: Some("1".repeat(2 << 20)),
        ..entry.clone()
    };
    let refused = store.commit(&Batch {
        conditions: Vec::new(),
        changes: vec![Change::Put(Record::Allow(large))],
    });
    assert!(
        matches!(refused, Err(StoreError::Refused { .. })),
        "{refused:?}"
    );
    assert!(bot.gate().is_allowed("1001").unwrap());
}
