//! Unusable files cause an error that names them, keep their bytes, and affect nothing else.

use std::error::Error as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use pairing_core::{
    AdmitError, AllowlistError, DecisionError, ListError, RequestError, StoreError,
};
use pairing_fs::FileError;

use crate::install::{Install, owner};

/// Invalid contents of a file, and the error reported for each.
const SPOILT: [(&str, &str); 7] = [
    ("{", "line 1, column 1: EOF while parsing an object"),
    (
        "[]",
        "line 1, column 1: invalid type: sequence, expected an object",
    ),
    ("", "the file is empty"),
    ("\n", "the file is empty"),
    (
        "null",
        "line 1, column 4: invalid type: null, expected an object",
    ),
    (
        "{\n  \"version\": 2\n}\n",
        "line 2, column 14: version 2 of the format, only 1 is known",
    ),
    (
        "{\n  \"version\": 1,\n  \"requests\": {},\n  \"allowFrom\": {}\n}\n",
        "is not a list",
    ),
];

fn cause(error: &StoreError) -> String {
    assert!(matches!(error, StoreError::Unreadable { .. }), "{error}");
    error.source().map(ToString::to_string).unwrap_or_default()
}

#[test]
fn t71_t72_t73_unreadable_requests_are_an_error_and_stay_as_they_are() {
    for (text, said) in SPOILT {
        let install = Install::recorded();
        install.write("telegram-pairing.json", text);
        let telegram = install.account("telegram", "default");
        let named = |error: &StoreError| {
            assert!(
                error.to_string().contains("telegram-pairing.json"),
                "{error}"
            );
            assert!(cause(error).contains(said), "{} / {said}", cause(error));
        };
        match telegram.pending() {
            Err(ListError(error)) => named(&error),
            Ok(found) => panic!("{found:?}"),
        }
        match telegram.request_or_reuse("1") {
            Err(RequestError::Store(error)) => named(&error),
            other => panic!("{other:?}"),
        }
        match telegram.approve("M8NGT2AA", &owner()) {
            Err(DecisionError::Store(error)) => named(&error),
            other => panic!("{other:?}"),
        }
        assert_eq!(install.read("telegram-pairing.json"), text);
        assert_eq!(install.debris(), [""; 0]);
        // Operations that need only the allowlist still work, and so do other channels.
        assert!(telegram.is_allowed("12345").unwrap());
        assert_eq!(
            install
                .account("whatsapp", "default")
                .pending()
                .unwrap()
                .requests
                .len(),
            1
        );
    }
}

#[test]
fn t59_t71_an_unreadable_allowlist_admits_nobody_and_is_never_overwritten() {
    for (text, said) in SPOILT {
        let install = Install::recorded();
        install.write("telegram-allowFrom.json", text);
        let telegram = install.account("telegram", "default");
        let named = |error: &StoreError| {
            assert!(
                error.to_string().contains("telegram-allowFrom.json"),
                "{error}"
            );
            assert!(cause(error).contains(said), "{} / {said}", cause(error));
        };
        match telegram.is_allowed("12345") {
            Err(AdmitError::Store(error)) => named(&error),
            other => panic!("{other:?}"),
        }
        match telegram.approve("M8NGT2AA", &owner()) {
            Err(DecisionError::Store(error)) => named(&error),
            other => panic!("{other:?}"),
        }
        match telegram.allow("1", &owner()) {
            Err(AllowlistError::Store(error)) => named(&error),
            other => panic!("{other:?}"),
        }
        assert_eq!(install.read("telegram-allowFrom.json"), text);
        // The request is kept until the file is repaired.
        assert_eq!(telegram.pending().unwrap().requests.len(), 1);
        assert!(
            install
                .account("telegram", "work")
                .is_allowed("778")
                .unwrap()
        );
        assert!(
            install
                .account("discord", "default")
                .is_allowed("42")
                .unwrap()
        );
    }
}

#[test]
fn bytes_that_are_no_text_are_found() {
    let install = Install::recorded();
    install.write("telegram-allowFrom.json", b"{\n  \"version\xff\": 1\n}");
    let refused = install.account("telegram", "default").is_allowed("1");
    let Err(AdmitError::Store(error)) = refused else {
        panic!()
    };
    let source = error.source().unwrap().downcast_ref::<FileError>().unwrap();
    assert!(
        matches!(
            source,
            FileError::NotUtf8 {
                line: 2,
                column: 11
            }
        ),
        "{source}"
    );
}

#[test]
fn directories_and_links_to_nowhere_are_not_missing_files() {
    for name in ["telegram-pairing.json", "telegram-allowFrom.json"] {
        for kind in ["directory", "dangling link", "loop", "pipe"] {
            let install = Install::recorded();
            let path = install.path(name);
            fs::remove_file(&path).unwrap();
            match kind {
                "directory" => fs::create_dir(&path).unwrap(),
                "dangling link" => std::os::unix::fs::symlink("nowhere.json", &path).unwrap(),
                "loop" => std::os::unix::fs::symlink(&path, &path).unwrap(),
                _ => {
                    let made = std::process::Command::new("mkfifo")
                        .arg(&path)
                        .status()
                        .unwrap();
                    assert!(made.success());
                }
            }
            let telegram = install.account("telegram", "default");
            assert!(
                telegram.approve("M8NGT2AA", &owner()).is_err(),
                "{name} {kind}"
            );
            assert!(telegram.request_or_reuse("1").is_err(), "{name} {kind}");
            let meta = fs::symlink_metadata(&path).unwrap();
            assert!(!meta.is_file(), "{name}: the {kind} is still there");
        }
    }
}

#[test]
fn t74_one_bad_record_among_good_ones_is_passed_over_and_kept() {
    let install = Install::recorded();
    let text = install.read("telegram-pairing.json");
    let bad = text.replace(
        "\"requests\": [\n",
        "\"requests\": [\n    {\n      \"id\": 7,\n      \"code\": \"no\"\n    },\n    [],\n",
    );
    install.write("telegram-pairing.json", &bad);
    let telegram = install.pairing.channel("telegram").unwrap();
    assert_eq!(telegram.pending().unwrap().problems.len(), 2);
    telegram.approve("M8NGT2AA", &owner()).unwrap();
    let after = install.read("telegram-pairing.json");
    assert!(
        after.contains("\"code\": \"no\"") && after.contains("    []"),
        "{after}"
    );
    assert!(after.contains("UMKSKDC8") && !after.contains("M8NGT2AA"));
}

#[test]
fn t62_requests_without_a_readable_time_are_expired_and_vanish() {
    let times = [
        "",
        ",\n\"createdAt\": null",
        ",\n\"createdAt\": \"soon\"",
        ",\n\"createdAt\": \"2999-01-01T00:00:00.000Z\"",
    ];
    for (number, time) in times.iter().enumerate() {
        let install = Install::empty();
        let id = number + 1;
        install.write(
            "telegram-pairing.json",
            format!(
                "{{\"version\":1,\"requests\":[{{\"id\":\"{id}\",\"code\":\"AAAAAAAA\"{time}}}]}}"
            ),
        );
        let telegram = install.account("telegram", "default");
        assert!(telegram.pending().unwrap().requests.is_empty(), "{time}");
        let refused = telegram.approve("AAAAAAAA", &owner());
        assert!(
            matches!(refused, Err(DecisionError::Expired { .. })),
            "{time}"
        );
        telegram.request_or_reuse("77").unwrap();
        assert!(
            !install.read("telegram-pairing.json").contains("AAAAAAAA"),
            "{time}"
        );
    }
}

#[test]
fn t60_a_code_of_two_accounts_is_an_error_that_names_them() {
    let install = Install::recorded();
    let text = install
        .read("telegram-pairing.json")
        .replace("UMKSKDC8", "M8NGT2AA");
    install.write("telegram-pairing.json", &text);
    let telegram = install.pairing.channel("telegram").unwrap();
    match telegram.approve("M8NGT2AA", &owner()) {
        Err(DecisionError::Ambiguous { accounts }) => {
            let accounts: Vec<_> = accounts
                .iter()
                .map(pairing_core::AccountId::as_str)
                .collect();
            assert_eq!(accounts, ["default", "work"]);
        }
        other => panic!("{other:?}"),
    }
    let work = telegram.account("work").unwrap();
    work.approve("M8NGT2AA", &owner()).unwrap();
    assert!(work.is_allowed("777").unwrap());
    assert_eq!(telegram.pending().unwrap().requests.len(), 1);
}

#[test]
fn unreadable_grants_keep_nobody_out() {
    let install = Install::recorded();
    let telegram = install.account("telegram", "default");
    telegram.approve("M8NGT2AA", &owner()).unwrap();
    install.write("pairing-meta/telegram.json", "{");
    let fresh = install
        .impatient()
        .channel("telegram")
        .unwrap()
        .account("default")
        .unwrap();
    assert!(fresh.is_allowed("67890").unwrap());
    assert_eq!(fresh.allowed().unwrap().entries.len(), 3);
    // A new grant does not overwrite the file.
    assert!(matches!(
        fresh.allow("1", &owner()),
        Err(AllowlistError::Store(_))
    ));
    assert_eq!(install.read("pairing-meta/telegram.json"), "{");
}

#[test]
fn a_file_that_may_not_be_read_is_an_error() {
    let install = Install::recorded();
    let closed = fs::Permissions::from_mode(0o000);
    fs::set_permissions(install.path("telegram-allowFrom.json"), closed).unwrap();
    if fs::File::open(install.path("telegram-allowFrom.json")).is_ok() {
        // Root can read every file; the tests of the command line run this as another user.
        return;
    }
    let refused = install.account("telegram", "default").is_allowed("12345");
    assert!(matches!(
        refused,
        Err(AdmitError::Store(StoreError::Unreadable { .. }))
    ));
}

#[test]
fn huge_files_are_refused_before_they_are_read() {
    let install = Install::recorded();
    let file = fs::File::create(install.path("telegram-allowFrom.json")).unwrap();
    file.set_len(1 << 40).unwrap();
    let Err(AdmitError::Store(error)) = install.account("telegram", "default").is_allowed("1")
    else {
        panic!("a terabyte was read");
    };
    assert!(
        cause(&error).contains("at most 67108864"),
        "{}",
        cause(&error)
    );
}

#[test]
fn deep_nesting_is_no_danger() {
    let install = Install::empty();
    let deep = "[".repeat(1_000_000) + &"]".repeat(1_000_000);
    install.write(
        "telegram-pairing.json",
        format!("{{\"version\":1,\"x\":{deep},\"requests\":[{deep}]}}"),
    );
    let pending = install.account("telegram", "default").pending();
    assert!(pending.is_err() || pending.is_ok_and(|pending| pending.problems.len() == 1));
}

#[test]
fn t143_a_number_that_others_round_lets_nobody_in_and_a_tag_is_named() {
    let install = Install::recorded();
    let text = r#"{"version":1,"allowFrom":[1467222987553865771,123456789012345,1.5,"ann#1234","1467222987553865772"]}"#;
    install.write("discord-allowFrom.json", text);
    let account = install.pairing.channel("discord").unwrap();
    let account = account.account("default").unwrap();
    for (sender, is_allowed) in [
        ("1467222987553865771", false),
        // As JavaScript rounds it.
        ("1467222987553865700", false),
        ("123456789012345", true),
        ("1467222987553865772", true),
    ] {
        assert_eq!(account.is_allowed(sender).unwrap(), is_allowed, "{sender}");
    }
    let found = pairing_fs::doctor::examine(
        &install.state(),
        &pairing_core::Channels::builtin(),
        &pairing_core::Limits::default(),
        pairing_core::Clock::now(&*install.clock),
    );
    let path = install.path("discord-allowFrom.json");
    let named = found.iter().filter(|finding| finding.path == path);
    let named: Vec<_> = named
        .map(|finding| (finding.kind, finding.detail.as_str()))
        .collect();
    for entry in ["`1467222987553865771`", "`1.5`", "`ann#1234`"] {
        let is_named =
            |(kind, detail): &(&str, &str)| *kind == "never-matches" && detail.contains(entry);
        assert_eq!(
            named.iter().filter(|one| is_named(one)).count(),
            1,
            "{entry}: {named:?}"
        );
    }
}

#[test]
fn t133_without_the_record_of_approvers_nobody_is_added_and_all_else_goes_on() {
    for (text, _) in SPOILT
        .into_iter()
        .filter(|(text, _)| !text.contains("requests"))
    {
        let install = Install::recorded();
        let telegram = install.account("telegram", "default");
        telegram.allow("42", &owner()).unwrap();
        let good = install.read("pairing-meta/telegram.json");
        install.write("pairing-meta/telegram.json", text);
        assert!(telegram.is_allowed("42").unwrap());
        assert_eq!(telegram.pending().unwrap().requests.len(), 1);
        let channel = pairing_core::ChannelId::parse("telegram").unwrap();
        let problems = install
            .impatient()
            .check(pairing_core::store::Group::Channel(&channel))
            .unwrap();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(
            problems[0].resource.ends_with("pairing-meta/telegram.json"),
            "{problems:?}"
        );
        match telegram.approve("M8NGT2AA", &owner()) {
            Err(DecisionError::Store(error)) => {
                assert!(error.to_string().contains("telegram.json"), "{error}");
            }
            other => panic!("{other:?}"),
        }
        // Whoever is removed is removed at once.
        telegram.revoke("42", &owner()).unwrap();
        assert!(!telegram.is_allowed("42").unwrap());
        assert_eq!(install.read("pairing-meta/telegram.json"), text);
        // What was left of the grant goes with the next change.
        install.write("pairing-meta/telegram.json", &good);
        telegram.approve("M8NGT2AA", &owner()).unwrap();
        assert!(
            !install
                .read("pairing-meta/telegram.json")
                .contains("\"42\"")
        );
    }
}

#[test]
fn a_file_that_cannot_be_opened_is_told_of_once() {
    let install = Install::recorded();
    let pairing = install.impatient();
    let position = || pairing.changes(None, Duration::ZERO).unwrap().position;
    let before = position();
    let path = install.path("telegram-pairing.json");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    let broken = position();
    assert_ne!(broken, before);
    assert_eq!(position(), broken);
    fs::remove_dir(&path).unwrap();
    assert_ne!(position(), broken);
}
