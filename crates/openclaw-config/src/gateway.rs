//! `gateway`.

use crate::read::{Reader, Section};
use crate::{GatewayLimits, Secret};

/// The gateway: its addresses, and the proxies and secrets that it trusts.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Gateway {
    /// Whether the gateway runs on this machine or elsewhere.
    pub mode: Mode,
    /// The port it listens on.
    pub port: u16,
    /// The addresses it listens on.
    pub bind: Bind,
    /// Addresses and networks whose forwarding headers are believed.
    pub trusted_proxies: Vec<String>,
    /// Names, beside those that need no saying, by which browsers may call it.
    pub allowed_hosts: Vec<String>,
    /// The shared secret.
    pub auth: Auth,
    /// The browser's user interface.
    pub control_ui: ControlUi,
    /// Encryption.
    pub tls: Tls,
    /// A gateway elsewhere.
    pub remote: Remote,
    /// Devices that need not wait for the owner.
    pub auto_approve: AutoApprove,
    /// How much of it anybody may use.
    pub limits: GatewayLimits,
}

/// Where the gateway runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mode {
    /// On this machine.
    #[default]
    Local,
    /// Elsewhere: commands go to [`Remote::url`].
    Remote,
}

/// The addresses a gateway listens on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Bind {
    /// This machine only.
    #[default]
    Loopback,
    /// All addresses.
    Lan,
    /// The address in 100.64.0.0/10, or loopback where there is none.
    Tailnet,
    /// This one.
    Custom(String),
    /// Loopback.
    Auto,
}

/// How connections prove that they know the owner.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Auth {
    /// Which secret counts; not set, it is the one that there is.
    pub mode: Option<AuthMode>,
    /// The shared token.
    pub token: Option<Secret>,
    /// The shared password.
    pub password: Option<Secret>,
}

/// Which secret a gateway asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthMode {
    /// The token.
    Token,
    /// The password.
    Password,
    /// None.
    None,
}

/// The user interface in a browser.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ControlUi {
    /// Whether it is served. By default, to browsers that come over TLS or from this machine.
    pub enabled: Option<bool>,
    /// Origins, beside the gateway's own, that may connect.
    pub allowed_origins: Vec<String>,
}

/// Encryption of the gateway's connections.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Tls {
    /// Whether TLS is enabled.
    pub enabled: bool,
    /// The certificate's file.
    pub cert_path: Option<String>,
    /// The key's file.
    pub key_path: Option<String>,
    /// Make a self-signed certificate where there is none.
    pub auto_generate: bool,
}

/// A gateway elsewhere.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Remote {
    /// Its address.
    pub url: Option<String>,
    /// Its shared token.
    pub token: Option<Secret>,
    /// Its shared password.
    pub password: Option<Secret>,
    /// SHA-256 of its certificate, where that is pinned.
    pub tls_fingerprint: Option<String>,
}

/// `gateway.nodes.pairing`: devices that need not wait for the owner.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct AutoApprove {
    /// Over real loopback, with the shared secret.
    pub local: bool,
    /// From these networks, as nodes without scopes. They are checked by who uses them.
    pub cidrs: Vec<String>,
}

impl Gateway {
    /// The port of a gateway that is not told another.
    pub const PORT: u16 = 18789;

    pub(crate) fn read(mut at: Section<'_>, reader: &mut Reader<'_>) -> Self {
        const MODES: [(&str, Mode); 2] = [("local", Mode::Local), ("remote", Mode::Remote)];
        let gateway = Self {
            mode: at.choice("mode", &MODES, reader).unwrap_or_default(),
            port: at.port("port", reader).unwrap_or(Self::PORT),
            bind: bind(&mut at, reader),
            trusted_proxies: at.texts("trustedProxies", reader).unwrap_or_default(),
            allowed_hosts: at.texts("allowedHosts", reader).unwrap_or_default(),
            auth: auth(at.child("auth", reader), reader),
            control_ui: control_ui(at.child("controlUi", reader), reader),
            tls: tls(at.child("tls", reader), reader),
            remote: remote(at.child("remote", reader), reader),
            auto_approve: auto_approve(at.child("nodes", reader), reader),
            limits: GatewayLimits::read(at.child("limits", reader), reader),
        };
        at.finish(reader);
        gateway
    }
}

fn bind(at: &mut Section<'_>, reader: &mut Reader<'_>) -> Bind {
    #[derive(Clone, Copy)]
    enum Word {
        Loopback,
        Lan,
        Tailnet,
        Custom,
        Auto,
    }
    const WORDS: [(&str, Word); 5] = [
        ("loopback", Word::Loopback),
        ("lan", Word::Lan),
        ("tailnet", Word::Tailnet),
        ("custom", Word::Custom),
        ("auto", Word::Auto),
    ];
    let host = at.text("customBindHost", reader);
    match at.choice("bind", &WORDS, reader) {
        None | Some(Word::Loopback) => Bind::Loopback,
        Some(Word::Lan) => Bind::Lan,
        Some(Word::Tailnet) => Bind::Tailnet,
        Some(Word::Auto) => Bind::Auto,
        Some(Word::Custom) => {
            if host.is_none() {
                at.fault("bind", "\"custom\" needs gateway.customBindHost", reader);
            }
            Bind::Custom(host.unwrap_or_default())
        }
    }
}

fn auth(mut at: Section<'_>, reader: &mut Reader<'_>) -> Auth {
    const MODES: [(&str, AuthMode); 3] = [
        ("token", AuthMode::Token),
        ("password", AuthMode::Password),
        ("none", AuthMode::None),
    ];
    let auth = Auth {
        mode: at.choice("mode", &MODES, reader),
        token: at.secret("token", reader),
        password: at.secret("password", reader),
    };
    at.finish(reader);
    auth
}

fn control_ui(mut at: Section<'_>, reader: &mut Reader<'_>) -> ControlUi {
    let control_ui = ControlUi {
        enabled: at.flag("enabled", reader),
        allowed_origins: at.texts("allowedOrigins", reader).unwrap_or_default(),
    };
    at.finish(reader);
    control_ui
}

fn tls(mut at: Section<'_>, reader: &mut Reader<'_>) -> Tls {
    let tls = Tls {
        enabled: at.flag("enabled", reader).unwrap_or(false),
        cert_path: at.text("certPath", reader),
        key_path: at.text("keyPath", reader),
        auto_generate: at.flag("autoGenerate", reader).unwrap_or(true),
    };
    at.finish(reader);
    tls
}

fn remote(mut at: Section<'_>, reader: &mut Reader<'_>) -> Remote {
    let remote = Remote {
        url: at.text("url", reader),
        token: at.secret("token", reader),
        password: at.secret("password", reader),
        tls_fingerprint: at.text("tlsFingerprint", reader),
    };
    at.finish(reader);
    remote
}

fn auto_approve(mut nodes: Section<'_>, reader: &mut Reader<'_>) -> AutoApprove {
    let mut at = nodes.child("pairing", reader);
    let auto_approve = AutoApprove {
        local: at.flag("autoApproveLocal", reader).unwrap_or(true),
        cidrs: at.texts("autoApproveCidrs", reader).unwrap_or_default(),
    };
    at.finish(reader);
    nodes.finish(reader);
    auto_approve
}
