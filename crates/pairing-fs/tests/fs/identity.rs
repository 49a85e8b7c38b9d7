//! A client's own identity: created once, and never replaced.

use std::env;
use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};

use pairing_conformance::seeded;
use pairing_core::{
    Challenge, DeviceId, Identity, PayloadVersion, SIGNATURE_TOLERANCE, SecretToken, SignedFields,
    StoreError, Timestamp,
};
use pairing_fs::{HeldToken, IdentityDir, IdentityError, Probe, StateDir, Step, SystemEntropy};
use serde_json::Value;
use tempfile::TempDir;

use crate::processes::start;

const NODE: &str = include_str!("../fixtures/node-20/identity/device.json");
const TOKENS: &str = include_str!("../fixtures/openclaw-2026.2.17/identity/device-auth.json");
/// Id of the device that holds those tokens.
const HOLDER: &str = "15eef72ff15d1a91a6aa964a144fde0002b3bf191cc05da41538a49da7a7653f";

const NOW: i64 = 1_795_353_726_325;

fn at(state: &Path) -> IdentityDir {
    IdentityDir::new(&StateDir::at(state))
}

fn create(state: &Path, seed: u64) -> Result<Identity, IdentityError> {
    at(state).load_or_create(&seeded(seed), Timestamp::from_millis(NOW))
}

/// Returns a state directory with one file in `identity/`.
fn holding(name: &str, text: impl AsRef<[u8]>) -> TempDir {
    let state = tempfile::tempdir().unwrap();
    let dir = state.path().join("identity");
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join(name), text).unwrap();
    state
}

fn device_file(state: &Path) -> PathBuf {
    state.join("identity/device.json")
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Returns the messages of an error and its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        said = format!("{said}: {error}");
        cause = error.source();
    }
    said
}

#[test]
fn made_once_and_kept() {
    let state = tempfile::tempdir().unwrap();
    let made = create(state.path(), 1).unwrap();
    let file = device_file(state.path());
    let text = fs::read_to_string(&file).unwrap();
    let json: Value = serde_json::from_str(&text).unwrap();
    let members: Vec<_> = json.as_object().unwrap().keys().collect();
    assert_eq!(members.len(), 5, "{members:?}");
    assert_eq!(json["version"], 1);
    assert_eq!(json["deviceId"], made.id().to_string());
    assert_eq!(json["publicKeyPem"], made.public_key_pem());
    assert_eq!(json["privateKeyPem"], made.private_key_pem().as_str());
    assert_eq!(json["createdAtMs"], NOW);
    assert!(
        text.starts_with("{\n  \"version\": 1,\n  \"deviceId\""),
        "{text}"
    );

    assert_eq!(mode(&file), 0o600);
    assert_eq!(mode(&state.path().join("identity")), 0o700);
    assert_eq!(names(&state.path().join("identity")), ["device.json"]);

    assert_eq!(create(state.path(), 2).unwrap().id(), made.id());
    assert_eq!(at(state.path()).load().unwrap().unwrap().id(), made.id());
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
}

#[test]
fn what_node_wrote_is_read_and_signs() {
    let state = holding("device.json", NODE);
    let identity = create(state.path(), 1).unwrap();
    let json: Value = serde_json::from_str(NODE).unwrap();
    let id = identity.id().to_string();
    assert_eq!(json["deviceId"], id);
    assert_eq!(json["privateKeyPem"], identity.private_key_pem().as_str());

    let fields = SignedFields {
        device_id: &id,
        client_id: "node-host",
        client_mode: "node",
        role: "node",
        scopes: &[],
        signed_at: NOW,
        token: "",
        nonce: "n",
        platform: Some("linux"),
        device_family: None,
    };
    let signature = identity.sign(&fields, PayloadVersion::V3).unwrap();
    let challenge = Challenge {
        nonce: "n",
        now: Timestamp::from_millis(NOW),
        tolerance: SIGNATURE_TOLERANCE,
        v3_only: true,
    };
    let public = json["publicKeyPem"].as_str().unwrap();
    let proven = fields.verify(public, &signature, &challenge).unwrap();
    assert_eq!(proven.id(), identity.id());
}

#[test]
fn t79_a_file_that_cannot_be_read_is_an_error_and_never_a_new_identity() {
    let other = seeded(9);
    let other = Identity::generate(&other).unwrap();
    let json: Value = serde_json::from_str(NODE).unwrap();
    let with = |member: &str, value: Value| {
        let mut json = json.clone();
        json[member] = value;
        json.to_string().into_bytes()
    };
    let without = |member: &str| {
        let mut json = json.clone();
        json.as_object_mut().unwrap().remove(member);
        json.to_string().into_bytes()
    };
    let private = other.private_key_pem();
    let table: Vec<(Vec<u8>, &str)> = vec![
        (b"".to_vec(), "empty"),
        (b" \n".to_vec(), "empty"),
        (NODE.as_bytes()[..200].to_vec(), "line"),
        (b"[]".to_vec(), "line 1"),
        (b"null".to_vec(), "line 1"),
        (b"{}".to_vec(), "`privateKeyPem` is missing"),
        (b"{\"version\": 1, \xff}".to_vec(), "not UTF-8"),
        (with("version", 2.into()), "version 2"),
        (without("deviceId"), "`deviceId` is missing"),
        (without("publicKeyPem"), "`publicKeyPem` is missing"),
        (with("privateKeyPem", 1.into()), "not a string"),
        (
            with("privateKeyPem", "hunter2".into()),
            "not an Ed25519 private key",
        ),
        (
            with("privateKeyPem", private.as_str().into()),
            "not the public key of the private key",
        ),
        (
            with("publicKeyPem", other.public_key_pem().into()),
            "not the public key",
        ),
        (
            with("deviceId", other.id().to_string().into()),
            "not the fingerprint",
        ),
        (with("deviceId", "".into()), "not the fingerprint"),
    ];
    for (bytes, expected) in table {
        let state = holding("device.json", &bytes);
        for error in [
            chain(&create(state.path(), 1).unwrap_err()),
            chain(&at(state.path()).load().unwrap_err()),
        ] {
            assert!(error.contains("identity/device.json"), "{error}");
            assert!(error.contains(expected), "{error}");
            assert!(
                !error.contains("hunter2") && !error.contains("BEGIN"),
                "{error}"
            );
        }
        assert_eq!(
            fs::read(device_file(state.path())).unwrap(),
            bytes,
            "{expected}"
        );
        assert_eq!(names(&state.path().join("identity")), ["device.json"]);
    }
}

#[test]
fn t79_what_is_no_file_is_an_error() {
    let state = tempfile::tempdir().unwrap();
    fs::create_dir_all(device_file(state.path())).unwrap();
    let error = chain(&create(state.path(), 1).unwrap_err());
    assert!(error.contains("not a regular file"), "{error}");

    let state = tempfile::tempdir().unwrap();
    fs::create_dir(state.path().join("identity")).unwrap();
    symlink("/nowhere/device.json", device_file(state.path())).unwrap();
    let error = chain(&create(state.path(), 1).unwrap_err());
    assert!(
        error.contains("a symbolic link to /nowhere/device.json"),
        "{error}"
    );

    let state = tempfile::tempdir().unwrap();
    fs::write(state.path().join("identity"), "a file").unwrap();
    assert!(create(state.path(), 1).is_err());
}

#[test]
fn a_linked_file_is_read_through_its_link() {
    let state = holding("elsewhere", NODE);
    symlink("elsewhere", device_file(state.path())).unwrap();
    let json: Value = serde_json::from_str(NODE).unwrap();
    let identity = create(state.path(), 1).unwrap();
    assert_eq!(json["deviceId"], identity.id().to_string());
}

#[test]
fn t89_looking_makes_nothing() {
    let state = tempfile::tempdir().unwrap();
    let identity = at(state.path());
    assert!(identity.load().unwrap().is_none());
    let device = DeviceId::parse(HOLDER).unwrap();
    assert!(identity.token(device, "node").unwrap().is_none());
    assert!(names(state.path()).is_empty());
}

/// A probe that creates another identity at the last moment.
struct Beaten(PathBuf);

impl Probe for Beaten {
    fn before(&self, step: Step, _: &Path) -> io::Result<()> {
        if step == Step::Rename {
            create(&self.0, 2).unwrap();
        }
        Ok(())
    }
}

#[test]
fn t79_who_is_second_gets_the_identity_of_the_first() {
    let state = tempfile::tempdir().unwrap();
    let slow = at(state.path()).probed(Arc::new(Beaten(state.path().to_owned())));
    let got = slow.load_or_create(&seeded(1), Timestamp::from_millis(NOW));
    let expected = Identity::generate(&seeded(2)).unwrap();
    assert_eq!(got.unwrap().id(), expected.id());
    assert_eq!(
        at(state.path()).load().unwrap().unwrap().id(),
        expected.id()
    );
    assert_eq!(names(&state.path().join("identity")), ["device.json"]);
}

/// Creates an identity and prints its id; if started alone, in a directory of its own.
#[test]
fn maker() {
    let given = env::var_os("PAIRING_TEST_STATE").map(PathBuf::from);
    let own = tempfile::tempdir().unwrap();
    let state = given.as_deref().unwrap_or(own.path());
    let made = at(state).load_or_create(&SystemEntropy, Timestamp::from_millis(NOW));
    let id = made.unwrap().id();
    assert_eq!(at(state).load().unwrap().unwrap().id(), id);
    println!("identity {id}");
}

#[test]
fn t79_processes_that_race_end_with_one_identity() {
    let state = tempfile::tempdir().unwrap();
    let makers: Vec<_> = (0..6)
        .map(|number| start("identity::maker", state.path(), number))
        .collect();
    let mut ids: Vec<_> = makers
        .into_iter()
        .map(|maker| {
            let output = maker.wait_with_output().unwrap();
            assert!(output.status.success(), "{output:?}");
            let said = String::from_utf8(output.stdout).unwrap();
            let (_, id) = said.split_once("identity ").unwrap();
            id.lines().next().unwrap().to_owned()
        })
        .collect();
    ids.dedup();
    let kept = at(state.path()).load().unwrap().unwrap().id().to_string();
    assert_eq!(ids, [kept]);
    assert_eq!(names(&state.path().join("identity")), ["device.json"]);
}

/// A probe that lets this number of steps happen, and no more.
struct Dies(AtomicUsize);

impl Probe for Dies {
    fn before(&self, _: Step, _: &Path) -> io::Result<()> {
        let left = |left: usize| left.checked_sub(1);
        let alive = self
            .0
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, left);
        alive.map(|_| ()).map_err(|_| io::Error::other("dead"))
    }
}

#[test]
fn t79_a_crash_leaves_no_identity_or_a_whole_one() {
    let mut survived = 0;
    for steps in 0..10 {
        let state = tempfile::tempdir().unwrap();
        let dying = at(state.path()).probed(Arc::new(Dies(AtomicUsize::new(steps))));
        let made = dying.load_or_create(&seeded(1), Timestamp::from_millis(NOW));
        let found = at(state.path())
            .load()
            .unwrap()
            .map(|identity| identity.id());
        if let Ok(made) = &made {
            assert_eq!(found, Some(made.id()));
            survived += 1;
        }
        let next = create(state.path(), 2).unwrap().id();
        assert_eq!(next, found.unwrap_or(next));
    }
    assert!(
        (1..9).contains(&survived),
        "{survived} of 10 had steps enough"
    );
}

fn held(role: &str, token: &str) -> HeldToken {
    HeldToken {
        role: role.to_owned(),
        token: SecretToken::parse(token).unwrap(),
        scopes: vec!["operator.read".to_owned()],
        updated_at: Timestamp::from_millis(NOW),
    }
}

#[test]
fn recorded_tokens_are_read_and_survive_a_change() {
    let state = holding("device-auth.json", TOKENS);
    let (dir, device) = (at(state.path()), DeviceId::parse(HOLDER).unwrap());
    let node = dir.token(device, "node").unwrap().unwrap();
    assert_eq!(
        node.token.expose(),
        "7lH12ZXhRjk8YmHv1oGyJO6Jv59zqzoAKproFeaSu_Q"
    );
    assert!(node.scopes.is_empty());
    assert_eq!(node.updated_at, Timestamp::from_millis(1_795_353_754_656));
    assert!(dir.token(device, "operator").unwrap().is_none());

    dir.put_token(device, &held("operator", "op-token"))
        .unwrap();
    let file = state.path().join("identity/device-auth.json");
    let text = fs::read_to_string(&file).unwrap();
    let entry = "\n    \"operator\": {\n      \"token\": \"op-token\",\n      \"role\": \"operator\",\n      \
                 \"scopes\": [\n        \"operator.read\"\n      ],\n      \"updatedAtMs\": 1795353726325\n    }\n";
    assert!(text.contains(entry), "{text}");
    assert_eq!(mode(&file), 0o600);

    assert!(dir.remove_token(device, "operator").unwrap());
    assert_eq!(
        fs::read_to_string(&file).unwrap().trim_end(),
        TOKENS.trim_end()
    );
    assert!(!dir.remove_token(device, "operator").unwrap());
    assert!(dir.token(device, "operator").unwrap().is_none());
    let shown = format!("{:?}", dir.token(device, "node").unwrap());
    assert!(!shown.contains("7lH12"), "{shown}");
}

#[test]
fn the_first_token_makes_the_file_and_the_next_of_a_role_replaces_it() {
    let state = tempfile::tempdir().unwrap();
    let (dir, device) = (at(state.path()), DeviceId::parse(HOLDER).unwrap());
    dir.put_token(device, &held("node", "one")).unwrap();
    dir.put_token(device, &held("node", "two")).unwrap();
    let kept = dir.token(device, "node").unwrap().unwrap();
    assert_eq!(kept.token.expose(), "two");
    assert_eq!(kept.scopes, ["operator.read"]);
    let text = fs::read_to_string(state.path().join("identity/device-auth.json")).unwrap();
    assert!(!text.contains("one"), "{text}");
    let json: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["version"], 1);
    assert_eq!(json["deviceId"], HOLDER);
    assert_eq!(mode(&state.path().join("identity")), 0o700);
}

#[test]
fn unknown_members_survive() {
    let text = format!(
        r#"{{"version":1,"later":[1.50],"deviceId":"{HOLDER}","tokens":{{"odd":7,"node":{{"token":"t"}}}}}}"#
    );
    let state = holding("device-auth.json", text);
    let (dir, device) = (at(state.path()), DeviceId::parse(HOLDER).unwrap());
    assert_eq!(
        dir.token(device, "node").unwrap().unwrap().token.expose(),
        "t"
    );
    assert!(dir.token(device, "odd").is_err());
    dir.put_token(device, &held("operator", "o")).unwrap();
    let text = fs::read_to_string(state.path().join("identity/device-auth.json")).unwrap();
    for kept in [
        "\"later\": [1.50]",
        "\"odd\": 7",
        "\"node\": {\"token\":\"t\"}",
    ] {
        assert!(text.contains(kept), "{text}");
    }
}

#[test]
fn tokens_of_another_identity_are_not_handed_out_and_not_kept() {
    let state = holding("device-auth.json", TOKENS);
    let dir = at(state.path());
    let identity = create(state.path(), 1).unwrap();
    assert!(dir.token(identity.id(), "node").unwrap().is_none());
    assert!(!dir.remove_token(identity.id(), "node").unwrap());
    dir.put_token(identity.id(), &held("operator", "mine"))
        .unwrap();
    let text = fs::read_to_string(state.path().join("identity/device-auth.json")).unwrap();
    assert!(!text.contains("7lH12") && !text.contains(HOLDER), "{text}");
    assert!(dir.token(identity.id(), "operator").unwrap().is_some());
}

#[test]
fn tokens_that_cannot_be_read_stay_as_they_are() {
    let device = DeviceId::parse(HOLDER).unwrap();
    for text in [
        "",
        "[]",
        "{\"tokens\":[]}",
        "{\"version\":2}",
        &TOKENS[..150],
    ] {
        let state = holding("device-auth.json", text);
        let dir = at(state.path());
        let errors = [
            dir.token(device, "node").unwrap_err(),
            dir.put_token(device, &held("node", "t")).unwrap_err(),
            dir.remove_token(device, "node").unwrap_err(),
        ];
        for error in errors {
            assert!(matches!(error, StoreError::Unreadable { .. }), "{error}");
            assert!(!chain(&error).contains("7lH12"), "{error}");
        }
        let file = state.path().join("identity/device-auth.json");
        assert_eq!(fs::read_to_string(file).unwrap(), text);
    }
    for entry in [
        r#"{"token":1}"#,
        "{}",
        r#"{"token":""}"#,
        r#"{"token":"t","scopes":{}}"#,
        r#"{"token":"t","updatedAtMs":"x"}"#,
    ] {
        let text = format!(r#"{{"deviceId":"{HOLDER}","tokens":{{"node":{entry}}}}}"#);
        let state = holding("device-auth.json", text);
        assert!(at(state.path()).token(device, "node").is_err(), "{entry}");
    }
}

#[test]
fn tokens_put_at_the_same_time_are_all_kept() {
    let state = tempfile::tempdir().unwrap();
    let device = DeviceId::parse(HOLDER).unwrap();
    let barrier = Barrier::new(8);
    std::thread::scope(|scope| {
        for number in 0..8 {
            let (barrier, state) = (&barrier, state.path());
            scope.spawn(move || {
                let dir = at(state);
                barrier.wait();
                dir.put_token(device, &held(&format!("role{number}"), "t"))
                    .unwrap();
            });
        }
    });
    for number in 0..8 {
        let role = format!("role{number}");
        assert!(
            at(state.path()).token(device, &role).unwrap().is_some(),
            "{role}"
        );
    }
}
