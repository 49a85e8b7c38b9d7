//! Devices over `MemoryStore`: the rules, and the known failures of other programs, row by row.

mod approval;
mod connect;
mod model;
mod setup;
mod surface;
mod tokens;
mod walk;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ed25519_dalek::{Signer as _, SigningKey};
use pairing_conformance::seeded;
use pairing_core::device::{
    AuthenticatedDevice, Challenge, Connecting, Credential, Device, DeviceId, DeviceInfo,
    DeviceKey, DeviceRequest, PayloadVersion, ProvenDevice, Role, SIGNATURE_TOLERANCE, SecretToken,
    SignedFields, UpgradeReason,
};
use pairing_core::{
    Approver, Clock as _, ConnectError, Connection, Devices, ManualClock, MemoryStore, Pairing,
    Scope, ScopeSet, Timestamp,
};

/// A gateway's handle to its devices, with the store and the clock at hand.
struct Gateway {
    store: Arc<MemoryStore>,
    clock: Arc<ManualClock>,
    devices: Devices,
}

/// A phone, a headless node, or any other holder of a key.
#[derive(Clone)]
struct Phone {
    key: SigningKey,
    platform: &'static str,
    family: &'static str,
    address: IpAddr,
}

fn gateway() -> Gateway {
    let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_795_354_077_013)));
    let store = Arc::new(MemoryStore::new());
    let pairing = Pairing::new(store.clone(), clock.clone(), seeded(1));
    Gateway {
        store,
        devices: pairing.devices(),
        clock,
    }
}

fn phone(seed: u8) -> Phone {
    Phone {
        key: SigningKey::from_bytes(&[seed; 32]),
        platform: "iOS 26.1",
        family: "iPhone",
        address: IpAddr::from([192, 168, 1, seed]),
    }
}

fn owner() -> Approver {
    Approver::terminal("ann")
}

fn scopes(names: &[&str]) -> ScopeSet {
    names
        .iter()
        .map(|name| Scope::parse(name).unwrap())
        .collect()
}

impl Phone {
    fn id(&self) -> DeviceId {
        DeviceId::of(&DeviceKey::from_bytes(self.key.verifying_key().to_bytes()).unwrap())
    }

    /// Makes a connection that this device signed.
    fn asks(&self, gateway: &Gateway, role: &str, scopes: &[&str]) -> Connecting {
        self.signs(gateway, role, scopes, PayloadVersion::V3)
    }

    /// Makes a connection of the same device with another client id and mode.
    fn asks_as(&self, gateway: &Gateway, client: &str, mode: &str) -> Connecting {
        let scopes = ["operator.admin"];
        let now = gateway.clock.now();
        let proof = self.proves_as((client, mode), now, "operator", &scopes, PayloadVersion::V3);
        let info = DeviceInfo {
            client_id: Some(client.to_owned()),
            client_mode: Some(mode.to_owned()),
            ..DeviceInfo::default()
        };
        Connecting::new(proof, info, self.address).unwrap()
    }

    fn signs(
        &self,
        gateway: &Gateway,
        role: &str,
        scopes: &[&str],
        version: PayloadVersion,
    ) -> Connecting {
        let proof = self.proves(gateway.clock.now(), role, scopes, version);
        let info = DeviceInfo {
            display_name: Some("Phone".to_owned()),
            platform: Some(self.platform.to_owned()),
            device_family: Some(self.family.to_owned()),
            remote_ip: Some(self.address.to_string()),
            ..DeviceInfo::default()
        };
        Connecting::new(proof, info, self.address).unwrap()
    }

    fn proves(
        &self,
        now: Timestamp,
        role: &str,
        scopes: &[&str],
        version: PayloadVersion,
    ) -> ProvenDevice {
        self.proves_as(("openclaw-ios", "ui"), now, role, scopes, version)
    }

    fn proves_as(
        &self,
        (client, mode): (&str, &str),
        now: Timestamp,
        role: &str,
        scopes: &[&str],
        version: PayloadVersion,
    ) -> ProvenDevice {
        let (id, scopes) = (
            self.id().to_string(),
            scopes.iter().map(|s| (*s).to_owned()),
        );
        let fields = SignedFields {
            device_id: &id,
            client_id: client,
            client_mode: mode,
            role,
            scopes: &scopes.collect::<Vec<_>>(),
            signed_at: now.as_millis(),
            token: "",
            nonce: "nonce",
            platform: Some(self.platform),
            device_family: Some(self.family),
        };
        let signature = self.key.sign(fields.payload(version).unwrap().as_bytes());
        let challenge = Challenge {
            nonce: "nonce",
            now,
            tolerance: SIGNATURE_TOLERANCE,
            v3_only: false,
        };
        let key = DeviceKey::from_bytes(self.key.verifying_key().to_bytes()).unwrap();
        let signature = base64_url(&signature.to_bytes());
        fields
            .verify(&key.to_base64url(), &signature, &challenge)
            .unwrap()
    }
}

fn base64_url(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

impl Gateway {
    fn wait(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// Connects with the shared secret.
    fn connect(&self, connecting: &Connecting) -> Connection {
        self.devices
            .connect(connecting, Credential::Shared)
            .unwrap()
    }

    /// Connects with a device token.
    fn with_token(
        &self,
        connecting: &Connecting,
        token: &SecretToken,
    ) -> Result<Connection, ConnectError> {
        self.devices
            .connect(connecting, Credential::DeviceToken(token))
    }

    fn with_code(
        &self,
        connecting: &Connecting,
        token: &SecretToken,
    ) -> Result<Connection, ConnectError> {
        self.devices
            .connect(connecting, Credential::PairingToken(token))
    }

    /// Pairs a device for the given role and scopes by asking the owner, and fetches its token.
    fn pair(
        &self,
        phone: &Phone,
        role: &str,
        scopes: &[&str],
    ) -> (AuthenticatedDevice, SecretToken) {
        let (_, request) = asked(self.connect(&phone.asks(self, role, scopes)));
        self.devices.approve(&request.id, &owner()).unwrap();
        let (device, minted) = admitted(self.connect(&phone.asks(self, role, scopes)));
        (device, minted.unwrap())
    }

    /// Opens an operator's session, authenticated by its device token.
    fn session(&self, phone: &Phone, scopes: &[&str]) -> (Approver, SecretToken) {
        let (_, token) = self.pair(phone, "operator", scopes);
        let connecting = phone.asks(self, "operator", scopes);
        let (device, _) = admitted(self.with_token(&connecting, &token).unwrap());
        (Approver::device(&device), token)
    }

    fn paired(&self, phone: &Phone) -> Option<Device> {
        let paired = self.devices.list(&owner()).unwrap().paired;
        paired.into_iter().find(|device| device.id == phone.id())
    }

    fn pending(&self) -> Vec<DeviceRequest> {
        self.devices.list(&owner()).unwrap().pending
    }
}

fn admitted(connection: Connection) -> (AuthenticatedDevice, Option<SecretToken>) {
    match connection {
        Connection::Admitted { device, minted, .. } => (device, minted.map(|minted| minted.token)),
        asked @ Connection::Asked(_) => panic!("{asked:?}"),
    }
}

fn asked(connection: Connection) -> (UpgradeReason, DeviceRequest) {
    match connection {
        Connection::Asked(asked) => (asked.reason, asked.request),
        admitted @ Connection::Admitted { .. } => panic!("{admitted:?}"),
    }
}

fn is_refused(result: Result<Connection, ConnectError>) -> bool {
    match result {
        Err(ConnectError::Credential(_)) => true,
        Err(other) => panic!("{other}"),
        Ok(_) => false,
    }
}

fn role_of(role: &str) -> Role {
    Role::parse(role).unwrap()
}
