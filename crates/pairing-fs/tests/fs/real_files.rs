//! Files that OpenClaw 2026.2.17 wrote: they are read completely, and a change leaves the rest unchanged.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use pairing_core::{Admission, Requested, Via};

use crate::install::{Install, owner, recorded};

#[test]
fn every_request_is_read() {
    let install = Install::recorded();
    let mut found = Vec::new();
    for rules in install.pairing.channels().iter() {
        let pending = install
            .pairing
            .channel(rules.id().as_str())
            .unwrap()
            .pending();
        let pending = pending.unwrap();
        assert!(pending.problems.is_empty());
        for request in pending.requests {
            let meta: Vec<_> = request
                .meta
                .iter()
                .map(|(k, v)| format!("{k}={v}"))
                .collect();
            found.push(format!(
                "{} {} {} {} {}",
                request.channel,
                request.account,
                request.sender,
                request.code.as_str(),
                meta.join(",")
            ));
        }
    }
    let expected = [
        "imessage default me@example.org R8M42HK4 username=user1,name=Zoë Ünïcode",
        "telegram default 67890 M8NGT2AA username=user1,name=Zoë Ünïcode",
        "telegram work 777 UMKSKDC8 firstName=Ann",
        "whatsapp default +15550000002 ARZJQWV8 username=user1,name=Zoë Ünïcode",
    ];
    assert_eq!(found, expected);
}

/// Entries in their normal form, and as written in the file if that differs.
type Entries = &'static [(&'static str, Option<&'static str>)];

#[test]
fn every_allowed_sender_is_read_however_it_was_written() {
    let install = Install::recorded();
    let table: &[(&str, &str, Entries)] = &[
        (
            "discord",
            "default",
            &[("123456789012345678", None), ("42", Some("discord:42"))],
        ),
        (
            "feishu",
            "default",
            &[("ou_7d8a6e6df7621556ce0d21922b676706", None)],
        ),
        ("imessage", "default", &[("+15551234567", None)]),
        (
            "signal",
            "default",
            &[
                ("+15550001111", None),
                ("+15559990000", Some("signal:+15559990000")),
            ],
        ),
        (
            "slack",
            "default",
            &[("U012AB3CD", None), ("U999", Some("user:U999"))],
        ),
        (
            "telegram",
            "default",
            &[("12345", None), ("555", Some("tg:555"))],
        ),
        ("telegram", "work", &[("778", None)]),
        (
            "whatsapp",
            "default",
            &[
                ("+15550000001", None),
                ("+15552223333", Some("whatsapp:+1 (555) 222-3333")),
            ],
        ),
    ];
    for (channel, name, entries) in table {
        let account = install.account(channel, name);
        let allowed = account.allowed().unwrap();
        assert!(allowed.problems.is_empty());
        let found: Vec<_> = allowed
            .entries
            .iter()
            .map(|entry| (entry.entry.as_str(), entry.written.as_deref()))
            .collect();
        assert_eq!(found, *entries, "{channel} {name}");
        for (sender, written) in *entries {
            assert!(account.is_allowed(sender).unwrap());
            assert!(account.is_allowed(written.unwrap_or(sender)).unwrap());
        }
    }
    assert!(
        !install
            .account("telegram", "work")
            .is_allowed("12345")
            .unwrap()
    );
    assert!(
        !install
            .account("telegram", "default")
            .is_allowed("778")
            .unwrap()
    );
}

#[test]
fn t77_reading_writes_nothing() {
    let install = Install::recorded();
    for name in ["default", "work"] {
        install.account("telegram", name).pending().unwrap();
        install.account("telegram", name).allowed().unwrap();
        install.account("telegram", name).is_allowed("1").unwrap();
    }
    let names = |dir| {
        let entries = fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name());
        let mut names: Vec<_> = entries.collect();
        names.sort();
        names
    };
    assert_eq!(names(install.credentials()), names(recorded()));
}

#[test]
fn approving_writes_what_that_release_reads_and_nothing_else() {
    let install = Install::recorded();
    let telegram = install.pairing.channel("telegram").unwrap();
    let approved = telegram.approve("m8ng-t2aa", &owner()).unwrap();
    assert_eq!(approved.request.sender.as_str(), "67890");

    let expected = "{\n  \"version\": 1,\n  \"allowFrom\": [\n    \"12345\",\n    \"tg:555\",\n    \"67890\"\n  ]\n}\n";
    assert_eq!(install.read("telegram-allowFrom.json"), expected);
    let before = fs::read_to_string(recorded().join("telegram-pairing.json")).unwrap();
    let start = before.find("    {\n      \"id\": \"67890\"").unwrap();
    let end = before.find("    {\n      \"id\": \"777\"").unwrap();
    let expected = before[..start].to_owned() + &before[end..];
    assert_eq!(install.read("telegram-pairing.json"), expected);
    for file in fs::read_dir(recorded()).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        if name != "telegram-allowFrom.json" && name != "telegram-pairing.json" {
            let before = fs::read_to_string(recorded().join(&name)).unwrap();
            assert_eq!(install.read(&name), before, "{name}");
        }
    }
}

#[test]
fn approving_for_another_account_writes_that_accounts_file() {
    let install = Install::recorded();
    let telegram = install.pairing.channel("telegram").unwrap();
    telegram.approve("UMKSKDC8", &owner()).unwrap();
    let expected = "{\n  \"version\": 1,\n  \"allowFrom\": [\n    \"778\",\n    \"777\"\n  ]\n}\n";
    assert_eq!(install.read("telegram-work-allowFrom.json"), expected);
    assert!(
        !install
            .account("telegram", "default")
            .is_allowed("777")
            .unwrap()
    );
}

#[test]
fn a_new_request_is_written_as_that_release_writes_it() {
    let install = Install::recorded();
    install.write(
        "signal-pairing.json",
        "{\n  \"version\": 1,\n  \"requests\": []\n}\n",
    );
    let sender = pairing_core::Sender::new("signal:+1 555 000 9999").with("name", "Zoë \"Z\"");
    let Requested::Created(created) = install
        .account("signal", "work")
        .request_or_reuse(sender)
        .unwrap()
    else {
        panic!("not created");
    };
    let expected = format!(
        "{{\n  \"version\": 1,\n  \"requests\": [\n    {{\n      \"id\": \"+15550009999\",\n      \
         \"code\": \"{}\",\n      \"createdAt\": \"2026-11-22T13:30:57.000Z\",\n      \
         \"lastSeenAt\": \"2026-11-22T13:30:57.000Z\",\n      \"meta\": {{\n        \
         \"name\": \"Zoë \\\"Z\\\"\",\n        \"accountId\": \"work\"\n      }}\n    }}\n  ]\n}}\n",
        created.request.code.as_str()
    );
    assert_eq!(install.read("signal-pairing.json"), expected);
}

#[test]
fn metadata_is_stored_as_the_json_that_it_is() {
    let install = Install::empty();
    let telegram = install.account("telegram", "work");
    let sender = pairing_core::Sender::new("1")
        .with("username", "ann")
        .with("tags", vec!["a \"b\"", "c"])
        .with("isPremium", true)
        .with("level", 2.5);
    telegram.request_or_reuse(sender).unwrap();
    let written = install.read("telegram-pairing.json");
    let meta = "\"meta\": {\n        \"username\": \"ann\",\n        \
                \"tags\": [\"a \\\"b\\\"\",\"c\"],\n        \"isPremium\": true,\n        \
                \"level\": 2.5,\n        \"accountId\": \"work\"\n      }";
    assert!(written.contains(meta), "{written}");

    // What another program wrote is read within the bounds, and stays as it is written.
    let before = written.replace(
        "\"level\": 2.5",
        "\"level\":  [[[[[1]]]]],\n        \"cut\": [\"\\ud83d\"]",
    );
    let install = Install::empty();
    install.write("telegram-pairing.json", &before);
    let telegram = install.account("telegram", "work");
    let meta = telegram.pending().unwrap().requests.remove(0).meta;
    assert_eq!(meta.get("level").unwrap().to_string(), "[[[[]]]]");
    assert_eq!(meta.get("isPremium").unwrap().as_bool(), Some(true));
    assert_eq!(meta.get("cut"), None);
    telegram.request_or_reuse("2").unwrap();
    telegram.reject("2", &owner()).unwrap();
    assert_eq!(install.read("telegram-pairing.json"), before);
}

#[test]
fn what_is_not_understood_survives_byte_for_byte() {
    let install = Install::empty();
    let before = r#"{
  "version": 1,
  "later": { "kept":   [1.0, 1e400, 12345678901234567890] },
  "requests": [
    {
      "id": "1",
      "code": "AAAAAAAA",
      "createdAt": "2026-11-22T13:00:00.000Z",
      "lastSeenAt": "2026-11-22T13:00:00.000Z",
      "meta": {
        "name": "cut \ud83d",
        "count": 7
      },
      "extra": 1.50
    },
    "not a request",
    {
      "id": "@nobody",
      "code": "BBBBBBBB"
    }
  ],
  "last": null
}
"#;
    install.write("telegram-pairing.json", before);
    let telegram = install.account("telegram", "default");
    let pending = telegram.pending().unwrap();
    assert_eq!(pending.requests.len(), 1);
    assert_eq!(pending.problems.len(), 2);
    assert!(
        pending.problems[0].detail.contains("request 2"),
        "{pending:?}"
    );

    // The sender is seen again: one member of one request changes.
    telegram.request_or_reuse("1").unwrap();
    let seen = before.replace(
        "\"lastSeenAt\": \"2026-11-22T13:00:00.000Z\"",
        "\"lastSeenAt\": \"2026-11-22T13:30:57.000Z\"",
    );
    assert_eq!(install.read("telegram-pairing.json"), seen);

    // Another request is created and rejected.
    telegram.request_or_reuse("2").unwrap();
    telegram.reject("2", &owner()).unwrap();
    assert_eq!(install.read("telegram-pairing.json"), seen);
}

#[test]
fn adding_and_removing_an_entry_leaves_the_file_as_it_was() {
    let install = Install::recorded();
    for (channel, entry) in [
        ("telegram", "99"),
        ("whatsapp", "+15551112222"),
        ("slack", "U1"),
    ] {
        let name = format!("{channel}-allowFrom.json");
        let before = install.read(&name);
        let account = install.account(channel, "default");
        assert!(account.allow(entry, &owner()).unwrap());
        assert_ne!(install.read(&name), before);
        account.revoke(entry, &owner()).unwrap().unwrap();
        assert_eq!(install.read(&name), before);
    }
}

#[test]
fn t53_the_default_account_reads_both_files_and_removal_removes_from_both() {
    let install = Install::recorded();
    install.write(
        "telegram-default-allowFrom.json",
        "{\n  \"version\": 1,\n  \"allowFrom\": [\n    \"telegram:12345\",\n    \"31\"\n  ]\n}\n",
    );
    let account = install.account("telegram", "default");
    let entries = account.allowed().unwrap().entries;
    let entries: Vec<_> = entries.iter().map(|entry| entry.entry.as_str()).collect();
    assert_eq!(entries, ["12345", "555", "31"]);

    account.revoke("tg:12345", &owner()).unwrap().unwrap();
    assert!(!account.is_allowed("12345").unwrap());
    assert!(!install.read("telegram-allowFrom.json").contains("12345"));
    assert!(
        !install
            .read("telegram-default-allowFrom.json")
            .contains("12345")
    );
    assert!(account.is_allowed("31").unwrap());
}

#[test]
fn who_granted_is_on_record_and_losing_the_record_loses_no_grant() {
    let install = Install::recorded();
    let account = install.account("telegram", "default");
    account.approve("M8NGT2AA", &owner()).unwrap();
    let grant_of = |sender: &str| {
        let entries = account.allowed().unwrap().entries;
        let mut entries = entries.into_iter();
        entries
            .find(|entry| entry.entry.as_str() == sender)
            .unwrap()
            .grant
    };
    let grant = grant_of("67890").unwrap();
    assert_eq!(grant.by.as_str(), "terminal:ann");
    assert_eq!(grant.via, Via::Terminal);
    assert_eq!(
        grant.requested_at.unwrap().to_string(),
        "2026-11-22T13:27:57.013Z"
    );
    assert_eq!(grant_of("12345"), None);

    fs::remove_dir_all(install.path("pairing-meta")).unwrap();
    let account = install
        .impatient()
        .channel("telegram")
        .unwrap()
        .account("default")
        .unwrap();
    assert!(matches!(
        account.admit("67890").unwrap(),
        Admission::Approved(_)
    ));
}

#[test]
fn t83_everything_is_for_the_owner_alone_whatever_it_was_before() {
    let install = Install::recorded();
    let loose = fs::Permissions::from_mode(0o644);
    fs::set_permissions(install.path("telegram-allowFrom.json"), loose).unwrap();
    let account = install.account("telegram", "default");
    account.approve("M8NGT2AA", &owner()).unwrap();
    let fresh = Install::empty();
    fresh
        .account("telegram", "default")
        .request_or_reuse("1")
        .unwrap();
    for credentials in [install.credentials(), fresh.credentials()] {
        let mode = |path: &std::path::Path| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!(mode(&credentials), 0o700);
        let mut dirs = vec![credentials];
        while let Some(dir) = dirs.pop() {
            for entry in fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    assert_eq!(mode(&path), 0o700, "{}", path.display());
                    dirs.push(path);
                } else if path.file_name().unwrap() != "telegram-work-allowFrom.json" {
                    assert_eq!(mode(&path), 0o600, "{}", path.display());
                }
            }
        }
    }
}

#[test]
fn a_linked_file_is_changed_where_it_is() {
    let install = Install::recorded();
    let elsewhere = install.dir.path().join("elsewhere.json");
    fs::rename(install.path("telegram-allowFrom.json"), &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, install.path("telegram-allowFrom.json")).unwrap();
    let account = install.account("telegram", "default");
    assert!(account.is_allowed("12345").unwrap());
    account.allow("1", &owner()).unwrap();
    assert!(install.path("telegram-allowFrom.json").is_symlink());
    assert!(fs::read_to_string(&elsewhere).unwrap().contains("\"1\""));
}

#[test]
fn t116_a_link_out_of_what_is_the_owners_is_not_followed() {
    use std::os::unix::fs::symlink;
    let install = Install::recorded();
    let open = install.dir.path().join("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
    let elsewhere = open.join("elsewhere.json");
    fs::rename(install.path("telegram-allowFrom.json"), &elsewhere).unwrap();
    symlink(&elsewhere, install.path("telegram-allowFrom.json")).unwrap();
    let before = fs::read_to_string(&elsewhere).unwrap();
    let account = install.account("telegram", "default");
    account.allow("1", &owner()).unwrap_err();
    assert_eq!(fs::read_to_string(&elsewhere).unwrap(), before);
    let names = fs::read_dir(&open).unwrap().count();
    assert_eq!(names, 1, "nothing was staged there");
}

#[test]
fn t116_locks_that_are_links_are_not_followed() {
    use std::os::unix::fs::symlink;
    let precious = tempfile::NamedTempFile::new().unwrap();
    fs::write(precious.path(), "kept").unwrap();
    let install = Install::empty();
    let account = install.account("telegram", "default");
    account.allow("1", &owner()).unwrap();
    let locks = fs::read_dir(install.path("")).unwrap();
    let locks = locks.map(|entry| entry.unwrap().path());
    let locks: Vec<_> = locks
        .filter(|path| path.to_string_lossy().ends_with(".oslock"))
        .collect();
    assert!(!locks.is_empty());
    for lock in &locks {
        fs::remove_file(lock).unwrap();
        symlink(precious.path(), lock).unwrap();
    }
    account.allow("2", &owner()).unwrap_err();
    assert_eq!(fs::read_to_string(precious.path()).unwrap(), "kept");
    for lock in &locks {
        fs::remove_file(lock).unwrap();
    }
    account.allow("2", &owner()).unwrap();
}

#[test]
fn t116_a_directory_that_others_may_write_to_is_not_written_to() {
    let install = Install::recorded();
    let root = install.path("").parent().unwrap().to_owned();
    let account = install.account("telegram", "default");
    fs::set_permissions(&root, fs::Permissions::from_mode(0o777)).unwrap();
    account.allow("1", &owner()).unwrap_err();
    let found = pairing_fs::doctor::examine(
        &pairing_fs::StateDir::at(&root),
        &pairing_core::Channels::builtin(),
        &pairing_core::Limits::default(),
        pairing_core::Timestamp::from_millis(0),
    );
    let named = found
        .iter()
        .find(|finding| finding.kind == "not-the-owners");
    assert_eq!(named.unwrap().path, root);
    fs::set_permissions(&root, fs::Permissions::from_mode(0o700)).unwrap();
    account.allow("1", &owner()).unwrap();
}

#[test]
fn numbers_count_as_the_ids_they_spell() {
    let install = Install::empty();
    install.write(
        "telegram-allowFrom.json",
        "{\"version\":1,\"allowFrom\":[12345, null, \"@ann\", \"*\"]}",
    );
    let account = install.account("telegram", "default");
    assert!(account.is_allowed("12345").unwrap());
    assert!(!account.is_allowed("1").unwrap());
    let allowed = account.allowed().unwrap();
    assert_eq!(allowed.problems.len(), 3, "{:?}", allowed.problems);
}
