//! One setup code, fifty keys, several processes: exactly one binds it.

use std::env;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pairing_core::device::{
    Challenge, Connecting, Credential, DeviceInfo, Identity, PayloadVersion, SIGNATURE_TOLERANCE,
    SecretToken, SetupProfile, SignedFields,
};
use pairing_core::{Approver, Clock as _, ConnectError, Devices, Pairing};
use pairing_fs::{StateDir, SystemClock, SystemEntropy};

const PROCESSES: usize = 5;
const KEYS_EACH: usize = 10;

fn devices(state: &Path) -> Devices {
    let pairing: Pairing = pairing_fs::open(&StateDir::at(state));
    pairing.devices()
}

/// Connects as a node with a new key, and returns whether the code was accepted.
fn redeems(devices: &Devices, code: &SecretToken) -> bool {
    let identity = Identity::generate(&SystemEntropy).unwrap();
    let (id, now) = (identity.id().to_string(), SystemClock.now());
    let fields = SignedFields {
        device_id: &id,
        client_id: "node-host",
        client_mode: "node",
        role: "node",
        scopes: &[],
        signed_at: now.as_millis(),
        token: code.expose(),
        nonce: "nonce",
        platform: Some("linux"),
        device_family: None,
    };
    let signature = identity.sign(&fields, PayloadVersion::V3).unwrap();
    let challenge = Challenge {
        nonce: "nonce",
        now,
        tolerance: SIGNATURE_TOLERANCE,
        v3_only: false,
    };
    let key = identity.key().to_base64url();
    let proof = fields.verify(&key, &signature, &challenge).unwrap();
    let address = IpAddr::from([192, 168, 1, 7]);
    let connecting = Connecting::new(proof, DeviceInfo::default(), address).unwrap();
    match devices.connect(&connecting, Credential::PairingToken(code)) {
        Ok(_) => true,
        Err(ConnectError::Credential(_)) => false,
        Err(other) => panic!("{other}"),
    }
}

/// Redeems the code with several keys at once, in one process; prints how many of them it was accepted for.
///
/// If started without a state directory, it issues its own code, which exactly one of the keys binds.
#[test]
fn redeemer() {
    let given = env::var_os("PAIRING_TEST_STATE").map(PathBuf::from);
    let own = tempfile::tempdir().unwrap();
    let state = given.as_deref().unwrap_or(own.path());
    let devices = devices(state);
    let code = match env::var("PAIRING_TEST_CODE") {
        Ok(code) => SecretToken::parse(&code).unwrap(),
        Err(_) => issue(&devices),
    };
    let bound: usize = std::thread::scope(|scope| {
        let keys: Vec<_> = (0..KEYS_EACH)
            .map(|_| scope.spawn(|| usize::from(redeems(&devices, &code))))
            .collect();
        keys.into_iter().map(|key| key.join().unwrap()).sum()
    });
    println!("bound: {bound};");
    assert!(given.is_some() || bound == 1);
}

fn issue(devices: &Devices) -> SecretToken {
    let owner = Approver::terminal("ann");
    let issued = devices.issue_pairing_token(SetupProfile::Limited, None, &owner);
    issued.unwrap().0
}

#[test]
fn t43_t44_of_fifty_redeemers_in_several_processes_exactly_one_binds() {
    let dir = tempfile::tempdir().unwrap();
    let code = issue(&devices(dir.path()));
    let children: Vec<_> = (0..PROCESSES)
        .map(|_| {
            Command::new(env::current_exe().unwrap())
                .args(["--exact", "redeemers::redeemer", "--nocapture"])
                .env("PAIRING_TEST_STATE", dir.path())
                .env("PAIRING_TEST_CODE", code.expose())
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    let mut bound = 0;
    for child in children {
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let (_, count) = said.split_once("bound: ").unwrap();
        bound += count.split_once(';').unwrap().0.parse::<usize>().unwrap();
    }
    assert_eq!(bound, 1);
    let waiting = devices(dir.path())
        .list(&Approver::terminal("ann"))
        .unwrap()
        .pending;
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0].ask, SetupProfile::Limited.ask());
}
