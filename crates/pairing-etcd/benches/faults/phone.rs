//! Devices that are nodes, known by a number.

use std::net::IpAddr;

use pairing_core::device::{
    Challenge, Connecting, Credential, DeviceInfo, Identity, PayloadVersion, SIGNATURE_TOLERANCE,
    SecretToken, SignedFields,
};
use pairing_core::{Approver, Connection, Pairing};

pub(crate) fn identity(number: u64) -> Identity {
    Identity::generate(&pairing_conformance::seeded(number)).unwrap()
}

/// A proven connection of a device, as node.
pub(crate) fn connecting(pairing: &Pairing, number: u64) -> Connecting {
    let identity = identity(number);
    let (id, key) = (identity.id().to_string(), identity.key().to_base64url());
    let now = pairing.now();
    let fields = SignedFields {
        device_id: &id,
        client_id: "node-host",
        client_mode: "node",
        role: "node",
        scopes: &[],
        signed_at: now.as_millis(),
        token: "",
        nonce: "nonce",
        platform: Some("linux"),
        device_family: None,
    };
    let challenge = Challenge {
        nonce: "nonce",
        now,
        tolerance: SIGNATURE_TOLERANCE,
        v3_only: false,
    };
    let signature = identity.sign(&fields, PayloadVersion::V3).unwrap();
    let proof = fields.verify(&key, &signature, &challenge).unwrap();
    let info = DeviceInfo {
        platform: Some("linux".to_owned()),
        ..DeviceInfo::default()
    };
    // One address each: what is limited by address is another test's.
    let [_, b, c, d] = u32::try_from(number % (1 << 24)).unwrap().to_be_bytes();
    Connecting::new(proof, info, IpAddr::from([10, b, c, d])).unwrap()
}

/// Asks, is approved, and fetches its token.
pub(crate) fn pair(pairing: &Pairing, number: u64, owner: &Approver) -> SecretToken {
    let (devices, connecting) = (pairing.devices(), connecting(pairing, number));
    let asked = match devices.connect(&connecting, Credential::Shared).unwrap() {
        Connection::Asked(asked) => asked,
        admitted @ Connection::Admitted { .. } => panic!("{admitted:?}"),
    };
    devices.approve(&asked.request.id, owner).unwrap();
    match devices.connect(&connecting, Credential::Shared).unwrap() {
        Connection::Admitted { minted, .. } => minted.unwrap().token,
        asked @ Connection::Asked(_) => panic!("{asked:?}"),
    }
}
