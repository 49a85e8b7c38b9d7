//! Files of devices and nodes that are unusable, in part or as a whole, and the reports about them.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use pairing_core::store::{Change, PageRequest};
use pairing_core::{Channels, Key, Limits, PairingStore as _, Range, Record};
use pairing_fs::doctor::{Finding, Fix, examine, fix};

use crate::devices::{CLEAR, at, hash};
use crate::state::{ADMIN, PHONE, State, all, commit, device, request, request_key};

#[test]
fn a_time_that_cannot_be_read_is_no_time_that_never_was() {
    let state = State::recorded();
    let paired = state.read("devices/paired.json");
    let revoked = paired.replace(
        "\"rotatedAtMs\": 1795354075066",
        "\"revokedAtMs\": \"2026-11-22T13:27:57.013Z\"",
    );
    state.write("devices/paired.json", revoked);
    assert_eq!(device(&state.store, ADMIN), None);
    let (devices, problems) = all(&state.store, &Range::Devices);
    assert_eq!((devices.len(), problems.len()), (2, 1));
}

#[test]
fn t33_commands_that_cannot_be_read_are_none_that_were_never_named() {
    let state = State::recorded();
    let paired = state.read("devices/paired.json");
    let pending = state.read("devices/pending.json");
    let platform = "\"platform\": \"ios\",";
    let asks = "\"roles\": [\n      \"operator\"\n    ],";
    assert!(paired.contains(platform) && pending.contains(asks));
    for bad in [
        "7",
        "\"a\"",
        "[1]",
        "[\"\"]",
        "[\"a\\n\"]",
        "{}",
        "[\"a\", null]",
    ] {
        let node = format!("{platform} \"approvals\": {{ \"node\": {{ \"commands\": {bad} }} }},");
        state.write("devices/paired.json", paired.replace(platform, &node));
        assert_eq!(device(&state.store, PHONE), None, "{bad}");
        assert!(device(&state.store, ADMIN).is_some());
        let (devices, problems) = all(&state.store, &Range::Devices);
        assert_eq!((devices.len(), problems.len()), (2, 1), "{bad}");
        let asking = format!("\"roles\": [\"node\"], \"commands\": {bad},");
        state.write("devices/pending.json", pending.replace(asks, &asking));
        assert_eq!(request(&state.store, ADMIN), None, "{bad}");
        let (_, problems) = all(&state.store, &Range::DeviceRequests);
        assert!(problems[0].detail.contains("`commands`"), "{problems:?}");
    }
}

#[test]
fn a_key_that_is_not_the_devices_own_makes_no_device() {
    let state = State::recorded();
    let text = state.read("devices/paired.json").replace(
        "ugeFQ2bPD0Zv5Y20k795hGhN093E03hgfDrcD_cnpsg",
        "WFpVcaDzM2HcYahvSjr9Wj6pQ2PldHKzsJCiWq-4McA",
    );
    state.write("devices/paired.json", text);
    assert_eq!(device(&state.store, PHONE), None);
    assert!(device(&state.store, ADMIN).is_some());
}

#[test]
fn t71_t72_t73_a_spoilt_file_is_an_error_that_names_it_and_stays() {
    for spoilt in ["{", "[]", "", "\n", "null", "{\"a\":1} x", "\u{feff}{}"] {
        for name in ["paired.json", "pending.json", "bootstrap.json"] {
            let state = State::recorded();
            let admin = Record::from(state.device(ADMIN));
            let path = format!("devices/{name}");
            state.write(&path, spoilt);
            let (range, key) = match name {
                "paired.json" => (Range::Devices, admin.key()),
                "pending.json" => (Range::DeviceRequests, request_key(ADMIN)),
                _ => {
                    let hash = hash("x");
                    (Range::PairingTokens, Key::PairingToken { hash })
                }
            };
            let page = PageRequest::first(9);
            let errors = [
                state.store.read(&key).unwrap_err(),
                state.store.range(&range, &page).unwrap_err(),
                commit(&state.store, [Change::Delete(key)]).unwrap_err(),
            ];
            for error in errors {
                assert!(error.to_string().contains(&path), "{error} / {spoilt:?}");
            }
            assert_eq!(state.read(&path), spoilt);
            // Operations that need only the other files still work.
            if name == "paired.json" {
                assert!(request(&state.store, ADMIN).is_some());
                commit(&state.store, [Change::Delete(request_key(ADMIN))]).unwrap();
            } else {
                commit(&state.store, [Change::Put(admin)]).unwrap();
                assert!(!state.everything().contains(CLEAR[0]));
            }
            assert_eq!(state.read(&path), spoilt);
            assert_eq!(all(&state.store, &Range::Nodes).0.len(), 1);
        }
    }
}

#[test]
fn t83_everything_is_for_the_owner_alone() {
    let state = State::empty();
    let recorded = State::recorded();
    let records = [
        Record::from(recorded.device(PHONE)),
        Record::from(request(&recorded.store, ADMIN).unwrap()),
        all(&recorded.store, &Range::Nodes).0.remove(0),
    ];
    for record in records {
        commit(&state.store, [Change::Put(record)]).unwrap();
    }
    for dir in ["devices", "nodes"] {
        let mode = |path: &std::path::Path| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!(mode(&state.path(dir)), 0o700);
        for entry in fs::read_dir(state.path(dir)).unwrap() {
            let path = entry.unwrap().path();
            assert_eq!(mode(&path), 0o600, "{}", path.display());
            assert!(!path.to_string_lossy().ends_with(".lock"));
        }
    }
}

#[test]
fn of_two_requests_of_a_device_the_first_counts_and_both_end() {
    let state = State::recorded();
    let text = state.read("devices/pending.json");
    let second = text.trim_start_matches('{').replace("1a7d0601", "2a7d0601");
    let both = format!("{},{second}", text.trim_end_matches("\n}"));
    state.write("devices/pending.json", both);
    let (requests, problems) = all(&state.store, &Range::DeviceRequests);
    assert_eq!((requests.len(), problems.len()), (1, 0));
    assert!(
        request(&state.store, ADMIN)
            .unwrap()
            .id
            .as_str()
            .starts_with('1')
    );
    commit(&state.store, [Change::Delete(request_key(ADMIN))]).unwrap();
    assert_eq!(state.read("devices/pending.json"), "{}");
}

#[test]
fn the_doctor_names_what_is_wrong_and_mends_what_can_be() {
    let state = State::recorded();
    let dir = pairing_fs::StateDir::at(state.dir.path());
    fs::set_permissions(state.dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let (channels, limits) = (Channels::builtin(), Limits::default());
    let now = at(1_795_354_074_345 + 300_000);
    let kinds = |found: Vec<Finding>| {
        let kinds = found.into_iter().map(|finding| {
            let path = finding.path.strip_prefix(state.dir.path()).unwrap();
            format!("{} {}", finding.kind, path.display())
        });
        kinds.collect::<Vec<_>>()
    };
    let look = || kinds(examine(&dir, &channels, &limits, now));
    let notes = [
        "clear-tokens devices/paired.json",
        "expired-requests devices/pending.json",
        "clear-tokens nodes/paired.json",
    ];
    assert_eq!(look(), notes);

    let paired = state.read("devices/paired.json").replacen(
        "\"operator.admin\",\n      \"operator.read\",\n      \"operator.write\"",
        "\"operator.write\"",
        1,
    );
    state.write(
        "devices/paired.json",
        paired.replacen('{', "{\n  \"x\": 7,", 1),
    );
    state.write("devices/bootstrap.json", "[]");
    state.write("nodes/paired.json.migrated", "{}");
    let found = look();
    for finding in [
        "bad-record devices/paired.json",
        "beyond-baseline devices/paired.json",
        "malformed devices/bootstrap.json",
        "clear-archive nodes/paired.json.migrated",
    ] {
        assert!(
            found.iter().any(|found| found == finding),
            "{finding}: {found:?}"
        );
    }
    let how = Fix { set_aside: true };
    fix(&dir, &channels, &limits, now, &how);
    let found = look();
    assert!(
        !found
            .iter()
            .any(|f| f.starts_with("expired") || f.starts_with("malformed"))
    );
    assert_eq!(state.read("devices/pending.json"), "{}");
    // A repair is a write too, so no token is left in clear.
    assert!(
        !found
            .iter()
            .any(|f| f == "clear-tokens devices/paired.json")
    );
}

#[test]
fn the_doctor_tells_what_waits_and_how_to_decide() {
    let state = State::recorded();
    let dir = pairing_fs::StateDir::at(state.dir.path());
    let (channels, limits) = (Channels::builtin(), Limits::default());
    let found = examine(&dir, &channels, &limits, at(1_795_354_074_345 + 299_999));
    let waiting = found
        .iter()
        .find(|finding| finding.kind == "waiting")
        .unwrap();
    assert!(
        waiting.detail.ends_with("asks for more than it has"),
        "{waiting:?}"
    );
    assert!(
        waiting
            .advice
            .contains("openclaw devices approve 1a7d0601-346d-41eb-bed4-83d9e065b56d")
    );
}

#[test]
fn the_doctor_tells_of_an_identity_that_cannot_be_used() {
    let state = State::recorded();
    let dir = pairing_fs::StateDir::at(state.dir.path());
    fs::create_dir(dir.identity()).unwrap();
    fs::write(dir.identity().join("device.json"), "{").unwrap();
    let (channels, limits) = (Channels::builtin(), Limits::default());
    let found = examine(&dir, &channels, &limits, at(1_795_354_074_345));
    let identity = found
        .iter()
        .find(|finding| finding.kind == "identity")
        .unwrap();
    assert!(identity.detail.contains("line 1"), "{identity:?}");
    assert!(
        found
            .iter()
            .any(|finding| finding.kind == "loose-mode" && finding.path == dir.identity())
    );
}
