//! A device with its own key, and its connections.

use std::net::IpAddr;

use pairing_core::device::{
    Asked, AuthenticatedDevice, Challenge, Connecting, Credential, DeviceInfo, Identity,
    PayloadVersion, SIGNATURE_TOLERANCE, SecretToken, SignedFields, UpgradeReason,
};
use pairing_core::{Connection, DeviceId, ScopeSet};

use crate::bot::{Bot, owner};
use crate::fixture::seeded;
use crate::registry::commands;

/// A phone: a node that may also be an operator.
pub(crate) struct Phone(Identity);

/// The connection of an admitted device.
pub(crate) struct Session {
    pub(crate) device: AuthenticatedDevice,
    pub(crate) minted: Option<SecretToken>,
    /// The scopes of the minted token.
    pub(crate) token_scopes: Option<ScopeSet>,
    /// Names of the commands that the device may be asked to run.
    pub(crate) commands: Vec<String>,
    pub(crate) asked: Option<Box<Asked>>,
}

pub(crate) fn phone(seed: u64) -> Phone {
    Phone(Identity::generate(&seeded(seed)).unwrap())
}

impl Phone {
    pub(crate) fn id(&self) -> DeviceId {
        self.0.id()
    }

    /// Returns a connection as a node that declares these commands.
    pub(crate) fn node(&self, bot: &Bot, commands: &[&str]) -> Connecting {
        self.asks(bot, "node", &[])
            .with_commands(commands.iter().copied())
    }

    pub(crate) fn operator(&self, bot: &Bot, scopes: &[&str]) -> Connecting {
        self.asks(bot, "operator", scopes)
    }

    fn asks(&self, bot: &Bot, role: &str, scopes: &[&str]) -> Connecting {
        let (id, key) = (self.id().to_string(), self.0.key().to_base64url());
        let names: Vec<_> = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        let fields = SignedFields {
            device_id: &id,
            client_id: "openclaw-ios",
            client_mode: "node",
            role,
            scopes: &names,
            signed_at: bot.now().as_millis(),
            token: "",
            nonce: "nonce",
            platform: Some("ios 26.1"),
            device_family: None,
        };
        let challenge = Challenge {
            nonce: "nonce",
            now: bot.now(),
            tolerance: SIGNATURE_TOLERANCE,
            v3_only: false,
        };
        let signature = self.0.sign(&fields, PayloadVersion::V3).unwrap();
        let proof = fields.verify(&key, &signature, &challenge).unwrap();
        let info = DeviceInfo {
            platform: Some("ios 26.1".to_owned()),
            ..DeviceInfo::default()
        };
        Connecting::new(proof, info, IpAddr::from([192, 0, 2, 7])).unwrap()
    }

    /// Pairs as a node with these commands, through a request that the owner approves, and returns its token.
    pub(crate) fn pairs(&self, bot: &Bot, names: &[&str]) -> SecretToken {
        let asked = asks(bot, &self.node(bot, names));
        assert_eq!(asked.request.ask.commands, commands(names));
        let devices = bot.pairing.devices();
        devices.approve(&asked.request.id, &owner()).unwrap();
        enters(bot, &self.node(bot, names)).minted.unwrap()
    }

    /// Reconnects with its device token.
    #[track_caller]
    pub(crate) fn returns(&self, bot: &Bot, names: &[&str], token: &SecretToken) -> Session {
        by(bot, &self.node(bot, names), Credential::DeviceToken(token))
    }

    /// Approves the pending request of this device.
    #[track_caller]
    pub(crate) fn is_approved(&self, bot: &Bot) {
        let devices = bot.pairing.devices();
        let waiting = devices.list(&owner()).unwrap().pending;
        let waiting = waiting.iter().find(|r| r.device == self.id()).unwrap();
        devices.approve(&waiting.id, &owner()).unwrap();
    }
}

/// Connects with the shared secret, and expects a request for the owner to approve.
#[track_caller]
pub(crate) fn asks(bot: &Bot, connecting: &Connecting) -> Asked {
    asks_by(bot, connecting, Credential::Shared)
}

#[track_caller]
pub(crate) fn asks_by(bot: &Bot, connecting: &Connecting, credential: Credential<'_>) -> Asked {
    let devices = bot.pairing.devices();
    match devices.connect(connecting, credential).unwrap() {
        Connection::Asked(asked) => *asked,
        admitted @ Connection::Admitted { .. } => panic!("{admitted:?}"),
    }
}

/// Connects with the shared secret, and expects to be admitted.
#[track_caller]
pub(crate) fn enters(bot: &Bot, connecting: &Connecting) -> Session {
    by(bot, connecting, Credential::Shared)
}

#[track_caller]
pub(crate) fn by(bot: &Bot, connecting: &Connecting, credential: Credential<'_>) -> Session {
    let devices = bot.pairing.devices();
    match devices.connect(connecting, credential).unwrap() {
        Connection::Admitted {
            device,
            minted,
            commands,
            asked,
        } => Session {
            device,
            token_scopes: minted.as_ref().map(|minted| minted.scopes.clone()),
            minted: minted.map(|minted| minted.token),
            commands: commands.into_iter().collect(),
            asked,
        },
        asked @ Connection::Asked(_) => panic!("{asked:?}"),
    }
}

impl Session {
    /// Returns the request for more commands; fails if there is none.
    #[track_caller]
    pub(crate) fn wants(&self) -> &Asked {
        let asked = self.asked.as_ref().unwrap();
        assert_eq!(asked.reason, UpgradeReason::CommandUpgrade);
        assert!(asked.request.is_repair);
        asked
    }
}
