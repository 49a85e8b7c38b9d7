//! The recorded database: everything in it is read, decided about, and left readable.

use pairing_core::device::Role;
use pairing_core::store::PageRequest;
use pairing_core::{
    AccountId, Approver, ChannelId, Channels, Key, ManualClock, Pairing, PairingBuilder,
    PairingStore, Range, Record, Sender, Timestamp,
};
use pairing_sqlite::OpenClawStore;

use crate::install::{Install, Sevens};

/// When the recorded requests were made.
const REQUESTED: &str = "2026-11-26T17:34:13.000Z";

pub(crate) fn channel(name: &str) -> ChannelId {
    ChannelId::parse(name).unwrap()
}

pub(crate) fn range(store: &OpenClawStore, range: &Range) -> Vec<Record> {
    let page = store.range(range, &PageRequest::first(1000)).unwrap();
    assert_eq!(page.problems, []);
    page.records
        .iter()
        .map(|record| (**record).clone())
        .collect()
}

fn allowed(store: &OpenClawStore, name: &str) -> Vec<String> {
    let of = Range::Allowed {
        channel: channel(name),
        account: None,
    };
    let records = range(store, &of);
    let entries = records.iter().filter_map(Record::as_allow);
    entries
        .map(|allow| allow.entry.as_str().to_owned())
        .collect()
}

fn service(store: OpenClawStore) -> Pairing {
    let now = Timestamp::parse(REQUESTED).unwrap();
    let clock = ManualClock::new(Timestamp::from_millis(now.as_millis() + 60_000));
    PairingBuilder::new(store, clock, Sevens)
        .channels(Channels::builtin())
        .build()
}

#[test]
fn t123_what_is_in_the_database_is_listed() {
    let install = Install::recorded();
    let store = install.open();
    let channels: Vec<_> = store
        .channels()
        .unwrap()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        channels,
        [
            "discord", "feishu", "imessage", "signal", "slack", "telegram", "whatsapp"
        ]
    );
    assert_eq!(allowed(&store, "discord"), ["123456789012345678", "42"]);
    assert_eq!(
        allowed(&store, "whatsapp"),
        ["+15550000001", "+15552223333"]
    );
    assert_eq!(allowed(&store, "telegram"), ["12345", "555"]);
    let telegram = Range::Requests {
        channel: channel("telegram"),
        account: None,
    };
    let requests = range(&store, &telegram);
    let requests: Vec<_> = requests.iter().filter_map(Record::as_request).collect();
    let shown = requests
        .iter()
        .map(|r| (r.account.as_str(), r.sender.as_str(), r.code.as_str()));
    assert_eq!(
        shown.collect::<Vec<_>>(),
        [
            ("default", "67890", "M8NGT2AA"),
            ("work", "777", "UMKSKDC8")
        ]
    );
    assert_eq!(requests[0].meta.text("username"), Some("user1"));
    assert_eq!(range(&store, &Range::Devices).len(), 5);
    assert_eq!(range(&store, &Range::DeviceRequests), []);
    assert_eq!(range(&store, &Range::PairingTokens).len(), 1);
    assert_eq!(store.clear_tokens().unwrap(), 5);
}

#[test]
fn what_is_listed_is_read_by_its_key() {
    let install = Install::recorded();
    let store = install.open();
    let mut ranges = vec![Range::Devices, Range::PairingTokens];
    for channel in store.channels().unwrap() {
        let (account, also) = (None, channel.clone());
        ranges.push(Range::Requests { channel, account });
        ranges.push(Range::Allowed {
            channel: also,
            account: None,
        });
    }
    let mut count = 0;
    for of in ranges {
        for record in range(&store, &of) {
            let read = store.read(&record.key()).unwrap().record;
            assert_eq!(read.as_deref(), Some(&record));
            if let Record::Request(request) = &record {
                let code = Record::Code(request.taken_code());
                assert_eq!(
                    store.read(&code.key()).unwrap().record.as_deref(),
                    Some(&code)
                );
            }
            count += 1;
        }
    }
    assert_eq!(count, 12 + 4 + 5 + 1);
}

#[test]
fn approving_rejecting_allowing_and_revoking_are_rows() {
    let install = Install::recorded();
    let pairing = service(install.open());
    let terminal = Approver::terminal("ann");
    let telegram = pairing.channel("telegram").unwrap();
    telegram.approve("M8NGT2AA", &terminal).unwrap();
    let work = telegram.account("work").unwrap();
    work.reject("UMKSKDC8", &terminal).unwrap();
    let account = telegram.account("work").unwrap();
    account.allow("tg:999", &terminal).unwrap();
    telegram
        .account("default")
        .unwrap()
        .revoke("telegram:555", &terminal)
        .unwrap();
    assert_eq!(
        install.rows(
            "SELECT account_id, entry, sort_order FROM channel_pairing_allow_entries
            WHERE channel_key = 'telegram' ORDER BY account_id, sort_order"
        ),
        ["default|12345|0", "default|67890|2", "work|999|0"]
    );
    assert_eq!(
        install
            .rows("SELECT count(*) FROM channel_pairing_requests WHERE channel_key = 'telegram'"),
        ["0"]
    );
    // Who granted it is beside, and found again by another handle.
    let key = Key::Allow {
        channel: channel("telegram"),
        account: AccountId::default(),
        entry: pairing
            .channels()
            .get(&channel("telegram"))
            .unwrap()
            .sender("67890")
            .unwrap(),
    };
    let read = install.open().read(&key).unwrap().record.unwrap();
    let grant = read.as_allow().unwrap().grant.clone().unwrap();
    assert_eq!(grant.by.as_str(), "terminal:ann");
}

#[test]
fn a_stranger_who_writes_is_a_row_of_theirs() {
    let install = Install::recorded();
    let pairing = service(install.open());
    let telegram = pairing.channel("telegram").unwrap();
    let account = telegram.account("default").unwrap();
    let sender = Sender::new("31337").with("firstName", "Zoë");
    account.request_or_reuse(sender).unwrap();
    let rows = install.rows(
        "SELECT account_id, created_at, last_seen_at, meta_json, length(code)
        FROM channel_pairing_requests WHERE request_id = '31337'",
    );
    let at = "2026-11-26T17:35:13.000Z";
    assert_eq!(
        rows,
        [format!("default|{at}|{at}|{{\"firstName\":\"Zoë\"}}|8")]
    );
}

#[test]
fn an_entry_in_another_spelling_is_found_and_revoked() {
    let install = Install::recorded();
    let store = install.open();
    let pairing = service(store.clone());
    let discord = pairing.channel("discord").unwrap();
    let account = discord.account("default").unwrap();
    account.revoke("42", &Approver::terminal("ann")).unwrap();
    assert_eq!(allowed(&store, "discord"), ["123456789012345678"]);
    assert_eq!(
        install
            .rows("SELECT entry FROM channel_pairing_allow_entries WHERE channel_key = 'discord'"),
        ["123456789012345678"]
    );
}

#[test]
fn a_device_with_commands_that_wait_was_approved_for_none() {
    let install = Install::recorded();
    let devices = range(&install.open(), &Range::Devices);
    let commands = |name: &str| {
        let named = |record: &&Record| {
            record.as_device().unwrap().info.display_name.as_deref() == Some(name)
        };
        let device = devices.iter().find(named).unwrap().as_device().unwrap();
        device.roles[&Role::Node].commands.clone()
    };
    assert_eq!(commands("NodeA"), Some(std::collections::BTreeSet::new()));
    // Imported from a release without surfaces.
    assert_eq!(commands("Phone"), None);
}

#[test]
fn an_entry_in_another_spelling_stays_known_over_decisions_of_ours_and_theirs() {
    let install = Install::recorded();
    let store = install.open();
    let pairing = service(store.clone());
    let ann = Approver::terminal("ann");
    let telegram = pairing.channel("telegram").unwrap();
    let account = telegram.account("default").unwrap();
    for round in 0..3 {
        install.sql(&format!(
            "INSERT INTO channel_pairing_allow_entries VALUES ('telegram', 'default', 'tg:77{round}', {round}, 0)"
        ));
        let written = format!("77{round}");
        assert!(account.is_allowed(&written).unwrap(), "theirs");
        account.allow("31", &ann).unwrap();
        assert!(account.is_allowed(&written).unwrap(), "after one of ours");
        account.revoke(&written, &ann).unwrap();
        assert!(!account.is_allowed(&written).unwrap(), "revoked");
        account.revoke("31", &ann).unwrap();
        assert!(!account.is_allowed(&written).unwrap(), "for good");
        account.allow(&format!("telegram:78{round}"), &ann).unwrap();
        assert!(
            account.is_allowed(&format!("78{round}")).unwrap(),
            "as we wrote it"
        );
    }
}
