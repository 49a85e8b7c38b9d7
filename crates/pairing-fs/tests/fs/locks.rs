//! Our own lock and OpenClaw's lock.

use std::fs::{self, File};
use std::time::{Duration, SystemTime};

use pairing_core::{AllowlistError, Channels, Clock as _, Limits, StoreError};
use pairing_fs::doctor::examine;
use pairing_fs::{FsStore, SystemClock};

use crate::install::{Install, owner, service};

/// Returns the id of a process that has certainly ended: it has been waited for.
fn dead_process() -> u32 {
    let mut child = std::process::Command::new("true").spawn().unwrap();
    child.wait().unwrap();
    child.id()
}

fn lock_text(pid: u32, created_at: &str) -> String {
    format!("{{\n  \"pid\": {pid},\n  \"createdAt\": \"{created_at}\"\n}}")
}

fn present() -> String {
    SystemClock.now().to_string()
}

fn busy(result: Result<bool, AllowlistError>) -> (String, String) {
    match result {
        Err(AllowlistError::Store(StoreError::Busy {
            resource, holder, ..
        })) => (resource, holder),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_lock_of_a_living_process_is_respected_and_its_holder_named() {
    let install = Install::recorded();
    let account = install
        .impatient()
        .channel("telegram")
        .unwrap()
        .account("default")
        .unwrap();
    let me = std::process::id();
    install.write("telegram-allowFrom.json.lock", lock_text(me, &present()));
    let (resource, holder) = busy(account.allow("1", &owner()));
    assert!(
        resource.ends_with("telegram-allowFrom.json.lock"),
        "{resource}"
    );
    assert_eq!(holder, format!("process {me}"));
    assert!(install.path("telegram-allowFrom.json.lock").exists());
    assert!(!account.is_allowed("1").unwrap());
    // Reading waits for no lock, and another account's file is not locked.
    assert!(account.is_allowed("12345").unwrap());
    let work = account.channel().account("work").unwrap();
    assert!(matches!(
        busy_or_done(work.allow("1", &owner())),
        Some(true)
    ));

    fs::remove_file(install.path("telegram-allowFrom.json.lock")).unwrap();
    assert!(account.allow("1", &owner()).unwrap());
    assert_eq!(install.debris(), [""; 0]);
}

fn busy_or_done(result: Result<bool, AllowlistError>) -> Option<bool> {
    result.ok()
}

#[test]
fn t78_stale_locks_are_taken_over_at_once() {
    let (me, dead) = (std::process::id(), dead_process());
    let table = [
        ("its process is gone", lock_text(dead, &present())),
        ("older than 30 s", lock_text(me, "2026-01-01T00:00:00.000Z")),
        ("no process at all", lock_text(0, &present())),
        ("one of ours, under our lock", {
            let text = lock_text(me, &present());
            text.replace('}', ",\n  \"by\": \"pairing-fs\"\n}")
        }),
    ];
    for (why, text) in table {
        let install = Install::recorded();
        install.write("telegram-pairing.json.lock", text);
        let account = install
            .impatient()
            .channel("telegram")
            .unwrap()
            .account("default")
            .unwrap();
        account
            .request_or_reuse("1")
            .unwrap_or_else(|error| panic!("{why}: {error:?}"));
        assert_eq!(install.debris(), [""; 0], "{why}");
    }
}

#[test]
fn t141_a_lock_from_the_future_is_stale_and_doctor_names_it() {
    let install = Install::recorded();
    let account = install
        .impatient()
        .channel("telegram")
        .unwrap()
        .account("default")
        .unwrap();
    let path = install.path("telegram-pairing.json.lock");
    let me = std::process::id();
    for (ahead, is_stale) in [(20, false), (40, true), (365 * 24 * 3600, true)] {
        let at = SystemClock.now() + Duration::from_secs(ahead);
        fs::write(&path, lock_text(me, &at.to_string())).unwrap();
        let found = examine(
            &install.state(),
            &Channels::builtin(),
            &Limits::default(),
            SystemClock.now(),
        );
        let is_named = found.iter().any(|finding| finding.kind == "stale-lock");
        assert_eq!(is_named, is_stale, "{ahead} s ahead: {found:?}");
        let asked = account.request_or_reuse("1");
        assert_eq!(asked.is_ok(), is_stale, "{ahead} s ahead: {asked:?}");
    }
    // The same of a lock that says nothing.
    fs::write(&path, "").unwrap();
    let file = File::options().write(true).open(&path).unwrap();
    file.set_modified(SystemTime::now() + Duration::from_secs(40))
        .unwrap();
    account.request_or_reuse("2").unwrap();
}

#[test]
fn a_lock_that_says_nothing_is_judged_by_its_age() {
    let install = Install::recorded();
    let account = install
        .impatient()
        .channel("telegram")
        .unwrap()
        .account("default")
        .unwrap();
    let path = install.path("telegram-allowFrom.json.lock");
    fs::write(&path, "").unwrap();
    busy(account.allow("1", &owner()));
    let file = File::options().write(true).open(&path).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(31))
        .unwrap();
    account.allow("1", &owner()).unwrap();
    assert!(!path.exists());
}

#[test]
fn our_own_lock_excludes_and_names_its_holder() {
    let install = Install::recorded();
    let lock = File::create(install.path(".telegram.oslock")).unwrap();
    fs::write(install.path(".telegram.oslock"), "4711").unwrap();
    fs4::FileExt::lock(&lock).unwrap();
    let account = install
        .impatient()
        .channel("telegram")
        .unwrap()
        .account("default")
        .unwrap();
    let (resource, holder) = busy(account.allow("1", &owner()));
    assert!(resource.ends_with(".telegram.oslock"), "{resource}");
    assert_eq!(holder, "process 4711");
    // Another channel is another group with its own lock.
    let discord = install
        .impatient()
        .channel("discord")
        .unwrap()
        .account("default")
        .unwrap();
    assert!(discord.allow("1", &owner()).unwrap());
    drop(lock);
    assert!(account.allow("1", &owner()).unwrap());
}

#[test]
fn the_other_programs_lock_is_held_while_files_are_replaced() {
    use pairing_fs::{FsStore, Probe, Step};
    use std::sync::{Arc, Mutex};

    struct Watch(std::path::PathBuf, Mutex<Vec<String>>);
    impl Probe for Watch {
        fn before(&self, step: Step, path: &std::path::Path) -> std::io::Result<()> {
            if step == Step::Rename {
                let lock = |name: &str| self.0.join(name).exists();
                let said = fs::read_to_string(self.0.join("telegram-pairing.json.lock")).unwrap();
                assert!(
                    said.contains(&format!("\"pid\": {}", std::process::id())),
                    "{said}"
                );
                assert!(lock("telegram-pairing.json.lock") && lock("telegram-allowFrom.json.lock"));
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                self.1.lock().unwrap().push(name);
            }
            Ok(())
        }
    }

    let install = Install::recorded();
    let watch = Arc::new(Watch(install.credentials(), Mutex::default()));
    let channels = pairing_core::Channels::builtin();
    let store = FsStore::new(&install.state(), channels).probed(watch.clone());
    let pairing = crate::install::service(&store, &install.clock);
    let telegram = pairing.channel("telegram").unwrap();
    telegram.approve("M8NGT2AA", &owner()).unwrap();
    assert_eq!(
        *watch.1.lock().unwrap(),
        [
            "telegram.json",
            "telegram-allowFrom.json",
            "telegram-pairing.json"
        ],
        "who granted, the grant, and only then the request is consumed"
    );
}

#[test]
fn who_never_waits_is_told_at_once() {
    let install = Install::recorded();
    // Its locks are waited for as long as usual.
    let store = FsStore::new(&install.state(), Channels::builtin());
    let pairing = service(&store, &install.clock);
    let account = |pairing: &pairing_core::Pairing| {
        let channel = pairing.channel("telegram").unwrap();
        channel.account("default").unwrap()
    };
    let me = std::process::id();
    install.write("telegram-allowFrom.json.lock", lock_text(me, &present()));
    let began = std::time::Instant::now();
    let at_once = account(&pairing.never_waiting());
    let (_, holder) = busy(at_once.allow("1", &owner()));
    assert_eq!(holder, format!("process {me}"));
    // It would be 10 seconds otherwise.
    assert!(began.elapsed() < Duration::from_secs(5));
    fs::remove_file(install.path("telegram-allowFrom.json.lock")).unwrap();
    at_once.allow("1", &owner()).unwrap();
    assert!(account(&pairing).is_allowed("1").unwrap());
}
